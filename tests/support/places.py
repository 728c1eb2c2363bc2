"""A place where facts are told and heard: a database, a stream of its own and a consumer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from nats.aio.client import Client
from nats.js.api import ConsumerConfig, StreamConfig
from pydantic import SecretStr
from sqlalchemy import MetaData, func, select

from services.common import events, tables
from services.common.db import Database
from services.common.outbox import Outbox, Relay
from services.common.settings import DatabaseSettings, NatsSettings
from spotilike.events.v1.catalog_events_pb2 import TrackUploaded
from tests.support.databases import Databases

METADATA = MetaData(naming_convention=tables.NAMING)
OUTBOX = tables.outbox(METADATA)
DEAD = tables.dead_events(METADATA)
DURABLE = "hearer"
ENDED_SECONDS = 10
"""Whatever does not end by then is left: the test has said so."""


async def until(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Wait for a condition and return what it answered."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return answer
            await asyncio.sleep(0.02)


class Place:
    """A database, a stream of its own and a consumer."""

    def __init__(self, database_url: str, nats: Client, name: str) -> None:
        """Stand between a database and the stream `name`."""
        self.database_url, self.nats, self.name = database_url, nats, name
        self.database = Database(DatabaseSettings(database_url=SecretStr(database_url)))
        self.subject = f"test.{name}.told"
        self.heard: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def tell(self, *tracks):
        """Commit facts about tracks."""
        async with self.database.begin() as connection:
            await self.put(connection, *tracks)

    async def tell_and_fail(self, *tracks):
        """Write facts in a transaction that fails afterwards."""
        async with self.database.begin() as connection:
            await self.put(connection, *tracks)
            raise ZeroDivisionError

    async def put(self, connection, *tracks):
        """Write facts within a transaction."""
        for track in tracks:
            fact = events.new(f"tracks/{track}", TrackUploaded(track=track))
            await Outbox(connection, OUTBOX).add(self.subject, fact)

    async def hear(self, effect=None, concurrency=4):
        """Listen in the background."""

        async def keep(_, payload):
            self.heard.append(payload.track)

        listener = events.Listener(
            self.name, DURABLE, {TrackUploaded: effect or keep}, events.DeadEvents(self.database, DEAD)
        )
        self.tasks.append(asyncio.create_task(listener.run(self.nats, concurrency)))

    def relay(self):
        """Relay in the background."""
        self.tasks.append(asyncio.create_task(Relay(self.database, OUTBOX, self.name).run(self.nats)))

    async def count(self, *conditions, table=OUTBOX):
        """Count rows."""
        async with self.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(table).where(*conditions))

    async def published_all(self):
        """Say whether every fact has left."""
        return await self.published() == await self.count()

    async def moments(self):
        """Read when each fact left."""
        async with self.database.read() as connection:
            return list((await connection.execute(select(OUTBOX.c.published_at))).scalars())

    async def make_stream(self, replicas=1):
        """Make the stream and its consumer."""
        jetstream = self.nats.jetstream()
        await jetstream.add_stream(
            StreamConfig(name=self.name, subjects=[f"test.{self.name}.>"], num_replicas=replicas)
        )
        await jetstream.add_consumer(self.name, ConsumerConfig(durable_name=DURABLE, ack_wait=2))

    async def published(self):
        """Count the facts that have left."""
        return await self.count(OUTBOX.c.published_at.is_not(None))


@asynccontextmanager
async def open_place(databases: Databases, settings: NatsSettings, replicas: int = 1) -> AsyncIterator[Place]:
    """Open a place that nobody else uses, at the broker of `settings`."""
    name = f"T{uuid4().hex}"
    nats = await events.connect(settings, "admin")
    place = Place(await databases.fresh("catalog", name.lower()), nats, name)
    await place.make_stream(replicas)
    try:
        yield place
    finally:
        for task in place.tasks:
            task.cancel()
        if place.tasks:
            await asyncio.wait(place.tasks, timeout=ENDED_SECONDS)
        await nats.jetstream().delete_stream(name)
        await nats.close()
        await place.database.close()
