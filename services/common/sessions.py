"""Sessions that were ended while access tokens of theirs are alive: every service refuses those within seconds.

The user context tells with `SessionsEnded` which sessions have ended; each context keeps them in its own database for
as long as an access token may live, and each process reads them from there once a second.
"""

import asyncio
import time
from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import retention
from services.common.db import Database
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.user_events_pb2 import SessionsEnded

KEEP = timedelta(minutes=20)
"""Longer than an access token lives."""
POLL_SECONDS = 1.0
OVERLAP = timedelta(seconds=30)
"""Read again at every poll: a transaction may commit later than the time that it wrote."""

log = structlog.get_logger("sessions")


class EndedSessions:
    """The sessions that ended lately, as this process knows them."""

    def __init__(self, database: Database, table: Table) -> None:
        """Keep them in `table`."""
        self._database = database
        self._table = table
        self._known: dict[UUID, float] = {}

    def __contains__(self, session_id: object) -> bool:
        """Say whether a session has ended."""
        return session_id in self._known

    async def hear(self, _: Event, fact: SessionsEnded) -> None:
        """Keep what the user context tells."""
        async with self._database.begin() as connection:
            await note(connection, self._table, [UUID(session) for session in fact.sessions])

    async def run(self) -> None:
        """Follow the table until cancelled. While the database is away, what is known stays known."""
        since = KEEP
        while True:
            began = time.monotonic()
            try:
                await self._read(since)
            except Exception as error:  # noqa: BLE001 (an outage of the database: calls fail anyway, try again)
                log.warning("ended_sessions_not_read", error=type(error).__name__)
                since = KEEP
            else:
                since = OVERLAP
            self._forget(began)
            await asyncio.sleep(POLL_SECONDS)

    def rule(self) -> retention.Rule:
        """Say how long the rows are kept."""
        return retention.Rule(self._table.c.ended_at, KEEP)

    async def _read(self, since: timedelta) -> None:
        columns = self._table.c
        async with self._database.read() as connection:
            statement = select(columns.session_id).where(columns.ended_at > func.now() - since)
            for session_id in (await connection.execute(statement)).scalars():
                self._known.setdefault(session_id, time.monotonic())

    def _forget(self, now: float) -> None:
        keep = KEEP.total_seconds()
        self._known = {session: seen for session, seen in self._known.items() if now - seen < keep}


async def note(connection: AsyncConnection, table: Table, sessions: Collection[UUID]) -> None:
    """Write down that sessions have ended, in the transaction of `connection`."""
    if sessions:
        rows: list[dict[str, Any]] = [{"session_id": session} for session in sessions]
        await connection.execute(insert(table).values(rows).on_conflict_do_nothing())
