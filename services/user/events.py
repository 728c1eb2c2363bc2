"""The facts that leave the user context and the ones that it hears."""

import asyncio
from collections.abc import Collection
from uuid import UUID

from google.protobuf.message import Message

from services.common import events, images, names
from services.common.db import Database
from services.common.events import DeadEvents, Effect, Listener
from services.common.outbox import Relay
from services.common.settings import NatsSettings
from services.common.streams import USER_DELETED
from services.user.store import Store, Transaction
from services.user.tables import dead_events, outbox
from spotilike.events.v1.catalog_events_pb2 import AvatarChanged
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.user_events_pb2 import AvatarStored, SessionsEnded, UserDeleted

CONTEXT = "user"
SESSIONS_ENDED = "spotilike.user.sessions_ended"
AVATAR_STORED = "spotilike.user.avatar_stored"


async def sessions_ended(tx: Transaction, user_id: UUID, sessions: Collection[UUID]) -> None:
    """Say that devices were signed out: their access tokens count no more, here and everywhere."""
    if sessions:
        await tx.note_ended(sessions)
        fact = SessionsEnded(user=str(user_id), sessions=map(str, sessions))
        await tx.outbox.add(SESSIONS_ENDED, events.new(names.user(user_id), fact))


async def user_deleted(tx: Transaction, user_id: UUID) -> None:
    """Say that an account was erased."""
    await tx.outbox.add(USER_DELETED, events.new(names.user(user_id), UserDeleted(user=str(user_id))))


class Avatars:
    """What the catalog says about pictures of users, applied to their accounts."""

    def __init__(self, store: Store) -> None:
        """Apply to `store`."""
        self._store = store

    async def changed(self, _: Event, fact: AvatarChanged) -> None:
        """Show a picture, unless a newer one is shown or the account is gone; in any case say that it was heard."""
        user_id = UUID(fact.user)
        async with self._store.begin() as tx:
            await tx.users.show_avatar(user_id, images.key(UUID(fact.artwork)))
            stored = AvatarStored(user=fact.user, artwork=fact.artwork)
            await tx.outbox.add(AVATAR_STORED, events.new(names.user(user_id), stored))


async def exchange(settings: NatsSettings, database: Database) -> None:
    """Hear and tell facts until cancelled. While the broker is away calls go on and the outbox waits."""
    effects: dict[type[Message], Effect] = {AvatarChanged: Avatars(Store(database)).changed}
    listener = Listener("CATALOG", CONTEXT, effects, DeadEvents(database, dead_events))
    connection = await events.connect(settings, CONTEXT)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Relay(database, outbox, CONTEXT.upper()).run(connection))
            tasks.create_task(listener.run(connection))
    finally:
        await connection.close()
