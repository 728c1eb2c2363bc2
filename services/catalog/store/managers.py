"""Rows of managers: who may do what for which artist."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation
from sqlalchemy import Row, delete, exists, insert, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import ALL, Artist, Manager, manager_exists
from services.catalog.store.artists import artist_of
from services.catalog.tables import artist_managers, artists, artists_by_name
from services.common.pages import Page, PageRequest


class Managers:
    """Managers."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, artist_id: UUID, user_id: UUID, permissions: Sequence[str]) -> None:
        """Let a user manage an artist; refuses one who does already."""
        values = {"artist_id": artist_id, "user_id": user_id, "permissions": list(permissions)}
        try:
            await self._connection.execute(insert(artist_managers).values(**values))
        except IntegrityError as error:
            if isinstance(error.orig, UniqueViolation):
                raise manager_exists(artist_id, user_id) from error
            raise

    async def find(self, artist_id: UUID, user_id: UUID) -> Manager | None:
        """Find a manager of an artist."""
        statement = select(artist_managers).where(*_is(artist_id, user_id))
        row = (await self._connection.execute(statement)).one_or_none()
        return _manager(row) if row else None

    async def granted(self, artist_id: UUID, user_id: UUID) -> tuple[str, ...]:
        """Answer what a user may do for an artist; nothing when there is no such artist or it is frozen."""
        columns = artist_managers.c
        statement = (
            select(columns.permissions)
            .join(artists, artists.c.id == columns.artist_id)
            .where(*_is(artist_id, user_id), artists.c.deleted_at.is_(None), _is_led(columns.artist_id))
        )
        return tuple((await self._connection.execute(statement)).scalar_one_or_none() or ())

    async def is_frozen_for(self, artist_id: UUID, user_id: UUID) -> bool:
        """Say whether a user manages an artist for whom nobody has ALL any more."""
        here = exists().where(*_is(artist_id, user_id))
        frozen: bool = (await self._connection.execute(select(here & ~_is_led(artist_id)))).scalar_one()
        return frozen

    async def page(self, artist_id: UUID, request: PageRequest) -> Page[Manager]:
        """List the managers of an artist, the first one first."""
        columns = artist_managers.c
        statement = select(artist_managers).where(columns.artist_id == artist_id)
        if after := request.keyset(int):
            statement = statement.where(columns.id > after[0])
        rows = (await self._connection.execute(statement.order_by(columns.id).limit(request.limit))).all()
        page = request.page(rows, lambda row: (row.id,))
        return Page([_manager(row) for row in page.rows], page.next_token)

    async def is_last(self, artist_id: UUID, user_id: UUID) -> bool:
        """Say whether nobody but this user has ALL; lock the artist to rely on it."""
        columns = artist_managers.c
        others = exists().where(
            columns.artist_id == artist_id, columns.user_id != user_id, columns.permissions.contains([ALL])
        )
        return not (await self._connection.execute(select(others))).scalar_one()

    async def remove(self, artist_id: UUID, user_id: UUID) -> None:
        """Let a user manage an artist no more."""
        await self._connection.execute(delete(artist_managers).where(*_is(artist_id, user_id)))

    async def remove_everywhere(self, user_id: UUID) -> None:
        """Let a user manage no artist any more."""
        await self._connection.execute(delete(artist_managers).where(artist_managers.c.user_id == user_id))

    async def sole_artists(self, user_id: UUID, limit: int) -> list[UUID]:
        """List artists for whom nobody else has ALL."""
        mine, other = artist_managers.alias("mine"), artist_managers.alias("other")
        others = exists().where(
            other.c.artist_id == mine.c.artist_id, other.c.user_id != user_id, other.c.permissions.contains([ALL])
        )
        statement = (
            select(mine.c.artist_id)
            .join(artists, artists.c.id == mine.c.artist_id)
            .where(mine.c.user_id == user_id, mine.c.permissions.contains([ALL]), artists.c.deleted_at.is_(None))
            .where(~others)
            .order_by(mine.c.id)
            .limit(limit)
        )
        return list((await self._connection.execute(statement)).scalars())

    async def artists_of(self, user_id: UUID, request: PageRequest) -> Page[tuple[Artist, tuple[str, ...]]]:
        """List the artists that a user manages, by name, with the permissions."""
        statement = (
            select(artists, artist_managers.c.permissions, artists_by_name.label("sort_key"))
            .join(artist_managers, artist_managers.c.artist_id == artists.c.id)
            .where(artist_managers.c.user_id == user_id, artists.c.deleted_at.is_(None))
        )
        if after := request.keyset(str, UUID):
            statement = statement.where(tuple_(artists_by_name, artists.c.id) > after)
        statement = statement.order_by(artists_by_name, artists.c.id).limit(request.limit)
        page = request.page((await self._connection.execute(statement)).all(), lambda row: (row.sort_key, row.id))
        return Page([(artist_of(row), tuple(row.permissions or ())) for row in page.rows], page.next_token)

    async def grants_of(self, user_id: UUID) -> list[tuple[UUID, tuple[str, ...]]]:
        """List every artist that a user manages, with the permissions."""
        columns = artist_managers.c
        statement = (
            select(columns.artist_id, columns.permissions)
            .join(artists, artists.c.id == columns.artist_id)
            .where(columns.user_id == user_id, artists.c.deleted_at.is_(None), _is_led(columns.artist_id))
            .order_by(columns.id)
        )
        rows = (await self._connection.execute(statement)).all()
        return [(row.artist_id, tuple(row.permissions or ())) for row in rows]


def _is(artist_id: UUID, user_id: UUID) -> tuple[Any, ...]:
    return (artist_managers.c.artist_id == artist_id, artist_managers.c.user_id == user_id)


def _is_led(artist_id: Any) -> Any:  # noqa: ANN401 (a column or a value, as SQLAlchemy takes them)
    leader = artist_managers.alias("leader")
    return exists().where(leader.c.artist_id == artist_id, leader.c.permissions.contains([ALL]))


def _manager(row: Row[Any]) -> Manager:
    return Manager(
        id=row.id,
        artist_id=row.artist_id,
        user_id=row.user_id,
        permissions=tuple(row.permissions or ()),
        created_at=row.created_at,
    )
