"""Rows of mails that have to be sent, and of the links in them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, delete, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.user.domain import Link, Mail, MailKind, composed, link_hash
from services.user.tables import links, mails

AGAIN_AFTER = timedelta(minutes=1)
"""A second mail of the same kind to the same address is not sent before, so that nobody can be flooded."""
MOST_A_DAY = 10
FIRST_DELAY = timedelta(seconds=15)
"""When a mail that was not taken is tried again: later than the longest try may end. Each time it doubles."""
LONGEST_DOUBLING = 8


class Mails:
    """Mails on their way."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, kind: MailKind, address: str, language: str, user_id: UUID | None = None) -> None:
        """Have a mail sent, unless the same one went to the address a moment ago or too often today."""
        columns = mails.c
        address = composed(address)
        # Those who want the same mail at once take their turn, so that each sees what the one before has written.
        turn = func.hashtextextended(func.lower(f"{kind} {address}"), 0)
        await self._connection.execute(select(func.pg_advisory_xact_lock(turn)))
        same = select(columns.id).where(_is_to(address), columns.kind == kind)
        recent = exists(same.where(columns.created_at > func.now() - AGAIN_AFTER))
        today = same.where(columns.created_at > func.now() - timedelta(days=1)).subquery()
        count = select(func.count()).select_from(today).scalar_subquery()
        row = select(
            literal(kind.value),
            literal(address),
            literal(user_id, Uuid),
            literal(language),
        ).where(~recent, count < MOST_A_DAY)
        await self._connection.execute(insert(mails).from_select(["kind", "address", "user_id", "language"], row))

    async def forget(self, address: str) -> None:
        """Forget every mail to an address; those that were not sent are not sent."""
        await self._connection.execute(delete(mails).where(_is_to(address)))

    async def withdraw_links(self, user_id: UUID) -> None:
        """Forget the mails that were not sent and would carry a link of a user."""
        columns = mails.c
        waiting = (columns.user_id == user_id, columns.kind == MailKind.VERIFY_EMAIL, columns.done_at.is_(None))
        await self._connection.execute(delete(mails).where(*waiting))

    async def take(self) -> Mail | None:
        """Take the next mail and put off its next try, in case this one fails; others take another one."""
        columns = mails.c
        due = (
            select(columns.id)
            .where(columns.done_at.is_(None), columns.next_try_at <= func.now())
            .order_by(columns.next_try_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        doubled = func.power(2, func.least(columns.tries, LONGEST_DOUBLING))
        taken = await self._connection.execute(
            update(mails)
            .where(columns.id == due.scalar_subquery())
            .values(tries=columns.tries + 1, next_try_at=func.now() + FIRST_DELAY * doubled)
            .returning(columns.id, columns.kind, columns.address, columns.user_id, columns.language)
        )
        row = taken.one_or_none()
        return Mail(row.id, MailKind(row.kind), row.address, row.user_id, row.language) if row else None

    async def is_waiting(self, mail: Mail) -> bool:
        """Say whether a mail is still to be sent."""
        waiting = select(mails.c.id).where(mails.c.id == mail.id, mails.c.done_at.is_(None))
        return (await self._connection.execute(waiting)).first() is not None

    async def done(self, mail: Mail) -> None:
        """Note that a mail was sent, or that there was nothing to send."""
        await self._connection.execute(update(mails).where(mails.c.id == mail.id).values(done_at=func.now()))


class Links:
    """Links that were sent, by the hash of what they carry."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, token: str, purpose: MailKind, link: Link, life: timedelta) -> None:
        """Keep a link."""
        values = {"purpose": purpose, "user_id": link.user_id, "address": composed(link.address)}
        await self._connection.execute(
            insert(links).values(token_hash=link_hash(token), expires_at=func.now() + life, **values)
        )

    async def find(self, token: str, purpose: MailKind) -> Link | None:
        """Find a link that is still good."""
        statement = select(links.c.user_id, links.c.address).where(*_is_good(token, purpose))
        row = (await self._connection.execute(statement)).one_or_none()
        return Link(row.user_id, row.address) if row else None

    async def use(self, token: str, purpose: MailKind) -> Link | None:
        """Take a link away and answer what it stood for; of two that use it at once, one gets nothing."""
        used = await self._connection.execute(
            delete(links).where(*_is_good(token, purpose)).returning(links.c.user_id, links.c.address)
        )
        row = used.one_or_none()
        return Link(row.user_id, row.address) if row else None

    async def remove_of(self, user_id: UUID) -> None:
        """Take every link of a user away: what they would change has changed."""
        await self._connection.execute(delete(links).where(links.c.user_id == user_id))


def _is_to(address: str) -> ColumnElement[bool]:
    return func.lower(mails.c.address) == func.lower(composed(address))


def _is_good(token: str, purpose: MailKind) -> tuple[Any, ...]:
    columns = links.c
    return (columns.token_hash == link_hash(token), columns.purpose == purpose, columns.expires_at > func.now())
