"""What is told of jobs that change, whatever happens at the same time."""

import asyncio
import time
from contextlib import aclosing, asynccontextmanager

import pytest
from sqlalchemy import func, update

from services.processing.feed import BATCH, Feed
from services.processing.store import Store
from services.processing.tables import processing_jobs
from tests.support.processing import until

POLL = 0.02
HEARTBEAT = 0.3
SECONDS = 20


class CountingStore(Store):
    """Counts how often somebody reads."""

    reads = 0

    def read(self):
        """Lend a connection."""
        self.reads += 1
        return super().read()


async def everybody():
    """Let a client see everything."""


@pytest.fixture
def store(workshop):
    """Return the rows of this test's own queue."""
    return CountingStore(workshop.database)


@pytest.fixture
async def feed(store):
    """Return a feed that looks often."""
    feed = Feed(store, asyncio.Event(), POLL, HEARTBEAT)
    running = asyncio.create_task(feed.run())
    yield feed
    running.cancel()


@asynccontextmanager
async def following(feed, since=None):
    """Follow everything."""
    async with aclosing(feed.follow(since, everybody)) as changes, asyncio.timeout(SECONDS):
        yield changes


async def heartbeat(changes):
    """Read to the next heartbeat; return what came before it."""
    seen = []
    async for change in changes:
        if not change.jobs:
            break
        seen += change.jobs
    return seen


def touch(job_id, **values):
    """Write into a job, as of now."""
    return update(processing_jobs).where(processing_jobs.c.id == job_id).values(**values, updated_at=func.now())


async def test_a_change_that_commits_late_is_told(workshop, feed):
    """It has written an earlier time than what was told before it."""
    late, early = [await workshop.offer_content(b"music") for _ in range(2)]
    async with following(feed) as changes, workshop.database.begin() as slow:
        await anext(changes)
        await heartbeat(changes)
        await slow.execute(touch(late, percent=1))
        async with workshop.database.begin() as quick:
            await quick.execute(touch(early, percent=2))
        assert [(job.id, job.percent) for job in await heartbeat(changes)] == [(early, 2)]
        await slow.commit()
        assert [(job.id, job.percent) for job in await heartbeat(changes)] == [(late, 1)]


async def test_news_are_looked_for_at_once(workshop, store):
    """Somebody waits for the sound of a preview."""
    job_id = await workshop.offer_content(b"music")
    news = asyncio.Event()
    feed = Feed(store, news, 100 * SECONDS, 100 * SECONDS)
    running = asyncio.create_task(feed.run())
    async with following(feed) as changes:
        await anext(changes)

        async def looked():
            # Twice for the client that has come, and once for the feed, which may tell of the job again.
            return store.reads == 3

        await until(looked)
        async with workshop.database.begin() as connection:
            await connection.execute(touch(job_id, percent=1))
        news.set()
        async for change in changes:
            if [job.percent for job in change.jobs] == [1]:
                break
    running.cancel()


async def test_a_slow_client_is_told_how_things_are_at_last(workshop, feed, store):
    """Nothing piles up for it."""
    job_id = await workshop.offer_content(b"music")
    async with following(feed) as changes:
        await anext(changes)
        for percent in range(1, 6):
            async with workshop.database.begin() as connection:
                await connection.execute(touch(job_id, percent=percent))
            looks = store.reads + 2

            async def looked(looks=looks):
                return store.reads >= looks

            await until(looked)
        assert [job.percent for job in (await anext(changes)).jobs] == [5]


async def test_what_does_not_change_is_told_once(workshop, feed):
    """However often it is looked at."""
    job_id = await workshop.offer_content(b"music")
    async with following(feed) as changes:
        assert [job.id for job in (await anext(changes)).jobs] == [job_id]
        for _ in range(3):
            told = await heartbeat(changes)
    assert told == []


async def test_one_look_serves_every_client(feed, store):
    """The database does as much for twenty as for one."""
    async with asyncio.timeout(SECONDS):
        streams = [feed.follow(None, everybody) for _ in range(20)]
        for stream in streams:
            await anext(stream)
        began, reads = time.monotonic(), store.reads
        await asyncio.gather(*(heartbeat(stream) for stream in streams))
        looks = (time.monotonic() - began) / POLL
        assert 0 < store.reads - reads <= looks + 1
        for stream in streams:
            await stream.aclose()


async def test_nobody_looks_while_nobody_watches(feed, store):
    """The database has other things to do."""
    async with following(feed) as changes:
        await heartbeat(changes)
    reads = store.reads

    async def looked_again():
        return store.reads > reads + 1

    with pytest.raises(TimeoutError):
        await until(looked_again, seconds=10 * POLL)
    async with following(feed) as changes:
        await heartbeat(changes)
    assert store.reads > reads


async def test_a_long_snapshot_comes_in_parts_and_only_the_last_one_may_be_gone_on_from(workshop, feed):
    """Whoever loses the stream in between would miss the rest."""
    master = await workshop.upload(b"music")
    count = BATCH + 3
    async with workshop.store.begin() as tx:
        jobs = [await workshop.offer_in(tx, master) for _ in range(count)]
    async with following(feed) as changes:
        first, last = await anext(changes), await anext(changes)

    assert [len(first.jobs), len(last.jobs)] == [BATCH, 3]
    assert {job.id for part in (first, last) for job in part.jobs} == set(jobs)
    assert first.until is None
    assert last.until is not None
