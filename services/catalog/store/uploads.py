"""Rows of uploads of masters."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain.uploads import NewUpload, Outcome, Upload, UploadState
from services.catalog.store.tracks import WITH_OWNER
from services.catalog.store.visibility import TRACK_EXISTS
from services.catalog.tables import albums, tracks, uploads

BATCH = 100
"""Uploads that a sweep takes at once."""

_OVERDUE = and_(uploads.c.state == UploadState.OPEN, uploads.c.expires_at <= func.now())
_STATE = case((_OVERDUE, UploadState.EXPIRED), else_=uploads.c.state)
"""The state; an overdue upload is EXPIRED before a sweep writes it down."""


class Uploads:
    """Uploads."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, new: NewUpload, life: timedelta) -> None:
        """Keep an upload that was opened in the object store."""
        values = vars(new) | {"expires_at": func.now() + life}
        await self._connection.execute(insert(uploads).values(**values))

    async def count_open(self, user_id: UUID) -> int:
        """Count the open uploads of a user; others who count them wait until the end of the transaction."""
        await self._connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(user_id), 0))))
        columns = uploads.c
        statement = select(func.count()).where(
            columns.created_by == user_id, columns.state == UploadState.OPEN, columns.expires_at > func.now()
        )
        count: int = (await self._connection.execute(statement)).scalar_one()
        return count

    async def find(self, upload_id: UUID) -> Upload | None:
        """Find an upload for a track that exists."""
        return await self._one(_live().where(uploads.c.id == upload_id))

    async def lock(self, upload_id: UUID) -> Upload | None:
        """Find an upload for a track that exists, and let others who lock it wait."""
        return await self._one(_live().where(uploads.c.id == upload_id).with_for_update(of=uploads))

    async def complete(self, upload_id: UUID, generation: int, sha256: str | None) -> None:
        """Note that all bytes have arrived and that it was announced."""
        values = {"state": UploadState.COMPLETED, "generation": generation, "sha256": sha256}
        moments = {"completed_at": func.now(), "announced_at": func.now()}
        await self._connection.execute(update(uploads).where(uploads.c.id == upload_id).values(**values, **moments))

    async def abort(self, upload_id: UUID) -> None:
        """Note that it was given up."""
        await self._connection.execute(
            update(uploads).where(uploads.c.id == upload_id).values(state=UploadState.ABORTED)
        )

    async def outcome(self, upload_id: UUID) -> Outcome | None:
        """Answer how processing has ended; None before. Raises for an unknown upload."""
        statement = select(uploads.c.outcome).where(uploads.c.id == upload_id)
        outcome: str | None = (await self._connection.execute(statement)).scalar_one()
        return Outcome(outcome) if outcome else None

    async def conclude(self, upload_id: UUID, outcome: Outcome) -> None:
        """Note how processing has ended."""
        statement = update(uploads).where(uploads.c.id == upload_id).values(outcome=outcome, outcome_at=func.now())
        await self._connection.execute(statement)

    async def reopen(self, upload_id: UUID) -> None:
        """Note that processing has begun anew."""
        values = {"outcome": None, "outcome_at": None, "announced_at": func.now()}
        await self._connection.execute(update(uploads).where(uploads.c.id == upload_id).values(**values))

    async def take_unfinished(self, age: timedelta) -> list[Upload]:
        """Take uploads whose processing has not ended and that were announced longer than `age` ago."""
        columns = uploads.c
        pending = (columns.state == UploadState.COMPLETED, columns.outcome.is_(None))
        statement = (
            _uploads()
            .where(*pending, columns.announced_at < func.now() - age)
            .order_by(columns.announced_at)
            .limit(BATCH)
            .with_for_update(of=uploads, skip_locked=True)
        )
        taken = [_upload(row) for row in (await self._connection.execute(statement)).all()]
        await self._set(taken, announced_at=func.now())
        return taken

    async def expire(self) -> None:
        """Write down that uploads were not completed in time."""
        overdue = select(uploads.c.id).where(_OVERDUE).limit(BATCH).with_for_update(skip_locked=True)
        statement = update(uploads).where(uploads.c.id.in_(overdue)).values(state=UploadState.EXPIRED)
        await self._connection.execute(statement)

    async def left_over(self) -> list[Upload]:
        """List uploads that are given up and may have left bytes in the object store."""
        columns = uploads.c
        given_up = columns.state.in_([UploadState.ABORTED, UploadState.EXPIRED])
        statement = _uploads().where(given_up, columns.discarded_at.is_(None)).order_by(columns.id).limit(BATCH)
        return [_upload(row) for row in (await self._connection.execute(statement)).all()]

    async def discarded(self, gone: Sequence[Upload]) -> None:
        """Note that nothing of these is left in the object store."""
        await self._set(gone, discarded_at=func.now())

    async def _set(self, changed: Sequence[Upload], **values: Any) -> None:  # noqa: ANN401 (columns are of any type)
        ids = [upload.id for upload in changed]
        await self._connection.execute(update(uploads).where(uploads.c.id.in_(ids)).values(**values))

    async def _one(self, statement: Select[Any]) -> Upload | None:
        row = (await self._connection.execute(statement)).one_or_none()
        return _upload(row) if row else None


def _uploads() -> Select[Any]:
    joined = uploads.join(WITH_OWNER, tracks.c.id == uploads.c.track_id)
    return select(uploads, _STATE.label("effective_state"), albums.c.artist_id).select_from(joined)


def _live() -> Select[Any]:
    return _uploads().where(TRACK_EXISTS)


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        track_id=row.track_id,
        artist_id=row.artist_id,
        state=UploadState(row.effective_state),
        filename=row.filename,
        size_bytes=row.size_bytes,
        part_size_bytes=row.part_size_bytes,
        source_bucket=row.source_bucket,
        source_key=row.source_key,
        multipart_id=row.multipart_id,
        expires_at=row.expires_at,
        generation=row.generation,
        sha256=row.sha256,
    )
