"""Every SQL statement of the processing context. Only the database's clock counts."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Row, Select, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.db import Database, UnitsOfWork
from services.common.outbox import Outbox
from services.common.pages import Page, PageRequest
from services.processing.domain import Failure, Job, Lease, LeaseLostError, Master, Outcome, Status
from services.processing.tables import attempts, outbox, processing_jobs, retired_folders

MASTER = tuple(Master.__dataclass_fields__)


class Store(UnitsOfWork["Transaction"]):
    """The rows of `processing_db`."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        super().__init__(database, Transaction)


class Transaction:
    """One unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self.jobs = Jobs(connection)
        self.attempts = Attempts(connection)
        self.retired_folders = RetiredFolders(connection)
        self.outbox = Outbox(connection, outbox)


class Jobs:
    """The work queue."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, job_id: UUID, master: Master) -> bool:
        """Take a job in; answers whether it was new."""
        values = {"id": job_id, "status": Status.PENDING} | {name: getattr(master, name) for name in MASTER}
        added = insert(processing_jobs).values(**values).on_conflict_do_nothing().returning(processing_jobs.c.id)
        return (await self._connection.execute(added)).first() is not None

    async def find(self, job_id: UUID) -> Job | None:
        """Find a job."""
        return await self._one(select(processing_jobs).where(processing_jobs.c.id == job_id))

    async def list(
        self, artists: Collection[UUID] | None, track: UUID | None, status: Status | None, request: PageRequest
    ) -> Page[Job]:
        """List jobs, the newest first; None stands for any artist, track or status."""
        columns = processing_jobs.c
        statement = select(processing_jobs)
        if artists is not None:
            statement = statement.where(columns.artist_id.in_(artists))
        if track is not None:
            statement = statement.where(columns.track_id == track)
        if status is not None:
            statement = statement.where(columns.status == status)
        if after := request.keyset(datetime.fromisoformat, UUID):
            statement = statement.where(func.row(columns.created_at, columns.id) < func.row(*after))
        statement = statement.order_by(columns.created_at.desc(), columns.id.desc()).limit(request.limit)
        rows = (await self._connection.execute(statement)).all()
        page = request.page(rows, lambda row: (row.created_at.isoformat(), row.id))
        return Page([_job(row) for row in page.rows], page.next_token)

    async def find_silent_for_update(self) -> Lease | None:
        """Find and lock a job whose lease is over, unless another transaction has it."""
        columns = processing_jobs.c
        silent = (columns.status == Status.PROCESSING, columns.lease_until < func.now())
        job = await self._one(_first_free(columns.lease_until).where(*silent))
        return Lease(job, job.attempt_id) if job and job.attempt_id else None

    async def find_due_for_update(self) -> Job | None:
        """Find and lock the job that has waited longest, unless another transaction has it."""
        columns = processing_jobs.c
        due = (columns.status == Status.PENDING, columns.next_try_at <= func.now())
        return await self._one(_first_free(columns.next_try_at).where(*due))

    async def lease(self, job: Job, attempt_id: UUID, worker_pod: str, seconds: float) -> Job:
        """Give a job that this transaction has locked to a new attempt; its counter rises before the work."""
        values = {
            "status": Status.PROCESSING,
            "attempt": job.attempt + 1,
            "attempt_id": attempt_id,
            "worker_pod": worker_pod,
            "worker_deaths": job.worker_deaths,
            "lease_until": _from_now(seconds),
            "stage": None,
            "percent": 0,
        }
        return await self._change(values, processing_jobs.c.id == job.id)

    async def prolong(self, lease: Lease, seconds: float, stage: str, percent: int) -> None:
        """Keep a lease alive and tell how far the work is. Raises LeaseLostError."""
        await self._change({"lease_until": _from_now(seconds), "stage": stage, "percent": percent}, *_held(lease))

    async def complete(self, lease: Lease, facts: bytes) -> Job:
        """End a job well. Raises LeaseLostError."""
        values = {"status": Status.COMPLETED, "folder": lease.folder, "facts": facts, "percent": 100, "error_log": None}
        return await self._change(values | _NOTHING_LEFT, *_held(lease))

    async def fail(self, lease: Lease, failure: Failure) -> Job:
        """End a job for good. Raises LeaseLostError."""
        values = {"status": Status.FAILED} | _told(failure) | _NOTHING_LEFT
        return await self._change(values, *_held(lease))

    async def postpone(self, lease: Lease, seconds: float, failure: Failure) -> None:
        """Let a job wait for its next try. Raises LeaseLostError."""
        values = {"status": Status.PENDING, "next_try_at": _from_now(seconds), "error_log": failure.bounded_log}
        await self._change(values | _NOTHING_LEFT, *_held(lease))

    async def release(self, lease: Lease, seconds: float) -> None:
        """Give a job back as if it had not been tried. Raises LeaseLostError."""
        values = {"status": Status.PENDING, "next_try_at": _from_now(seconds), "attempt": lease.job.attempt - 1}
        await self._change(values | _NOTHING_LEFT, *_held(lease))

    async def _change(self, values: dict[str, Any], *where: ColumnElement[bool]) -> Job:
        changed = update(processing_jobs).where(*where).values(**values, updated_at=func.now())
        job = await self._one(changed.returning(processing_jobs))
        if job is None:
            raise LeaseLostError
        return job

    async def _one(self, statement: Any) -> Job | None:  # noqa: ANN401 (a select or an update with its rows)
        row = (await self._connection.execute(statement)).one_or_none()
        return _job(row) if row else None


class Attempts:
    """Who worked on what, and in which folder."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def start(self, lease: Lease, worker_pod: str) -> None:
        """Note an attempt."""
        values = {
            "attempt_id": lease.attempt_id,
            "job_id": lease.job.id,
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


_NOTHING_LEFT = {"lease_until": None, "stage": None}
"""What a job does not have while nobody works on it. Its attempt_id stays: it says whose result stands there."""


def _told(failure: Failure) -> dict[str, Any]:
    return {"reason": failure.reason, "message": failure.message, "error_log": failure.bounded_log}


def _held(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    """Match the job that an attempt holds. The status alone would let a woken zombie end the next attempt's work."""
    return (processing_jobs.c.attempt_id == lease.attempt_id, processing_jobs.c.status == Status.PROCESSING)


def _first_free(order: Column[datetime]) -> Select[Any]:
    return select(processing_jobs).order_by(order).limit(1).with_for_update(skip_locked=True)


def _from_now(seconds: float) -> ColumnElement[datetime]:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def _garbage(
    connection: AsyncConnection,
    table: Table,
    since: Column[datetime],
    grace_seconds: float,
    limit: int,
    *where: ColumnElement[bool],
) -> list[str]:
    due = (table.c.removed_at.is_(None), since < _from_now(-grace_seconds), *where)
    found = await connection.execute(select(table.c.folder).where(*due).order_by(since).limit(limit))
    return list(found.scalars())


async def _removed(connection: AsyncConnection, table: Table, folder: str) -> None:
    await connection.execute(update(table).where(table.c.folder == folder).values(removed_at=func.now()))


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        master=Master(**{name: getattr(row, name) for name in MASTER}),
        status=Status(row.status),
        stage=row.stage,
        percent=row.percent,
        attempt=row.attempt,
        attempt_id=row.attempt_id,
        worker_deaths=row.worker_deaths,
        reason=row.reason,
        message=row.message,
        error_log=row.error_log,
        folder=row.folder,
        facts=row.facts,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
