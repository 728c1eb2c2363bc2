"""Rows of refresh tokens and the sessions that they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, Select, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.pages import Page, PageRequest
from services.user.domain import Place, RefreshToken, Session, token_hash
from services.user.tables import refresh_tokens

MANY = 5000
"""Rows that one transaction changes when everybody is signed out."""


@dataclass(frozen=True)
class NewToken:
    """A refresh token to be stored."""

    token: str
    user_id: UUID
    place: Place
    expires_at: datetime


class Sessions:
    """Refresh tokens and the sessions that they make."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def start_family(self, new: NewToken) -> UUID:
        """Store the first token of a new session and answer the session's id."""
        family = uuid4()
        await self._connection.execute(insert(refresh_tokens).values(**_columns(new), family_id=family))
        return family

    async def find(self, token: str) -> RefreshToken | None:
        """Find a presented token; lock its user to rely on it."""
        columns = refresh_tokens.c
        statement = select(
            columns.id,
            columns.user_id,
            columns.family_id,
            columns.family_created_at,
            columns.expires_at,
            columns.revoked,
            columns.replaced_at,
        ).where(columns.token_hash == token_hash(token))
        row = (await self._connection.execute(statement)).one_or_none()
        return RefreshToken(**row._mapping) if row else None  # noqa: SLF001 (SQLAlchemy's documented name)

    async def replace(self, parent: RefreshToken, child: NewToken) -> None:
        """Exchange a token for its child."""
        columns = refresh_tokens.c
        await self._connection.execute(
            update(refresh_tokens).where(columns.id == parent.id).values(revoked=True, replaced_at=func.now())
        )
        family = {
            "family_id": parent.family_id,
            "family_created_at": parent.family_created_at,
            "parent_id": parent.id,
        }
        await self._connection.execute(insert(refresh_tokens).values(**_columns(child), **family))

    async def is_alive(self, token: str) -> bool:
        """Say whether a token is the newest of a session that goes on."""
        columns = refresh_tokens.c
        statement = select(columns.id).where(columns.token_hash == token_hash(token), *_alive())
        return (await self._connection.execute(statement)).first() is not None

    async def end(self, user_id: UUID, family_id: UUID) -> list[UUID]:
        """End a session of a user; answers its id, or nothing when it was not going on."""
        return await self._end(user_id, refresh_tokens.c.family_id == family_id)

    async def end_all(self, user_id: UUID, but: UUID | None = None) -> list[UUID]:
        """End every session of a user, `but` one; answers their ids."""
        kept = [] if but is None else [refresh_tokens.c.family_id != but]
        return await self._end(user_id, *kept)

    async def end_everybody(self) -> int:
        """End many sessions of whomever; answers how many, 0 when none is left."""
        columns = refresh_tokens.c
        some = select(columns.id).where(columns.revoked.is_(False)).limit(MANY)
        ended = await self._connection.execute(update(refresh_tokens).where(columns.id.in_(some)).values(revoked=True))
        return ended.rowcount

    async def _end(self, user_id: UUID, *which: ColumnElement[bool]) -> list[UUID]:
        columns = refresh_tokens.c
        ended = await self._connection.execute(
            update(refresh_tokens)
            .where(columns.user_id == user_id, columns.revoked.is_(False), *which)
            .values(revoked=True)
            .returning(columns.family_id)
        )
        return list(ended.scalars())

    async def find_family(self, family_id: UUID) -> Session | None:
        """Find a session that goes on."""
        row = (await self._connection.execute(_sessions().where(refresh_tokens.c.family_id == family_id))).one_or_none()
        return _session(row) if row else None

    async def page(self, user_id: UUID, request: PageRequest) -> Page[Session]:
        """List the sessions of a user that go on, the last used first."""
        columns = refresh_tokens.c
        statement = _sessions().where(columns.user_id == user_id)
        if last := request.keyset(datetime.fromisoformat, int):
            statement = statement.where(tuple_(columns.created_at, columns.id) < last)
        statement = statement.order_by(columns.created_at.desc(), columns.id.desc()).limit(request.limit)
        page = request.page(
            (await self._connection.execute(statement)).all(), lambda row: (row.created_at.isoformat(), row.id)
        )
        return Page([_session(row) for row in page.rows], page.next_token)


def _alive() -> Sequence[Any]:
    return (refresh_tokens.c.revoked.is_(False), refresh_tokens.c.expires_at > func.now())


def _sessions() -> Select[Any]:
    return select(refresh_tokens).where(*_alive())


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.family_id,
        user_id=row.user_id,
        place=Place(str(row.ip_address), row.device_info),
        created_at=row.family_created_at,
        last_used_at=row.created_at,
        expires_at=row.expires_at,
    )


def _columns(new: NewToken) -> dict[str, Any]:
    return {
        "user_id": new.user_id,
        "token_hash": token_hash(new.token),
        "ip_address": new.place.address,
        "device_info": new.place.device,
        "expires_at": new.expires_at,
    }
