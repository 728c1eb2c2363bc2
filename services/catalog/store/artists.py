"""Rows of artists."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Artist
from services.catalog.tables import artists, artists_by_name
from services.common.pages import Page, PageRequest


class Artists:
    """Artists."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, name: str, bio: str | None) -> UUID:
        """Make an artist."""
        added = await self._connection.execute(insert(artists).values(name=name, bio=bio).returning(artists.c.id))
        artist_id: UUID = added.scalar_one()
        return artist_id

    async def find(self, artist_id: UUID) -> Artist | None:
        """Find an artist."""
        row = (await self._connection.execute(_artists().where(artists.c.id == artist_id))).one_or_none()
        return artist_of(row) if row else None

    async def lock(self, artist_id: UUID) -> Artist | None:
        """Find an artist and let others who lock it wait until the end of the transaction."""
        statement = _artists().where(artists.c.id == artist_id).with_for_update()
        row = (await self._connection.execute(statement)).one_or_none()
        return artist_of(row) if row else None

    async def page(self, request: PageRequest) -> Page[Artist]:
        """List artists by name."""
        statement = _artists().add_columns(artists_by_name.label("sort_key"))
        if after := request.keyset(str, UUID):
            statement = statement.where(tuple_(artists_by_name, artists.c.id) > after)
        statement = statement.order_by(artists_by_name, artists.c.id).limit(request.limit)
        page = request.page((await self._connection.execute(statement)).all(), lambda row: (row.sort_key, row.id))
        return Page([artist_of(row) for row in page.rows], page.next_token)

    async def change(self, artist_id: UUID, values: Mapping[str, Any]) -> None:
        """Change columns of an artist."""
        statement = update(artists).where(artists.c.id == artist_id).values(**values, updated_at=func.now())
        await self._connection.execute(statement)

    async def missing(self, artist_ids: set[UUID]) -> set[UUID]:
        """Answer which of these artists do not exist."""
        statement = select(artists.c.id).where(artists.c.id.in_(artist_ids), artists.c.deleted_at.is_(None))
        return artist_ids - set((await self._connection.execute(statement)).scalars())


def _artists() -> Select[Any]:
    return select(artists).where(artists.c.deleted_at.is_(None))


def artist_of(row: Row[Any]) -> Artist:
    """Read an artist from a row with the columns of `artists`."""
    return Artist(
        id=row.id,
        name=row.name,
        bio=row.bio,
        avatar_url=row.avatar_url,
        avatar_blur_hash=row.avatar_blur_hash,
        is_verified=bool(row.is_verified),
    )
