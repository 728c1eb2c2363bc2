"""Every SQL statement of the processing context. Only the database's clock counts."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Row, Select, Table, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.db import Database, UnitsOfWork
from services.common.outbox import Outbox
from services.common.pages import Page, PageRequest
from services.common.requests import Requests
from services.processing.domain import (
    HANDICAP_BYTES,
    LONGEST_HANDICAP_SECONDS,
    AnyTask,
    DeadLetter,
    Failure,
    Job,
    Lease,
    LeaseLostError,
    Master,
    Outcome,
    Picture,
    Source,
    Status,
    Task,
)
from services.processing.tables import (
    attempts,
    dead_letters,
    outbox,
    pictures,
    processing_jobs,
    request_ids,
    retired_folders,
    turns,
)

MASTER = tuple(Master.__dataclass_fields__)
TASK = tuple(Task.__dataclass_fields__)


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
        self.pictures = Pictures(connection)
        self.attempts = Attempts(connection)
        self.retired_folders = RetiredFolders(connection)
        self.dead_letters = DeadLetters(connection)
        self.outbox = Outbox(connection, outbox)
        self.requests = Requests(connection, request_ids)
        self._connection = connection

    async def now(self) -> datetime:
        """Read the database's clock."""
        now: datetime = (await self._connection.execute(select(func.now()))).scalar_one()
        return now


class Tasks(ABC, Generic[AnyTask]):
    """A work queue: rows that say who may write them, until when, and how often they were tried."""

    _table: Table

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    @staticmethod
    @abstractmethod
    def _read(row: Row[Any]) -> AnyTask:
        """Read a task from its row."""

    async def find(self, task_id: UUID) -> AnyTask | None:
        """Find a task."""
        return await self._one(select(self._table).where(self._table.c.id == task_id))

    async def find_silent_for_update(self) -> Lease[AnyTask] | None:
        """Find and lock a task whose lease is over, unless another transaction has it."""
        columns = self._table.c
        silent = (columns.status == Status.PROCESSING, columns.lease_until < func.now())
        task = await self._one(self._first_free(columns.lease_until).where(*silent))
        return Lease(task, task.attempt_id) if task and task.attempt_id else None

    async def find_due_for_update(self) -> AnyTask | None:
        """Find and lock the task that has waited longest, unless another transaction has it."""
        return await self._one(self._first_free(self._table.c.next_try_at).where(*self._due()))

    async def lease(self, task: Task, attempt_id: UUID, worker_pod: str, seconds: float) -> AnyTask:
        """Give a task that this transaction has locked to a new attempt; its counter rises before the work."""
        values = {
            "status": Status.PROCESSING,
            "attempt": task.attempt + 1,
            "attempt_id": attempt_id,
            "worker_pod": worker_pod,
            "worker_deaths": task.worker_deaths,
            "lease_until": _from_now(seconds),
            "stage": None,
            "percent": 0,
        }
        return await self._change(values, self._table.c.id == task.id)

    async def prolong(self, lease: Lease[AnyTask], seconds: float, stage: str, percent: int) -> None:
        """Keep a lease alive and write down how far the work is. Raises LeaseLostError."""
        await self._change({"lease_until": _from_now(seconds), "stage": stage, "percent": percent}, *self._held(lease))

    async def check(self, lease: Lease[AnyTask]) -> None:
        """Raise LeaseLostError unless the attempt still holds its task."""
        held = select(self._table.c.id).where(*self._held(lease))
        if (await self._connection.execute(held)).first() is None:
            raise LeaseLostError

    async def fail(self, lease: Lease[AnyTask], failure: Failure) -> AnyTask:
        """End a task for good. Raises LeaseLostError."""
        values = {"status": Status.FAILED} | _told(failure)
        return await self._change(values | _NOTHING_LEFT, *self._held(lease))

    async def postpone(self, lease: Lease[AnyTask], seconds: float, failure: Failure) -> None:
        """Let a task wait for its next try. Raises LeaseLostError."""
        values = {"status": Status.PENDING, "next_try_at": _from_now(seconds), "error_log": failure.bounded_log}
        await self._change(values | _NOTHING_LEFT, *self._held(lease))

    async def release(self, lease: Lease[AnyTask], seconds: float) -> None:
        """Give a task back as if it had not been tried. Raises LeaseLostError."""
        values = {"status": Status.PENDING, "next_try_at": _from_now(seconds), "attempt": lease.task.attempt - 1}
        await self._change(values | _NOTHING_LEFT, *self._held(lease))

    async def _complete(self, lease: Lease[AnyTask], **made: Any) -> AnyTask:  # noqa: ANN401 (columns are of any type)
        values = {"status": Status.COMPLETED, "percent": 100, "error_log": None, **made}
        return await self._change(values | _NOTHING_LEFT, *self._held(lease))

    async def _add(self, **values: Any) -> bool:  # noqa: ANN401 (as above)
        added = insert(self._table).values(status=Status.PENDING, **values).on_conflict_do_nothing()
        return (await self._connection.execute(added.returning(self._table.c.id))).first() is not None

    async def _change(self, values: dict[str, Any], *where: ColumnElement[bool]) -> AnyTask:
        changed = update(self._table).where(*where).values(**values, updated_at=func.now())
        task = await self._one(changed.returning(self._table))
        if task is None:
            raise LeaseLostError
        return task

    async def _one(self, statement: Any) -> AnyTask | None:  # noqa: ANN401 (a select or an update with its rows)
        row = (await self._connection.execute(statement)).one_or_none()
        return self._read(row) if row else None

    def _due(self) -> tuple[ColumnElement[bool], ...]:
        """Match the tasks that wait for a worker and whose time has come."""
        return (self._table.c.status == Status.PENDING, self._table.c.next_try_at <= func.now())

    def _first_free(self, order: Column[datetime]) -> Select[Any]:
        return select(self._table).order_by(order).limit(1).with_for_update(skip_locked=True)

    def _held(self, lease: Lease[AnyTask]) -> tuple[ColumnElement[bool], ...]:
        """Match the task that an attempt holds. By status alone a woken zombie would end the next attempt's work."""
        return (self._table.c.attempt_id == lease.attempt_id, self._table.c.status == Status.PROCESSING)


class Jobs(Tasks[Job]):
    """The queue of masters."""

    _table = processing_jobs

    async def add(self, job_id: UUID, master: Master) -> bool:
        """Take a job in; answers whether it was new."""
        return await self._add(id=job_id, **vars(master))

    async def find_due_for_update(self) -> Job | None:
        """Find and lock the job that is next in the line, unless another transaction has it.

        Artists take turns: a job waits since its time has come, or since its artist was last served. Short jobs may
        overtake long ones that have not waited much longer.
        """
        columns = processing_jobs.c
        waits_since = func.greatest(turns.c.taken_at, columns.next_try_at)
        handicap = func.least(LONGEST_HANDICAP_SECONDS, columns.size_bytes / HANDICAP_BYTES)
        line = (
            select(processing_jobs)
            .select_from(processing_jobs.outerjoin(turns, turns.c.artist_id == columns.artist_id))
            .where(*self._due())
            .order_by(waits_since + func.make_interval(0, 0, 0, 0, 0, 0, handicap), columns.next_try_at)
            .limit(1)
            .with_for_update(of=processing_jobs, skip_locked=True)
        )
        return await self._one(line)

    async def take_turn(self, artist_id: UUID) -> None:
        """Note that an artist was served."""
        taken = insert(turns).values(artist_id=artist_id)
        now = {"taken_at": func.now()}
        await self._connection.execute(taken.on_conflict_do_update(index_elements=[turns.c.artist_id], set_=now))

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
        return Page([self._read(row) for row in page.rows], page.next_token)

    async def changed(
        self,
        since: datetime | None,
        artists: Collection[UUID] | None = None,
        after: Job | None = None,
        limit: int | None = None,
    ) -> Sequence[Job]:
        """List jobs that have changed since a moment, or without one those that have not ended, in order of change.

        Any artist's when `artists` is None; those behind `after` when it is given.
        """
        columns = processing_jobs.c
        unfinished = columns.status.in_([Status.PENDING, Status.PROCESSING])
        statement = select(processing_jobs).where(columns.updated_at > since if since else unfinished)
        if artists is not None:
            statement = statement.where(columns.artist_id.in_(artists))
        if after is not None:
            statement = statement.where(func.row(columns.updated_at, columns.id) > func.row(after.updated_at, after.id))
        statement = statement.order_by(columns.updated_at, columns.id).limit(limit)
        return [self._read(row) for row in await self._connection.execute(statement)]

    async def lock(self, job_id: UUID) -> Job | None:
        """Find a job, and let others who lock it wait."""
        return await self._one(select(processing_jobs).where(processing_jobs.c.id == job_id).with_for_update())

    async def cancel(self, job_id: UUID, failure: Failure) -> Job:
        """End a job that this transaction has locked, whoever works on it."""
        values = {"status": Status.FAILED} | _told(failure)
        return await self._change(values | _NOTHING_LEFT, processing_jobs.c.id == job_id)

    async def restart(self, job_id: UUID) -> Job:
        """Let a job that this transaction has locked begin anew, as if it had never been tried."""
        values = {"status": Status.PENDING, "next_try_at": func.now(), "attempt": 0, "attempt_id": None}
        told = {"worker_deaths": 0, "percent": 0, "reason": None, "message": None, "error_log": None}
        return await self._change(values | told, processing_jobs.c.id == job_id)

    async def complete(self, lease: Lease[Job], facts: bytes) -> Job:
        """End a job well. Raises LeaseLostError."""
        return await self._complete(lease, folder=lease.folder, facts=facts)

    @staticmethod
    def _read(row: Row[Any]) -> Job:
        master = Master(**{name: getattr(row, name) for name in MASTER})
        return Job(**_task(row), master=master, folder=row.folder, facts=row.facts)


class Pictures(Tasks[Picture]):
    """The queue of pictures, and what became of them: their images are public until they are retired."""

    _table = pictures

    async def add(self, picture_id: UUID, source: Source) -> bool:
        """Take a picture in; answers whether it was new."""
        values = {"source_bucket": source.source_bucket, "source_key": source.source_key}
        return await self._add(id=picture_id, size_bytes=source.size_bytes, **values)

    async def complete(self, lease: Lease[Picture], blur_hash: str) -> Picture:
        """End a picture well. Raises LeaseLostError."""
        return await self._complete(lease, blur_hash=blur_hash)

    async def retire(self, picture_id: UUID) -> bool:
        """Note that a picture is not shown any more; answers whether it is known. Noting it again changes nothing."""
        moment = func.coalesce(pictures.c.retired_at, func.now())
        noted = update(pictures).where(pictures.c.id == picture_id).values(retired_at=moment)
        return (await self._connection.execute(noted)).rowcount > 0

    async def garbage(self, grace_seconds: float, limit: int) -> list[str]:
        """List folders of pictures that were retired, or have failed, more than `grace_seconds` ago."""
        columns, past = pictures.c, _from_now(-grace_seconds)
        useless = or_(columns.retired_at < past, and_(columns.status == Status.FAILED, columns.updated_at < past))
        statement = select(columns.id).where(useless, columns.removed_at.is_(None)).order_by(columns.updated_at)
        return [str(picture_id) for picture_id in (await self._connection.execute(statement.limit(limit))).scalars()]

    async def removed(self, folder: str) -> None:
        """Note that a folder is gone."""
        gone = update(pictures).where(pictures.c.id == UUID(folder)).values(removed_at=func.now())
        await self._connection.execute(gone)

    @staticmethod
    def _read(row: Row[Any]) -> Picture:
        source = Source(row.source_bucket, row.source_key, row.size_bytes, sha256=None)
        return Picture(**_task(row), source=source, blur_hash=row.blur_hash)


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


class DeadLetters:
    """What was given up and waits for a person. Events are put here by `DeadEvents`."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add_job(self, job_id: UUID, error: str) -> None:
        """Put a job aside."""
        await self._connection.execute(insert(dead_letters).values(job_id=job_id, error=error))

    async def find(self, letter_id: UUID) -> DeadLetter | None:
        """Find a letter."""
        statement = select(dead_letters).where(dead_letters.c.id == letter_id)
        row = (await self._connection.execute(statement)).one_or_none()
        return DeadLetter(**row._mapping) if row else None  # noqa: SLF001 (the documented way to the names)

    async def list(self, request: PageRequest) -> Page[DeadLetter]:
        """List letters, the newest first."""
        columns = dead_letters.c
        statement = select(dead_letters)
        if after := request.keyset(datetime.fromisoformat, UUID):
            statement = statement.where(func.row(columns.created_at, columns.id) < func.row(*after))
        statement = statement.order_by(columns.created_at.desc(), columns.id.desc()).limit(request.limit)
        rows = (await self._connection.execute(statement)).all()
        page = request.page(rows, lambda row: (row.created_at.isoformat(), row.id))
        return Page([DeadLetter(**row._mapping) for row in page.rows], page.next_token)  # noqa: SLF001 (as above)

    async def remove(self, letter_id: UUID) -> bool:
        """Throw a letter away; answers whether it was there."""
        gone = delete(dead_letters).where(dead_letters.c.id == letter_id)
        return (await self._connection.execute(gone)).rowcount > 0

    async def remove_job(self, job_id: UUID) -> None:
        """Throw the letter of a job away, if it has one."""
        await self._connection.execute(delete(dead_letters).where(dead_letters.c.job_id == job_id))


_NOTHING_LEFT = {"lease_until": None, "stage": None}
"""What a task does not have while nobody works on it. Its attempt_id stays: it says whose result stands there."""


def _told(failure: Failure) -> dict[str, Any]:
    return {"reason": failure.reason, "message": failure.message, "error_log": failure.bounded_log}


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


def _task(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TASK} | {"status": Status(row.status)}
