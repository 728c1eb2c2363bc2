"""Rows of the trail that accounts leave."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, cast, delete, exists, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.pages import Page, PageRequest
from services.user.domain import OWN_PLACES, AccountEvent, EventType, Place
from services.user.tables import account_events, users


class Trail:
    """What happened to accounts."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, user_id: UUID, kind: EventType, place: Place | None, session: UUID | None = None) -> None:
        """Write a line; what an administrator did has no place."""
        values = {"user_id": user_id, "type": kind, "session_id": session, **_columns(place)}
        await self._connection.execute(insert(account_events).values(**values))

    async def add_attempt(self, email: str, place: Place) -> UUID | None:
        """Write that somebody failed to sign in, before it is known; nothing when there is no such account."""
        columns = {"type": EventType.SIGN_IN_FAILED, **_columns(place)}
        line = select(users.c.id, *(literal(value, account_events.c[name].type) for name, value in columns.items()))
        # Locked, so that an account that is erased at this moment gets no line instead of an error.
        present = line.where(_belongs(email)).with_for_update(read=True, key_share=True)
        added = await self._connection.execute(
            insert(account_events).from_select(["user_id", *columns], present).returning(account_events.c.id)
        )
        attempt: UUID | None = added.scalar_one_or_none()
        return attempt

    async def succeeded(self, attempt: UUID, session: UUID) -> None:
        """Write that an attempt became a session."""
        columns = account_events.c
        values = {"type": EventType.SIGNED_IN, "session_id": session}
        await self._connection.execute(update(account_events).where(columns.id == attempt).values(**values))

    async def remove(self, attempt: UUID) -> None:
        """Remove an attempt that did not fail."""
        await self._connection.execute(delete(account_events).where(account_events.c.id == attempt))

    async def is_own_network(self, email: str, network: str) -> bool:
        """Say whether the owner of an account has come from a network before."""
        columns = account_events.c
        own = select(columns.id).join(users, users.c.id == columns.user_id).where(_belongs(email))
        own = own.where(columns.ip_address.op("<<=")(cast(network, INET)), columns.type.in_(OWN_PLACES))
        found: bool = (await self._connection.execute(select(exists(own)))).scalar_one()
        return found

    async def page(self, user_id: UUID, request: PageRequest) -> Page[AccountEvent]:
        """List what happened to an account, the newest first."""
        columns = account_events.c
        statement = select(account_events).where(columns.user_id == user_id)
        if last := request.keyset(UUID):
            statement = statement.where(columns.id < last[0])
        rows = (await self._connection.execute(statement.order_by(columns.id.desc()).limit(request.limit))).all()
        page = request.page(rows, lambda row: (row.id,))
        return Page([_event(row) for row in page.rows], page.next_token)


def _belongs(email: str) -> ColumnElement[bool]:
    return func.lower(func.normalize(users.c.email)) == func.lower(func.normalize(email))


def _columns(place: Place | None) -> dict[str, Any]:
    return {"ip_address": place.address, "device_info": place.device} if place else {}


def _event(row: Row[Any]) -> AccountEvent:
    return AccountEvent(
        id=row.id,
        user_id=row.user_id,
        type=EventType(row.type),
        place=Place(str(row.ip_address), row.device_info) if row.ip_address else None,
        session_id=row.session_id,
        created_at=row.created_at,
    )
