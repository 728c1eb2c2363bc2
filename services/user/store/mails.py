"""Rows of mails that have to be sent, and of the links in them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, delete, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.user.domain import Link, Mail, MailKind, composed, link_hash
from services.user.tables import links, mails

AGAIN_AFTER = timedelta(minutes=1)
"""A second mail of the same kind to the same address is not sent before, so that nobody can be flooded."""
MOST_A_DAY = 10
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DOUBLING = 8


class Mails:
    """Mails on their way."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, kind: MailKind, address: str, language: str, user_id: UUID | None = None) -> None:
        """Have a mail sent, unless the same one went to the address a moment ago."""
        columns = mails.c
        same = select(columns.id).where(columns.address == composed(address), columns.kind == kind)
        recent = exists(same.where(columns.created_at > func.now() - AGAIN_AFTER))
        today = same.where(columns.created_at > func.now() - timedelta(days=1)).subquery()
        count = select(func.count()).select_from(today).scalar_subquery()
        row = select(
            literal(kind.value),
            literal(composed(address)),
            literal(user_id, Uuid),
            literal(language),
        ).where(~recent, count < MOST_A_DAY)
        await self._connection.execute(insert(mails).from_select(["kind", "address", "user_id", "language"], row))

    async def forget(self, address: str) -> None:
        """Forget every mail to an address; those that were not sent are not sent."""
        await self._connection.execute(delete(mails).where(mails.c.address == address))

    async def next_due(self) -> Mail | None:
        """Take the next mail; others that send mails take another one."""
        columns = mails.c
        statement = (
            select(columns.id, columns.kind, columns.address, columns.user_id, columns.language, columns.tries)
            .where(columns.done_at.is_(None), columns.next_try_at <= func.now())
            .order_by(columns.next_try_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = (await self._connection.execute(statement)).one_or_none()
        if row is None:
            return None
        return Mail(row.id, MailKind(row.kind), row.address, row.user_id, row.language, row.tries)

    async def done(self, mail: Mail) -> None:
        """Note that a mail was sent, or that there was nothing to send."""
        await self._connection.execute(update(mails).where(mails.c.id == mail.id).values(done_at=func.now()))

    async def postpone(self, mail: Mail) -> None:
        """Try a mail again later, each time after twice as long."""
        delay = FIRST_DELAY * literal(2 ** min(mail.tries, LONGEST_DOUBLING), Integer)
        values = {"tries": mail.tries + 1, "next_try_at": func.now() + delay}
        await self._connection.execute(update(mails).where(mails.c.id == mail.id).values(**values))


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


def _is_good(token: str, purpose: MailKind) -> tuple[Any, ...]:
    columns = links.c
    return (columns.token_hash == link_hash(token), columns.purpose == purpose, columns.expires_at > func.now())
