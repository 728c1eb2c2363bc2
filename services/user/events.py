"""The facts that leave the user context."""

import asyncio
from collections.abc import Collection
from uuid import UUID

from services.common import events, names
from services.common.db import Database
from services.common.outbox import Relay
from services.common.settings import NatsSettings
from services.user.store import Transaction
from services.user.tables import outbox
from spotilike.events.v1.user_events_pb2 import SessionsEnded, UserDeleted

CONTEXT = "user"
SESSIONS_ENDED = "spotilike.user.sessions_ended"
USER_DELETED = "spotilike.user.user_deleted"


async def sessions_ended(tx: Transaction, user_id: UUID, sessions: Collection[UUID]) -> None:
    """Say that devices were signed out: their access tokens count no more, here and everywhere."""
    if sessions:
        await tx.note_ended(sessions)
        fact = SessionsEnded(user=str(user_id), sessions=map(str, sessions))
        await tx.outbox.add(SESSIONS_ENDED, events.new(names.user(user_id), fact))


async def user_deleted(tx: Transaction, user_id: UUID) -> None:
    """Say that an account was erased."""
    await tx.outbox.add(USER_DELETED, events.new(names.user(user_id), UserDeleted(user=str(user_id))))


async def exchange(settings: NatsSettings, database: Database) -> None:
    """Tell facts until cancelled. While the broker is away calls go on and the outbox waits."""
    connection = await events.connect(settings, CONTEXT)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Relay(database, outbox).run(connection))
    finally:
        await connection.close()
