"""Folders of attempts and of masters that are not played any more, until they are removed."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Column, ColumnElement, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.processing.domain import Job, Lease, Outcome
from services.processing.store.tasks import from_now
from services.processing.tables import attempts, previews, processing_jobs, retired_folders


class Attempts:
    """Who worked on what, and in which folder."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def start(self, lease: Lease[Job], worker_pod: str) -> None:
        """Note an attempt."""
        values = {
            "attempt_id": lease.attempt_id,
            "job_id": lease.task.id,
            "folder": lease.folder,
            "worker_pod": worker_pod,
        }
        await self._connection.execute(insert(attempts).values(**values))

    async def end(self, attempt_id: UUID, outcome: Outcome) -> None:
        """Note how an attempt ended."""
        ended = update(attempts).where(attempts.c.attempt_id == attempt_id)
        await self._connection.execute(ended.values(outcome=outcome, ended_at=func.now()))

    async def garbage(self, grace_seconds: float, limit: int) -> list[str]:
        """List folders of attempts which ended without completing their job more than `grace_seconds` ago."""
        columns = attempts.c
        ended_badly = columns.outcome != Outcome.COMPLETED
        return await _garbage(self._connection, attempts, columns.ended_at, grace_seconds, limit, ended_badly)

    async def removed(self, folder: str) -> None:
        """Note that a folder is gone."""
        await _removed(self._connection, attempts, folder)


class Previews:
    """Folders in which artists hear what is being encoded."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def open(self, lease: Lease[Job]) -> str:
        """Answer the name of a new folder, which nobody can guess."""
        folder = str(uuid4())
        await self._connection.execute(insert(previews).values(folder=folder, job_id=lease.task.id))
        return folder

    async def garbage(self, grace_seconds: float, limit: int) -> list[str]:
        """List folders that were opened more than `grace_seconds` ago."""
        return await _garbage(self._connection, previews, previews.c.opened_at, grace_seconds, limit)

    async def removed(self, folder: str) -> None:
        """Note that a folder is gone, also where a job still names it."""
        gone = update(processing_jobs).where(processing_jobs.c.id == previews.c.job_id, previews.c.folder == folder)
        await self._connection.execute(gone.where(processing_jobs.c.preview == folder).values(preview=None))
        await _removed(self._connection, previews, folder)


class RetiredFolders:
    """Folders that the catalog does not play any more."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, folder: str, track_id: UUID) -> None:
        """Note that a folder is not played any more; noting it again changes nothing."""
        added = insert(retired_folders).values(folder=folder, track_id=track_id)
        await self._connection.execute(added.on_conflict_do_nothing())

    async def garbage(self, grace_seconds: float, limit: int) -> list[str]:
        """List folders that were retired more than `grace_seconds` ago."""
        columns = retired_folders.c
        return await _garbage(self._connection, retired_folders, columns.retired_at, grace_seconds, limit)

    async def removed(self, folder: str) -> None:
        """Note that a folder is gone."""
        await _removed(self._connection, retired_folders, folder)


async def _garbage(
    connection: AsyncConnection,
    table: Table,
    since: Column[datetime],
    grace_seconds: float,
    limit: int,
    *where: ColumnElement[bool],
) -> list[str]:
    due = (table.c.removed_at.is_(None), since < from_now(-grace_seconds), *where)
    found = await connection.execute(select(table.c.folder).where(*due).order_by(since).limit(limit))
    return list(found.scalars())


async def _removed(connection: AsyncConnection, table: Table, folder: str) -> None:
    await connection.execute(update(table).where(table.c.folder == folder).values(removed_at=func.now()))
