"""Rows of pictures of albums, artists and users."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, TextClause, and_, case, func, insert, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Failure
from services.catalog.domain.artworks import Artwork, ArtworkState, NewArtwork, Target
from services.catalog.tables import UNSTORED, albums, artists, artworks
from services.common.buckets import IMAGES

BATCH = 100
"""Pictures that a sweep takes at once."""

_OVERDUE = and_(artworks.c.state == ArtworkState.OPEN, artworks.c.expires_at <= func.now())
_STATE = case((_OVERDUE, ArtworkState.EXPIRED), else_=artworks.c.state)
"""The state; an overdue picture is EXPIRED before a sweep writes it down."""


class Artworks:
    """Pictures."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def new_id(self) -> UUID:
        """Make an id that is greater than those of all pictures that are older."""
        artwork_id: UUID = (await self._connection.execute(select(func.uuidv7()))).scalar_one()
        return artwork_id

    async def add(self, new: NewArtwork, life: timedelta) -> None:
        """Keep a picture that was opened in the object store."""
        values = vars(new) | {"target": new.target.name, "expires_at": func.now() + life}
        await self._connection.execute(insert(artworks).values(**values))

    async def count_unfinished(self, user_id: UUID) -> int:
        """Count the pictures of a user that are open or in work; others who count wait until the transaction ends."""
        await self._connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(user_id), 1))))
        columns = artworks.c
        unfinished = _STATE.in_([ArtworkState.OPEN, ArtworkState.PROCESSING])
        statement = select(func.count()).where(columns.created_by == user_id, unfinished)
        count: int = (await self._connection.execute(statement)).scalar_one()
        return count

    async def find(self, artwork_id: UUID) -> Artwork | None:
        """Find a picture."""
        row = (await self._connection.execute(_artworks().where(artworks.c.id == artwork_id))).one_or_none()
        return _artwork(row) if row else None

    async def shown(self) -> Sequence[str]:
        """List the keys of all pictures that albums and artists show."""
        keys = union(select(albums.c.cover_url), select(artists.c.avatar_url)).subquery()
        [column] = keys.c
        return (await self._connection.execute(select(column).where(column.startswith(f"{IMAGES}/")))).scalars().all()

    async def lock(self, artwork_id: UUID) -> Artwork:
        """Find a picture, and let others wait who lock one of the same target. Raises for an unknown one."""
        target = func.hashtextextended(artworks.c.target, 0)
        lock = select(func.pg_advisory_xact_lock(target)).where(artworks.c.id == artwork_id)
        await self._connection.execute(lock)
        statement = _artworks().where(artworks.c.id == artwork_id).with_for_update()
        return _artwork((await self._connection.execute(statement)).one())

    async def process(self, artwork_id: UUID) -> None:
        """Note that all bytes have arrived and that it was announced."""
        await self._change(artwork_id, state=ArtworkState.PROCESSING, announced_at=func.now())

    async def complete(self, artwork: Artwork, blur_hash: str) -> list[UUID]:
        """Note that a picture can be shown; answers which ones of its target are not shown any more.

        The newest one that can be shown is shown, so that it may be this one that is not; nor is one that was given
        up meanwhile. Lock it to rely on that.
        """
        values = {"blur_hash": blur_hash, "failure_reason": None, "failure_message": None, "announced_at": func.now()}
        if artwork.state is ArtworkState.EXPIRED:
            await self._change(artwork.id, state=ArtworkState.REPLACED, **values)
            return [artwork.id]
        await self._change(artwork.id, state=ArtworkState.COMPLETED, **values)
        columns = artworks.c
        shown = (columns.target == artwork.target.name, columns.state == ArtworkState.COMPLETED)
        newest = select(columns.id).where(*shown).order_by(columns.id.desc()).limit(1).scalar_subquery()
        replaced = update(artworks).where(*shown, columns.id < newest).values(state=ArtworkState.REPLACED)
        return list((await self._connection.execute(replaced.returning(columns.id))).scalars())

    async def fail(self, artwork_id: UUID, failure: Failure) -> None:
        """Note that a picture could not be used."""
        values = {"failure_reason": failure.reason, "failure_message": failure.message}
        await self._change(artwork_id, state=ArtworkState.FAILED, **values)

    async def give_up(self, target: Target) -> list[UUID]:
        """Show no picture of a target any more; answers which ones were shown."""
        columns = artworks.c
        of_target = columns.target == target.name
        unfinished = columns.state.in_([ArtworkState.OPEN, ArtworkState.PROCESSING])
        ended = update(artworks).where(of_target, unfinished).values(state=ArtworkState.EXPIRED)
        await self._connection.execute(ended)
        shown = update(artworks).where(of_target, columns.state == ArtworkState.COMPLETED)
        hidden = await self._connection.execute(shown.values(state=ArtworkState.REPLACED).returning(columns.id))
        return list(hidden.scalars())

    async def take_unfinished(self, age: timedelta) -> list[Artwork]:
        """Take pictures whose processing has not ended and that were announced longer than `age` ago."""
        return await self._take(age, artworks.c.state == ArtworkState.PROCESSING)

    async def take_unstored(self, age: timedelta) -> list[Artwork]:
        """Take pictures that the user service has not confirmed and that were announced longer than `age` ago."""
        return await self._take(age, UNSTORED)

    async def stored(self, artwork_id: UUID) -> None:
        """Note that the user service knows a picture."""
        await self._change(artwork_id, stored_at=func.now())

    async def expire(self) -> None:
        """Write down that pictures were not completed in time."""
        overdue = select(artworks.c.id).where(_OVERDUE).limit(BATCH).with_for_update(skip_locked=True)
        statement = update(artworks).where(artworks.c.id.in_(overdue)).values(state=ArtworkState.EXPIRED)
        await self._connection.execute(statement)

    async def left_over(self) -> list[Artwork]:
        """List pictures whose files are of no more use and may be left in the object store."""
        columns = artworks.c
        over = columns.state.not_in([ArtworkState.OPEN, ArtworkState.PROCESSING])
        statement = _artworks().where(over, columns.discarded_at.is_(None)).order_by(columns.id).limit(BATCH)
        return [_artwork(row) for row in (await self._connection.execute(statement)).all()]

    async def discarded(self, gone: Sequence[Artwork]) -> None:
        """Note that nothing of these files is left in the object store."""
        await self._set(gone, discarded_at=func.now())

    async def _take(self, age: timedelta, where: ColumnElement[bool] | TextClause) -> list[Artwork]:
        """Take pictures that were announced longer than `age` ago, to announce them again."""
        moment = artworks.c.announced_at
        statement = _artworks().where(where, moment < func.now() - age).order_by(moment).limit(BATCH)
        rows = (await self._connection.execute(statement.with_for_update(skip_locked=True))).all()
        taken = [_artwork(row) for row in rows]
        await self._set(taken, announced_at=func.now())
        return taken

    async def _change(self, artwork_id: UUID, **values: Any) -> None:  # noqa: ANN401 (columns are of any type)
        await self._connection.execute(update(artworks).where(artworks.c.id == artwork_id).values(**values))

    async def _set(self, changed: Sequence[Artwork], **values: Any) -> None:  # noqa: ANN401 (as above)
        ids = [artwork.id for artwork in changed]
        await self._connection.execute(update(artworks).where(artworks.c.id.in_(ids)).values(**values))


def _artworks() -> Select[Any]:
    return select(artworks, _STATE.label("effective_state"))


def _artwork(row: Row[Any]) -> Artwork:
    return Artwork(
        id=row.id,
        target=Target.parse(row.target),
        state=ArtworkState(row.effective_state),
        size_bytes=row.size_bytes,
        part_size_bytes=row.size_bytes,
        source_bucket=row.source_bucket,
        source_key=row.source_key,
        multipart_id=row.multipart_id,
        expires_at=row.expires_at,
        blur_hash=row.blur_hash,
        failure=Failure(row.failure_reason, row.failure_message) if row.failure_reason else None,
    )
