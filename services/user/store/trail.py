"""Rows of the trail that accounts leave."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, cast, delete, exists, func, insert, select, update
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

    async def add_attempt(self, email: str, place: Place) -> UUID:
        """Write that somebody failed to sign in, before it is known; without an account it is nobody's line."""
        owner = select(users.c.id).where(_belongs(email)).scalar_subquery()
        values = {"user_id": func.coalesce(owner, func.gen_random_uuid()), "type": EventType.SIGN_IN_FAILED}
        added = await self._connection.execute(
            insert(account_events).values(**values, **_columns(place)).returning(account_events.c.id)
        )
        attempt: UUID = added.scalar_one()
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
        """Say whether the owner of an account has come from a network before.

        Until the end of the transaction the account is not erased, so that no line is written after its end.
        """
        columns = account_events.c
        own = select(columns.id).join(users, users.c.id == columns.user_id).where(_belongs(email))
        own = own.where(columns.ip_address.op("<<=")(cast(network, INET)), columns.type.in_(OWN_PLACES))
        present = func.pg_advisory_xact_lock_shared(_turn(email))
        row = (await self._connection.execute(select(exists(own).label("found"), present))).one()
        return bool(row.found)

    async def erase(self, user_id: UUID, email: str) -> None:
        """Remove the trail of an account whose end has come; attempts that are being made end first."""
        await self._connection.execute(select(func.pg_advisory_xact_lock(_turn(email))))
        await self._connection.execute(delete(account_events).where(account_events.c.user_id == user_id))

    async def page(self, user_id: UUID, request: PageRequest) -> Page[AccountEvent]:
        """List what happened to an account, the newest first."""
        columns = account_events.c
        statement = select(account_events).where(columns.user_id == user_id)
        if last := request.keyset(UUID):
            statement = statement.where(columns.id < last[0])
        rows = (await self._connection.execute(statement.order_by(columns.id.desc()).limit(request.limit))).all()
        page = request.page(rows, lambda row: (row.id,))
        return Page([_event(row) for row in page.rows], page.next_token)


def _turn(email: str) -> Any:  # noqa: ANN401 (an expression, as SQLAlchemy takes them)
    return func.hashtextextended(func.lower(func.normalize(email)), 1)


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
