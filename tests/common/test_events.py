"""Facts on their way from a transaction to another context, over a real database and a real broker."""

import asyncio
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from cli.engines.data import ROOT
from services.common import events, outbox
from services.common.settings import NatsSettings
from spotilike.events.v1.catalog_events_pb2 import FolderRetired, TrackUploaded
from tests.support.places import DEAD, open_place, until

TRANSACTIONS, FACTS = 8, 40
NEXT_ONE_SECONDS = 1.0
ENDED_SECONDS = 5


@pytest.fixture
async def place(engines, databases):
    """Return a place that nobody else uses."""
    settings = NatsSettings(nats_url=engines.nats_url, nats_seed_file=engines.nats_seed_file("admin"))
    async with open_place(databases, settings) as place:
        yield place


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


async def test_a_fact_leaves_as_soon_as_its_transaction_is_committed(place, monkeypatch):
    """The relay of the same process need not look for it."""
    monkeypatch.setattr("services.common.outbox.POLL_SECONDS", 3600)
    await place.hear()
    place.relay()
    await asyncio.sleep(0.1)
    await place.tell("first")
    await until(lambda: place.heard == ["first"], seconds=5)
    await asyncio.sleep(0.1)
    await place.tell("second")
    await until(lambda: place.heard == ["first", "second"], seconds=5)


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


async def relay_process(place, engines):
    """Start a relay in a process of its own; return it when it runs."""
    settings = {
        "SPOTILIKE_DATABASE_URL": place.database_url,
        "SPOTILIKE_NATS_URL": engines.nats_url,
        "SPOTILIKE_NATS_SEED_FILE": str(engines.nats_seed_file("admin")),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tests.support.relay", place.name),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", **settings},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert await process.stdout.readline() == b"relaying\n"
    return process


async def test_facts_that_commit_in_reverse_order_all_leave_although_a_relay_is_killed(place, engines):
    """Three relays share the work; one of them ends by SIGKILL in the middle of it."""
    relays = await asyncio.gather(*(relay_process(place, engines) for _ in range(3)))
    try:
        async with AsyncExitStack() as open_transactions:  # the one that began last commits first
            for number in range(TRANSACTIONS):
                transaction = await open_transactions.enter_async_context(place.database.begin())
                await place.put(transaction, *(f"{number}-{fact}" for fact in range(FACTS)))
                open_transactions.push_async_callback(asyncio.sleep, 0.3)
                if number == TRANSACTIONS // 2:
                    open_transactions.callback(relays[0].send_signal, signal.SIGKILL)

        async def all_left():
            return await place.published() == await place.count()

        await until(all_left)
        assert await relays[0].wait() == -signal.SIGKILL
        assert await place.count() == TRANSACTIONS * FACTS
        await place.hear()
        await until(lambda: len(place.heard) == TRANSACTIONS * FACTS)
        assert len(set(place.heard)) == TRANSACTIONS * FACTS
    finally:
        for relay in relays[1:]:
            relay.kill()
            await relay.wait()


async def test_an_unreadable_event_is_put_aside_and_the_next_one_is_not_delayed(place):
    """Garbage and unknown facts are kept for a person to look at."""
    await place.hear()
    jetstream = place.nats.jetstream()
    await jetstream.publish(place.subject, b"\xff not an event")
    unknown = events.new("tracks/x", FolderRetired(folder="x"))
    await jetstream.publish(place.subject, unknown.SerializeToString())
    following = events.new("tracks/next", TrackUploaded(track="next"))
    await jetstream.publish(place.subject, following.SerializeToString())
    published = time.monotonic()

    await until(lambda: place.heard == ["next"])
    seconds = time.monotonic() - published
    print(f"the next one was heard after {seconds:.2f} s")  # noqa: T201 (a measurement)
    assert seconds < NEXT_ONE_SECONDS

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


async def test_a_listener_that_is_told_to_end_ends_although_an_answer_comes_at_that_moment(place):
    """Whenever it is told so between the effect and the broker's answer to the acknowledgement."""
    jetstream = place.nats.jetstream()
    for microseconds in range(0, 200, 20):
        told = asyncio.Event()

        async def end_soon(_, __, told=told, seconds=microseconds / 1e6):
            asyncio.get_running_loop().call_later(seconds, place.tasks[-1].cancel)
            told.set()

        await place.hear(end_soon, concurrency=1)
        fact = events.new("tracks/last", TrackUploaded(track="last"))
        await jetstream.publish(place.subject, fact.SerializeToString())
        await until(told.is_set)
        await asyncio.wait([place.tasks[-1]], timeout=ENDED_SECONDS)
        assert place.tasks[-1].done(), f"it did not hear that it had to end {microseconds} µs after the effect"


async def test_a_stream_that_was_lost_and_made_anew_hears_everything_again(place, monkeypatch):
    """The broker has lost its store: facts that had left, whoever has heard them, leave once more."""
    monkeypatch.setattr(outbox, "LOOK_SECONDS", 0.1)
    place.relay()
    await place.tell("told", "heard")
    await until(place.published_all)
    jetstream = place.nats.jetstream()
    await jetstream.delete_stream(place.name)
    await place.make_stream()

    await place.hear()
    await place.tell("new")
    await until(lambda: set(place.heard) == {"told", "heard", "new"})


async def test_a_stream_that_was_always_there_hears_nothing_again(place, monkeypatch):
    """Asking since when it exists changes nothing, also for a relay that has just begun."""
    monkeypatch.setattr(outbox, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(outbox, "DOUBT", timedelta())
    place.relay()
    await place.tell("once")
    await until(place.published_all)
    [left] = await place.moments()
    place.relay()
    await place.tell("then")
    await until(place.published_all)
    assert left in await place.moments()
