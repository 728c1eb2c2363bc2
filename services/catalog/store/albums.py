"""Rows of albums."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, Select, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Album, placeholder_cover
from services.catalog.store.visibility import album_visible
from services.catalog.tables import albums, artists, tracks
from services.common.pages import Page, PageRequest


class Albums:
    """Albums."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, artist_id: UUID, title: str, release_date: date, kind: str) -> UUID:
        """Make an album without a cover."""
        album_id = uuid4()
        values = {"id": album_id, "artist_id": artist_id, "title": title, "release_date": release_date, "type": kind}
        await self._connection.execute(insert(albums).values(**values, cover_url=placeholder_cover(album_id)))
        return album_id

    async def find(self, album_id: UUID, viewer: UUID | None) -> Album | None:
        """Find an album that the viewer may see."""
        statement = _albums(viewer).where(albums.c.id == album_id)
        row = (await self._connection.execute(statement)).one_or_none()
        return _album(row) if row else None

    async def lock(self, album_id: UUID) -> None:
        """Let others who lock the album wait until the end of the transaction."""
        await self._connection.execute(select(albums.c.id).where(albums.c.id == album_id).with_for_update())

    async def lock_of(self, track_id: UUID) -> UUID:
        """Lock the album of a track, and answer it. Raises for an unknown track."""
        of_track = select(tracks.c.album_id).where(tracks.c.id == track_id).scalar_subquery()
        statement = select(albums.c.id).where(albums.c.id == of_track).with_for_update()
        album_id: UUID = (await self._connection.execute(statement)).scalar_one()
        return album_id

    async def set_loudness(self, album_id: UUID, integrated_lufs: float | None) -> None:
        """Note how loud all tracks are together. Nobody changed the album by that, so it stays as old as it is."""
        statement = update(albums).where(albums.c.id == album_id).values(integrated_lufs=integrated_lufs)
        await self._connection.execute(statement)

    async def page(self, artist_id: UUID | None, viewer: UUID | None, request: PageRequest) -> Page[Album]:
        """List the albums, perhaps of one artist, that the viewer may see, the newest first."""
        statement = _albums(viewer)
        if artist_id is not None:
            statement = statement.where(albums.c.artist_id == artist_id)
        if after := request.keyset(date.fromisoformat, UUID):
            statement = statement.where(tuple_(albums.c.release_date, albums.c.id) < after)
        statement = statement.order_by(albums.c.release_date.desc(), albums.c.id.desc()).limit(request.limit)
        page = request.page((await self._connection.execute(statement)).all(), lambda row: (row.release_date, row.id))
        return Page([_album(row) for row in page.rows], page.next_token)

    async def change(self, album_id: UUID, values: Mapping[str, Any]) -> None:
        """Change columns of an album."""
        statement = update(albums).where(albums.c.id == album_id).values(**values, updated_at=func.now())
        await self._connection.execute(statement)


def _albums(viewer: UUID | None) -> Select[Any]:
    joined = albums.join(artists, artists.c.id == albums.c.artist_id)
    return select(albums).select_from(joined).where(album_visible(viewer))


def _album(row: Row[Any]) -> Album:
    return Album(
        id=row.id,
        artist_id=row.artist_id,
        title=row.title,
        release_date=row.release_date,
        cover_url=row.cover_url,
        cover_blur_hash=row.cover_blur_hash,
        type=row.type,
    )
