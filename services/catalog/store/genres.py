"""Rows of genres."""

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Genre
from services.catalog.tables import genres
from services.common.pages import Page, PageRequest


class Genres:
    """Genres."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def page(self, request: PageRequest) -> Page[Genre]:
        """List genres by name."""
        statement = select(genres.c.id, genres.c.name)
        if after := request.keyset(str, int):
            statement = statement.where(tuple_(genres.c.name, genres.c.id) > after)
        statement = statement.order_by(genres.c.name, genres.c.id).limit(request.limit)
        page = request.page((await self._connection.execute(statement)).all(), lambda row: (row.name, row.id))
        return Page([Genre(row.id, row.name) for row in page.rows], page.next_token)

    async def missing(self, genre_ids: set[int]) -> set[int]:
        """Answer which of these genres do not exist."""
        statement = select(genres.c.id).where(genres.c.id.in_(genre_ids))
        return genre_ids - set((await self._connection.execute(statement)).scalars())
