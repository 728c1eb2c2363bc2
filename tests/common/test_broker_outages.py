"""What becomes of facts while their broker is ended again and again, or cannot be reached."""

import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial

import pytest
from nats.errors import Error as NatsError
from nats.js.api import StreamConfig
from nats.js.errors import APIError

from cli.engines.ports import PortBook
from services.common import events, streams
from services.common.settings import StreamsSettings
from tests.support import brokers
from tests.support.links import Link
from tests.support.places import open_place, until

RESTARTS = 2
BACK_AFTER_RESTART, BACK_AFTER_SILENCE = 10, 30
LEADERS_KILLED = 1


async def told_and_heard(place, fact, seconds):
    """Tell a fact; return how long it took to be heard."""
    began = time.monotonic()
    await place.tell(fact)
    await until(lambda: fact in place.heard, seconds)
    return time.monotonic() - began


@pytest.fixture
async def broker(tmp_path):
    """Return a broker that runs, and its description."""
    broker, nats = brokers.single(tmp_path / "nats", PortBook(tmp_path / "ports.json"))
    await broker.start()
    yield broker, nats
    await broker.kill()


async def test_facts_are_heard_again_soon_after_each_restart(broker, databases):
    """The broker is killed each time; every fact is heard, none twice but those whose answer was lost."""
    server, nats = broker
    slowest = 0.0
    async with open_place(databases, brokers.settings(nats)) as place:
        await place.hear()
        place.relay()
        for number in range(RESTARTS):
            await server.kill()
            await server.start()
            slowest = max(slowest, await told_and_heard(place, str(number), BACK_AFTER_RESTART))
        assert set(place.heard) == {str(number) for number in range(RESTARTS)}
    print(f"heard after {slowest:.1f} s at most")  # noqa: T201 (a measurement)


async def test_facts_are_heard_again_after_the_way_to_the_broker_fell_silent(broker, databases):
    """No connection ends and no byte arrives: only pings can tell."""
    _, nats = broker
    link = Link(nats.url.removeprefix("nats://"))
    await link.connect()
    async with open_place(databases, brokers.settings(nats, f"nats://{link.address}")) as place:
        await place.hear()
        place.relay()
        await told_and_heard(place, "before", BACK_AFTER_RESTART)
        link.fall_silent()
        seconds = await told_and_heard(place, "after", BACK_AFTER_SILENCE)
    await link.cut()
    print(f"heard after {seconds:.1f} s")  # noqa: T201 (a measurement)


@asynccontextmanager
async def running_cluster(tmp_path):
    """Run three brokers that share their streams."""
    servers, nats = brokers.cluster(tmp_path, PortBook(tmp_path / "ports.json"), 3)
    try:
        await asyncio.gather(*(server.start() for server in servers.values()))
        await until(lambda: formed(nats), brokers.START_SECONDS)
        yield servers, nats
    finally:
        await asyncio.gather(*(server.kill() for server in servers.values()))


async def formed(nats):
    """Whether the brokers know each other so well that they share a stream."""
    connection = await events.connect(brokers.settings(nats), "admin")
    try:
        await connection.jetstream().add_stream(StreamConfig(name="PROBE", subjects=["probe"], num_replicas=3))
        return await connection.jetstream().delete_stream("PROBE")
    except (APIError, NatsError):
        return False
    finally:
        await connection.close()


async def test_a_fact_that_a_cluster_has_acknowledged_outlives_its_leaders(tmp_path, databases):
    """The leader of the stream is killed again and again while facts are told: every one of them is heard."""
    async with running_cluster(tmp_path) as (servers, nats), open_place(databases, brokers.settings(nats), 3) as place:
        await place.hear()
        place.relay()
        told = 0
        for _ in range(LEADERS_KILLED):
            leader = (await leader_of(place)).leader
            await place.tell(*(str(told + number) for number in range(100)))
            told += 100
            await servers[leader].kill()
            await told_and_heard(place, f"without {leader} {told}", BACK_AFTER_SILENCE)
            await servers[leader].start()

        async def all_published():
            return await place.published() == await place.count()

        await until(all_published)
        await until(lambda: len(set(place.heard)) == told + LEADERS_KILLED, BACK_AFTER_SILENCE)


async def test_streams_may_be_kept_by_more_servers_and_by_fewer_again(tmp_path):
    """As many as the setting says when they are declared; what is in them stays."""
    async with running_cluster(tmp_path) as (_, nats):
        for number, replicas in enumerate((1, 3, 1)):
            settings = StreamsSettings(**dict(brokers.settings(nats)), nats_replicas=replicas)
            await streams.declare(settings)
            connection = await events.connect(settings, "admin")
            jetstream = connection.jetstream()
            await until(partial(told_once, jetstream, f"{number}"))
            infos = [await jetstream.stream_info(name) for name in streams.STREAMS]
            await connection.close()
            assert {info.config.num_replicas for info in infos} == {replicas}
        assert infos[0].state.messages == 3


async def told_once(jetstream, message_id):
    """Publish a fact; answers whether it was taken: while servers change nobody may answer."""
    try:
        return await jetstream.publish("spotilike.user.told", b"", headers={"Nats-Msg-Id": message_id})
    except NatsError:
        return None


async def leader_of(place):
    """Ask who leads the stream, until somebody does."""

    async def elected():
        cluster = (await place.nats.jetstream().stream_info(place.name)).cluster
        return cluster if cluster and cluster.leader else None

    return await until(elected)
