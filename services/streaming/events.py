"""The facts that the streaming context hears."""

from uuid import UUID

from google.protobuf.message import Message

from services.common import events
from services.common.db import Database
from services.common.events import DeadEvents, Effect, Listener
from services.common.sessions import EndedSessions
from services.common.settings import NatsSettings
from services.streaming.store import Store
from services.streaming.tables import dead_events
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.user_events_pb2 import SessionsEnded, UserDeleted

CONTEXT = "streaming"


class Erasure:
    """Takes people out of what was played when their accounts are erased."""

    def __init__(self, store: Store) -> None:
        """Erase in `store`."""
        self._store = store

    async def hear(self, _: Event, fact: UserDeleted) -> None:
        """Erase a person now, and once more when no access token of theirs can add anything."""
        async with self._store.begin() as tx:
            await tx.erase(UUID(fact.user))
            await tx.listeners.erase_again(UUID(fact.user))


async def exchange(settings: NatsSettings, database: Database, ended: EndedSessions) -> None:
    """Hear facts until cancelled."""
    effects: dict[type[Message], Effect] = {SessionsEnded: ended.hear, UserDeleted: Erasure(Store(database)).hear}
    listener = Listener("USER", CONTEXT, effects, DeadEvents(database, dead_events))
    connection = await events.connect(settings, CONTEXT)
    try:
        await listener.run(connection)
    finally:
        await connection.close()
