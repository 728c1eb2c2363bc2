"""Facts on their way from a transaction to another context, over a real database and a real broker."""

import asyncio
from uuid import uuid4

import pytest
from nats.js.api import ConsumerConfig, StreamConfig
from sqlalchemy import MetaData, func, select

from services.common import events, tables
from services.common.db import Database
from services.common.outbox import Outbox, Relay
from services.common.settings import DatabaseSettings, NatsSettings
from spotilike.events.v1.catalog_events_pb2 import FolderRetired, TrackUploaded

METADATA = MetaData(naming_convention=tables.NAMING)
OUTBOX = tables.outbox(METADATA)
DEAD = tables.dead_events(METADATA)
DURABLE = "hearer"


async def until(condition, seconds=15):
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

    def __init__(self, database, nats, name):
        """Stand between `database` and the stream `name`."""
        self.database, self.nats, self.name = database, nats, name
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

    async def hear(self, effect=None):
        """Listen in the background."""

        async def keep(_, payload):
            self.heard.append(payload.track)

        listener = events.Listener(
            self.name, DURABLE, {TrackUploaded: effect or keep}, events.DeadEvents(self.database, DEAD)
        )
        self.tasks.append(asyncio.create_task(listener.run(self.nats)))

    def relay(self):
        """Relay in the background."""
        self.tasks.append(asyncio.create_task(Relay(self.database, OUTBOX).run(self.nats)))

    async def count(self, *conditions, table=OUTBOX):
        """Count rows."""
        async with self.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(table).where(*conditions))

    async def published(self):
        """Count the facts that have left."""
        return await self.count(OUTBOX.c.published_at.is_not(None))


@pytest.fixture
async def place(engines, databases):
    """Return a place that nobody else uses."""
    name = f"T{uuid4().hex}"
    database = Database(DatabaseSettings(database_url=await databases.fresh("catalog", name.lower())))
    settings = NatsSettings(nats_url=engines.nats_url, nats_seed_file=engines.nats_seed_file("admin"))
    nats = await events.connect(settings, "admin")
    jetstream = nats.jetstream()
    await jetstream.add_stream(StreamConfig(name=name, subjects=[f"test.{name}.>"]))
    await jetstream.add_consumer(name, ConsumerConfig(durable_name=DURABLE, ack_wait=2))
    found = Place(database, nats, name)
    yield found
    for task in found.tasks:
        task.cancel()
    await asyncio.gather(*found.tasks, return_exceptions=True)
    await jetstream.delete_stream(name)
    await nats.close()
    await database.close()


async def test_a_fact_arrives_after_its_transaction_and_only_then(place):
    """What was rolled back never happened."""
    await place.hear()
    place.relay()
    with pytest.raises(ZeroDivisionError):
        await place.tell_and_fail("never")

    await place.tell("first", "second")

    await until(lambda: len(place.heard) == 2)
    assert sorted(place.heard) == ["first", "second"]
    assert await place.published() == await place.count() == 2


async def test_facts_that_commit_out_of_order_all_leave(place):
    """A transaction with a lower number may commit later; a cursor would have passed it."""
    await place.hear()
    place.relay()
    async with place.database.begin() as slow:
        await place.put(slow, "slow")
        await place.tell("quick")
        await until(lambda: place.heard == ["quick"])

    await until(lambda: place.heard == ["quick", "slow"])


async def test_several_relays_share_the_work_and_lose_nothing(place):
    """One of them is stopped in the middle."""
    await place.tell(*(str(number) for number in range(300)))
    for _ in range(3):
        place.relay()
    await until(place.published)
    place.tasks.pop().cancel()

    async def all_left():
        return await place.published() == 300

    await until(all_left)
    info = await place.nats.jetstream().stream_info(place.name)
    assert info.state.messages == 300


async def test_an_unreadable_event_is_put_aside_and_the_next_one_is_not_delayed(place):
    """Garbage and unknown facts are kept for a person to look at."""
    await place.hear()
    place.relay()
    jetstream = place.nats.jetstream()
    await jetstream.publish(place.subject, b"\xff not an event")
    unknown = events.new("tracks/x", FolderRetired(folder="x"))
    await jetstream.publish(place.subject, unknown.SerializeToString())

    await place.tell("next")

    await until(lambda: place.heard == ["next"])

    async def both():
        return await place.count(table=DEAD) == 2

    await until(both)


async def test_an_event_that_always_fails_is_put_aside_and_others_go_on(place):
    """It is tried a few times first."""
    tries = []

    async def fail_on_bad(_, payload):
        if payload.track == "bad":
            tries.append(1)
            raise ValueError("this one is cursed")
        place.heard.append(payload.track)

    await place.hear(fail_on_bad)
    place.relay()
    await place.tell("bad", "good")

    await until(lambda: place.heard == ["good"])

    async def buried():
        return await place.count(table=DEAD) == 1

    await until(buried, 30)
    assert len(tries) == events.TRIES


async def test_an_event_outlives_an_outage_of_the_database(place):
    """A database that is away is no reason to give an event up, however often it is tried."""
    tries = []

    async def fail_at_first(_, payload):
        tries.append(1)
        if len(tries) <= events.TRIES + 2:
            raise ConnectionError("the database is away")
        place.heard.append(payload.track)

    await place.hear(fail_at_first)
    place.relay()
    await place.tell("patient")

    await until(lambda: place.heard == ["patient"], 40)
    assert await place.count(table=DEAD) == 0
