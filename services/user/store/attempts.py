"""Counts of attempts with passwords."""

from datetime import datetime

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.user.domain import Attempts
from services.user.tables import attempts


class AttemptCounts:
    """Attempts, by what they are made on."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def lock(self, subject: bytes) -> tuple[Attempts, datetime]:
        """Find the attempts on a subject and the time; attempts on the same one take their turn."""
        columns = attempts.c
        first = insert(attempts).values(subject=subject)
        locked = first.on_conflict_do_update(index_elements=[columns.subject], set_={"subject": subject})
        # The wall clock: a transaction that waited for its turn must not judge by the time at which it began.
        found = locked.returning(
            columns.failures, columns.last_at, columns.blocked_until, func.clock_timestamp().label("now")
        )
        row = (await self._connection.execute(found)).one()
        return Attempts(row.failures, row.last_at, row.blocked_until), row.now

    async def keep(self, subject: bytes, made: Attempts) -> None:
        """Keep the attempts on a subject that is locked."""
        values = {"failures": made.failures, "last_at": made.last_at, "blocked_until": made.blocked_until}
        await self._connection.execute(update(attempts).where(attempts.c.subject == subject).values(**values))

    async def forget(self, *subjects: bytes) -> None:
        """Forget attempts: one succeeded."""
        await self._connection.execute(delete(attempts).where(attempts.c.subject.in_(subjects)))
