"""Playbacks that nobody ends, and tables that must not grow for ever."""

import asyncio
from datetime import timedelta

import grpc
import pytest

from services.common.db import Database
from services.streaming import __main__ as streaming_main
from services.streaming.store import Store
from services.streaming.sweeper import Sweeper
from tests.streaming.listener import play_id
from tests.support.services import error_info, run
from tests.support.streaming import TIMEOUT_SECONDS

SILENCE = timedelta(seconds=TIMEOUT_SECONDS)
WAIT_SECONDS = 10


@pytest.fixture
async def further_sweepers(settings_of):
    """Run two more sweepers beside the service's own one, as further replicas would."""
    databases = [Database(settings_of()) for _ in range(2)]
    tasks = [asyncio.create_task(Sweeper(Store(database), SILENCE).run(0.05)) for database in databases]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for database in databases:
        await database.close()


async def until(condition):
    """Wait for what the sweeper has to do."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_a_silent_playback_is_closed_as_its_last_report_left_it(shelf, listener):
    """A player that vanished has heard what it told."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(60)
    await listener.report(playback, 1, (0, 31.5))
    await listener.fall_silent(TIMEOUT_SECONDS + 1)

    await until(listener.plays)

    (play,) = await listener.plays()
    assert (play.listened.seconds, play.counted) == (31, True)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await listener.report(playback, 2, (0, 60))
    assert error_info(refused.value)[0] == "PLAYBACK_CLOSED"


@pytest.mark.usefixtures("further_sweepers")
async def test_three_sweepers_write_each_play_once(shelf, listener, rows):
    """Replicas share the work."""
    playbacks = [await listener.start(await shelf.add()) for _ in range(25)]
    await listener.let_pass(60)
    for playback in playbacks:
        await listener.report(playback, 1, (0, 1))
    await listener.fall_silent(TIMEOUT_SECONDS + 1)

    async def all_closed():
        opened = await rows(
            "SELECT 1 FROM playbacks WHERE user_id = :user AND state = 'OPEN'", user=listener.account.id
        )
        return not opened

    await until(all_closed)

    written = await rows("SELECT play_id FROM playback_history WHERE user_id = :user", user=listener.account.id)
    assert sorted(row.play_id for row in written) == sorted(play_id(playback) for playback in playbacks)


async def test_a_last_report_and_a_timeout_at_once_make_one_play(shelf, listener, rows):
    """Whichever comes first, the playback closes once."""
    playbacks = [await listener.start(await shelf.add()) for _ in range(20)]
    await listener.let_pass(60)
    for playback in playbacks:
        await listener.report(playback, 1, (0, 1))
    await listener.fall_silent(TIMEOUT_SECONDS + 1)

    ends = [listener.report(playback, 2, (0, 2), ended=True) for playback in playbacks]
    await asyncio.gather(*ends, return_exceptions=True)

    async def all_written():
        written = await rows("SELECT play_id FROM playback_history WHERE user_id = :user", user=listener.account.id)
        return len(written) >= len(playbacks)

    await until(all_written)
    written = await rows("SELECT play_id FROM playback_history WHERE user_id = :user", user=listener.account.id)
    assert sorted(row.play_id for row in written) == sorted(play_id(playback) for playback in playbacks)


async def test_closing_a_playback_twice_at_once_makes_one_play(shelf, listener, rows, settings_of):
    """The state is compared where it is set; nobody has to hold a lock."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(10)
    await listener.report(playback, 1, (0, 10))
    database = Database(settings_of())
    store = Store(database)

    async def close():
        async with store.begin() as tx:
            await tx.playbacks.close(play_id(playback))

    await asyncio.gather(*(close() for _ in range(8)))
    await database.close()

    written = await rows("SELECT listened_sec FROM playback_history WHERE user_id = :user", user=listener.account.id)
    assert [row.listened_sec for row in written] == [10]


async def test_a_playback_that_is_renewed_goes_on(shelf, listener, someone):
    """A paused player keeps its playback by asking for tokens."""
    renewed, silent = await listener.start(await shelf.add()), await someone()
    forgotten = await silent.start(await shelf.add())
    await silent.let_pass(5)
    await silent.report(forgotten, 1, (0, 5))
    await listener.fall_silent(TIMEOUT_SECONDS - 20)
    await listener.renew(renewed)
    await silent.fall_silent(TIMEOUT_SECONDS + 1)

    await until(silent.plays)

    (kept,) = await listener.rows(
        "SELECT state, now() - last_seen_at AS silence FROM playbacks WHERE play_id = :play", play=play_id(renewed)
    )
    assert kept.state == "OPEN"
    assert kept.silence.total_seconds() < WAIT_SECONDS


async def test_what_is_over_for_long_is_removed_and_the_history_stays(engines, shelf, listener, rows, settings_of):
    """Closed playbacks have their time; open ones and plays have not."""
    old, open_one = await listener.start(await shelf.add()), await listener.start(await shelf.add())
    await listener.let_pass(31)
    await listener.report(old, 1, (0, 31), ended=True)
    await rows("UPDATE playbacks SET closed_at = now() - interval '31 days' WHERE play_id = :play", play=play_id(old))

    async def removed():
        return not await rows("SELECT 1 FROM playbacks WHERE play_id = :play", play=play_id(old))

    replica = await run(streaming_main.wire(settings_of()), engines)
    await until(removed)
    await replica.process.stop()

    kept = await rows("SELECT play_id FROM playbacks WHERE user_id = :user", user=listener.account.id)
    assert [row.play_id for row in kept] == [play_id(open_one)]
    assert [play.listened.seconds for play in await listener.plays()] == [31]
