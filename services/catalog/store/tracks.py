"""Rows of tracks, with the names and the genres on them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, ScalarSelect, Select, case, delete, func, insert, null, select, tuple_, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Audio, Credit, Failure, Master, Playback, Track, draft_key
from services.catalog.store.visibility import track_visible
from services.catalog.tables import albums, artists, track_artists, track_genres, tracks
from services.common.pages import Page, PageRequest

WITH_OWNER = tracks.join(albums, albums.c.id == tracks.c.album_id).join(artists, artists.c.id == albums.c.artist_id)
"""Tracks with their album and the artist who owns it."""


class Tracks:
    """Tracks."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, album_id: UUID, title: str, track_number: int) -> UUID:
        """Make a draft."""
        track_id = uuid4()
        values = {"id": track_id, "album_id": album_id, "title": title, "track_number": track_number}
        await self._connection.execute(insert(tracks).values(**values, duration_sec=0, file_key=draft_key(track_id)))
        return track_id

    async def next_number(self, album_id: UUID, *, without: UUID | None = None) -> int:
        """Answer the place after the last track, `without` one of them; lock the album to rely on it."""
        statement = select(func.coalesce(func.max(tracks.c.track_number), 0) + 1).where(
            tracks.c.album_id == album_id, tracks.c.id.is_distinct_from(without), tracks.c.deleted_at.is_(None)
        )
        number: int = (await self._connection.execute(statement)).scalar_one()
        return number

    async def find(self, track_id: UUID, viewer: UUID | None) -> Track | None:
        """Find a track that the viewer may see."""
        row = (await self._connection.execute(_tracks(viewer).where(tracks.c.id == track_id))).one_or_none()
        return _track(row) if row else None

    async def page(
        self, album_id: UUID | None, artist_id: UUID | None, viewer: UUID | None, request: PageRequest
    ) -> Page[Track]:
        """List tracks that the viewer may see: those of an album by number, otherwise the newest first.

        `artist_id` leaves those that name the artist.
        """
        statement = _tracks(viewer)
        if artist_id is not None:
            named = select(track_artists.c.track_id).where(track_artists.c.artist_id == artist_id)
            statement = statement.where(tracks.c.id.in_(named))
        if album_id is not None:
            return await self._by_number(statement.where(tracks.c.album_id == album_id), request)
        return await self._newest_first(statement, request)

    async def change(self, track_id: UUID, values: Mapping[str, Any]) -> None:
        """Change columns of a track."""
        statement = update(tracks).where(tracks.c.id == track_id).values(**values, updated_at=func.now())
        await self._connection.execute(statement)

    async def set_credits(self, track_id: UUID, named: Sequence[Credit]) -> None:
        """Write who is named on a track."""
        await self._connection.execute(delete(track_artists).where(track_artists.c.track_id == track_id))
        rows = [
            {
                "track_id": track_id,
                "artist_id": credit.artist_id,
                "artist_type": credit.type,
                "display_order": credit.display_order,
            }
            for credit in named
        ]
        await self._connection.execute(insert(track_artists), rows)

    async def set_genres(self, track_id: UUID, genre_ids: Sequence[int]) -> None:
        """Write the genres of a track."""
        await self._connection.execute(delete(track_genres).where(track_genres.c.track_id == track_id))
        if genre_ids:
            rows = [{"track_id": track_id, "genre_id": genre_id} for genre_id in genre_ids]
            await self._connection.execute(insert(track_genres), rows)

    async def lock_master(self, track_id: UUID) -> Master:
        """Find the audio of a track, and let others who lock it wait. Raises for an unknown track."""
        statement = select(tracks.c.id, tracks.c.file_key).where(tracks.c.id == track_id).with_for_update()
        row = (await self._connection.execute(statement)).one()
        return Master(row.id, row.file_key)

    async def take_master(self, track_id: UUID, job: UUID) -> int:
        """Note that a new master has arrived; answers its generation."""
        statement = (
            update(tracks)
            .where(tracks.c.id == track_id)
            .values(
                master_generation=tracks.c.master_generation + 1,
                job=job,
                failure_reason=None,
                failure_message=None,
                updated_at=func.now(),
            )
            .returning(tracks.c.master_generation)
        )
        generation: int = (await self._connection.execute(statement)).scalar_one()
        return generation

    async def publish(self, track_id: UUID, generation: int, folder: str, duration_sec: int, facts: bytes) -> bool:
        """Switch to the audio of a master unless a newer one is played already; answers whether it was switched."""
        newest = tracks.c.master_generation == generation
        statement = (
            update(tracks)
            .where(tracks.c.id == track_id, tracks.c.published_generation < generation, tracks.c.deleted_at.is_(None))
            .values(
                is_available=True,
                duration_sec=duration_sec,
                file_key=folder,
                published_generation=generation,
                audio_facts=facts,
                failure_reason=case((newest, null()), else_=tracks.c.failure_reason),
                failure_message=case((newest, null()), else_=tracks.c.failure_message),
                updated_at=func.now(),
            )
            .returning(tracks.c.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def fail(self, track_id: UUID, generation: int, failure: Failure | None) -> None:
        """Note that a master could not be used, or None that it may be after all, unless a newer one has arrived."""
        reason, message = (failure.reason, failure.message) if failure else (None, None)
        values = {"failure_reason": reason, "failure_message": message, "updated_at": func.now()}
        newest = (tracks.c.id == track_id, tracks.c.master_generation == generation)
        await self._connection.execute(update(tracks).where(*newest).values(**values))

    async def audible(self, after: UUID | None, limit: int) -> Sequence[Audio]:
        """List what can be heard, whoever may see it, in the order of ids; `after` that of the last one before."""
        statement = select(tracks.c.id, tracks.c.file_key, tracks.c.audio_facts).where(tracks.c.is_available)
        if after:
            statement = statement.where(tracks.c.id > after)
        rows = await self._connection.execute(statement.order_by(tracks.c.id).limit(limit))
        return [Audio(*row) for row in rows]

    async def lose(self, track_ids: Sequence[UUID], failure: Failure) -> None:
        """Note that tracks cannot be heard any more, and why."""
        values = {"is_available": False, "failure_reason": failure.reason, "failure_message": failure.message}
        lost = update(tracks).where(tracks.c.id.in_(track_ids))
        await self._connection.execute(lost.values(**values, updated_at=func.now()))

    async def remove(self, track_id: UUID) -> None:
        """Take a track away; the row stays because plays refer to it."""
        values = {"deleted_at": func.now(), "updated_at": func.now(), "is_available": False}
        await self._connection.execute(update(tracks).where(tracks.c.id == track_id).values(**values))

    async def playback(self, track_id: UUID, viewer: UUID) -> Playback | None:
        """Find what is played when the viewer listens to a track; None when there is nothing for this viewer."""
        statement = (
            select(
                tracks.c.file_key,
                tracks.c.audio_facts,
                albums.c.artist_id,
                albums.c.integrated_lufs,
                _CREDITS.label("credits"),
            )
            .select_from(WITH_OWNER)
            .where(tracks.c.id == track_id, tracks.c.is_available, track_visible(viewer))
        )
        row = (await self._connection.execute(statement)).one_or_none()
        if row is None:
            return None
        others = [credit.artist_id for credit in _credits(row.credits) if credit.artist_id != row.artist_id]
        return Playback(row.file_key, row.audio_facts, (row.artist_id, *others), row.integrated_lufs)

    async def audible_facts(self, album_id: UUID) -> Sequence[bytes]:
        """List the facts of the tracks of an album that can be heard, serialized."""
        audible = (tracks.c.is_available, tracks.c.deleted_at.is_(None), tracks.c.audio_facts.is_not(None))
        statement = select(tracks.c.audio_facts).where(tracks.c.album_id == album_id, *audible)
        return (await self._connection.execute(statement)).scalars().all()

    async def _by_number(self, statement: Select[Any], request: PageRequest) -> Page[Track]:
        if after := request.keyset(int, UUID):
            statement = statement.where(tuple_(tracks.c.track_number, tracks.c.id) > after)
        statement = statement.order_by(tracks.c.track_number, tracks.c.id).limit(request.limit)
        page = request.page((await self._connection.execute(statement)).all(), lambda row: (row.track_number, row.id))
        return Page([_track(row) for row in page.rows], page.next_token)

    async def _newest_first(self, statement: Select[Any], request: PageRequest) -> Page[Track]:
        if after := request.keyset(datetime.fromisoformat, UUID):
            statement = statement.where(tuple_(tracks.c.created_at, tracks.c.id) < after)
        statement = statement.order_by(tracks.c.created_at.desc(), tracks.c.id.desc()).limit(request.limit)
        page = request.page((await self._connection.execute(statement)).all(), lambda row: (row.created_at, row.id))
        return Page([_track(row) for row in page.rows], page.next_token)


def _credits_of_track() -> ScalarSelect[Any]:
    named = artists.alias("named")
    columns = track_artists.c
    credit = func.jsonb_build_array(columns.artist_id, columns.artist_type, columns.display_order, named.c.name)
    ordered = aggregate_order_by(credit, columns.display_order, columns.artist_id)
    return (
        select(func.jsonb_agg(ordered))
        .select_from(track_artists.join(named, named.c.id == columns.artist_id))
        .where(columns.track_id == tracks.c.id)
        .scalar_subquery()
    )


def _genres_of_track() -> ScalarSelect[Any]:
    columns = track_genres.c
    ordered = aggregate_order_by(columns.genre_id, columns.genre_id)
    return select(func.array_agg(ordered)).where(columns.track_id == tracks.c.id).scalar_subquery()


_CREDITS = _credits_of_track()
_GENRES = _genres_of_track()


def _tracks(viewer: UUID | None) -> Select[Any]:
    columns = (tracks, albums.c.artist_id, _CREDITS.label("credits"), _GENRES.label("genres"))
    return select(*columns).select_from(WITH_OWNER).where(track_visible(viewer))


def _credits(rows: Sequence[Any] | None) -> tuple[Credit, ...]:
    return tuple(Credit(UUID(artist), kind, order, name) for artist, kind, order, name in rows or ())


def _track(row: Row[Any]) -> Track:
    return Track(
        id=row.id,
        album_id=row.album_id,
        artist_id=row.artist_id,
        title=row.title,
        duration_sec=row.duration_sec,
        track_number=row.track_number,
        credits=_credits(row.credits),
        genres=tuple(row.genres or ()),
        is_available=bool(row.is_available),
        job=row.job,
        failure=Failure(row.failure_reason, row.failure_message) if row.failure_reason else None,
    )
