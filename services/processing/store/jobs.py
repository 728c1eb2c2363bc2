"""The queue of masters."""

from collections.abc import Collection, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from services.common.pages import Page, PageRequest
from services.processing.domain import (
    HANDICAP_BYTES,
    LONGEST_HANDICAP_SECONDS,
    Failure,
    Job,
    Lease,
    Master,
    Status,
)
from services.processing.store.tasks import NOTHING_LEFT, Tasks, task_of, told
from services.processing.tables import processing_jobs, turns

MASTER = tuple(Master.__dataclass_fields__)
MADE = ("folder", "facts", "preview", "same_as")


class Jobs(Tasks[Job]):
    """The queue of masters."""

    _table = processing_jobs
    _anew = MappingProxyType({"preview": None})

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
        values = {"status": Status.FAILED} | told(failure)
        return await self._change(values | NOTHING_LEFT, processing_jobs.c.id == job_id)

    async def restart(self, job_id: UUID) -> Job:
        """Let a job that this transaction has locked begin anew, as if it had never been tried."""
        values = {"status": Status.PENDING, "next_try_at": func.now(), "attempt": 0, "attempt_id": None}
        told = {"worker_deaths": 0, "percent": 0, "reason": None, "message": None, "error_log": None}
        return await self._change(values | told, processing_jobs.c.id == job_id)

    async def show_preview(self, lease: Lease[Job], folder: str) -> None:
        """Let the artist hear what an attempt has encoded so far. Raises LeaseLostError."""
        await self._change({"preview": folder}, *self._held(lease))

    async def complete(self, lease: Lease[Job], facts: bytes, same_as: UUID | None) -> Job:
        """End a job well; `same_as` is another artist's track with the same recording. Raises LeaseLostError."""
        return await self._complete(lease, folder=lease.folder, facts=facts, same_as=same_as)

    @staticmethod
    def _read(row: Row[Any]) -> Job:
        master = Master(**{name: getattr(row, name) for name in MASTER})
        made = {name: getattr(row, name) for name in MADE}
        return Job(**task_of(row), master=master, **made)
