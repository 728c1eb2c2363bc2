"""The work queue: leases, fences, tries and pauses."""

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, update

from services.processing.domain import (
    LONGEST_HANDICAP_SECONDS,
    Failure,
    LeaseLostError,
    Patience,
    Status,
    check_folder,
)
from services.processing.tables import processing_jobs
from spotilike.events.v1.processing_events_pb2 import JobFailed
from tests.support.processing import song, until

PASSING = Failure("ENCODER_CRASHED", "Try again.", "words\0of the encoder", transient=True)
LASTING = Failure("CORRUPT", "Export it again.", "x" * 20_000)
SHORT = 0.05
"""A lease, in seconds, that is over when the next one looks for it."""


@pytest.fixture
async def job_id(workshop):
    """Return a job that waits; nobody will read its master."""
    return await workshop.offer_content(b"music")


async def taken_over(workshop, **changes):
    """Wait until another worker has the job."""
    queue, found = workshop.queue("test-2", **changes), []

    async def take():
        found.append(await queue.take())
        return found[-1] is not None

    await until(take)
    return found[-1]


async def test_a_job_is_leased_to_one_of_many_who_ask_at_once(workshop, job_id):
    """The others get nothing, and do not wait."""
    leases = await asyncio.gather(*(workshop.queue(f"test-{number}").take() for number in range(3)))

    (lease,) = filter(None, leases)
    job = await workshop.job(job_id)
    assert (lease.task.id, job.attempt_id) == (job_id, lease.attempt_id)
    assert (job.status, job.attempt) == (Status.PROCESSING, 1)
    assert len(await workshop.attempts(job_id)) == 1


async def test_the_job_that_has_waited_longest_is_taken_first(workshop):
    """First come, first served."""
    waiting = [await workshop.offer_content(b"music") for _ in range(3)]

    assert [(await workshop.take()).task.id for _ in waiting] == waiting


async def offered(workshop, artist, count=1, **changes):
    """Take in masters of an artist, one after the other."""
    masters = [await workshop.upload(b"music", artist_id=artist, **changes) for _ in range(count)]
    return [await workshop.offer(master) for master in masters]


async def line(workshop, count):
    """Take jobs, and return them in that order."""
    queue = workshop.queue(lease_seconds=60.0)
    return [(await workshop.take(queue)).task.id for _ in range(count)]


async def test_artists_take_turns(workshop):
    """Whoever sends a whole catalogue waits behind nobody, but nobody waits behind the catalogue either."""
    many = await offered(workshop, uuid4(), 4)
    two = await offered(workshop, uuid4(), 2)
    (one,) = await offered(workshop, uuid4())

    assert await line(workshop, 7) == [many[0], two[0], one, many[1], two[1], many[2], many[3]]


async def test_an_artist_who_comes_again_has_no_older_rights(workshop):
    """Time in which nothing was asked for does not count as waiting."""
    artist = uuid4()
    (first,) = await offered(workshop, artist)
    assert await line(workshop, 1) == [first]
    (of_another,) = await offered(workshop, uuid4())
    (second,) = await offered(workshop, artist)

    assert await line(workshop, 2) == [of_another, second]


async def test_a_short_job_overtakes_a_long_one(workshop):
    """Among several artists, and among the jobs of one."""
    artist = uuid4()
    (long,) = await offered(workshop, uuid4(), size_bytes=500 << 20)
    (longer,) = await offered(workshop, artist, size_bytes=900 << 20)
    (short,) = await offered(workshop, artist)

    assert await line(workshop, 3) == [short, long, longer]


async def test_a_long_job_is_not_overtaken_for_ever(workshop):
    """Who comes a minute later stands behind it."""
    (long,) = await offered(workshop, uuid4(), size_bytes=900 << 20)
    await offered(workshop, uuid4(), 2)
    past = func.now() - timedelta(seconds=LONGEST_HANDICAP_SECONDS + 1)
    async with workshop.database.begin() as connection:
        job = processing_jobs.c.id == long
        await connection.execute(update(processing_jobs).where(job).values(next_try_at=past))

    assert await line(workshop, 1) == [long]


async def test_a_lost_lease_writes_nothing_and_tells_nothing(workshop, job_id):
    """A worker that wakes up after another one took its job over."""
    zombie = workshop.queue("test-1", lease_seconds=SHORT)
    old = await workshop.take(zombie)
    new = await taken_over(workshop)
    before = await workshop.job(job_id)

    for write in (
        lambda: zombie.prolong(old, "ENCODING", 50),
        lambda: zombie.complete(old, song()),
        lambda: zombie.fail(old, LASTING),
        lambda: zombie.fail(old, PASSING),
        lambda: zombie.release(old),
    ):
        with pytest.raises(LeaseLostError):
            await write()

    assert new.task.attempt == 2
    assert await workshop.job(job_id) == before
    assert await workshop.told(job_id) == []
    assert await workshop.attempts(job_id) == [("test-1", "ABANDONED"), ("test-2", None)]


async def test_an_ended_job_is_not_ended_again(workshop, job_id):
    """The answer to a commit was lost, and the worker writes once more."""
    queue = workshop.queue()
    lease = await workshop.take(queue)
    await queue.complete(lease, song())

    with pytest.raises(LeaseLostError):
        await queue.fail(lease, LASTING)

    assert (await workshop.job(job_id)).status is Status.COMPLETED
    assert len(await workshop.told(job_id)) == 1


async def test_a_lease_that_is_prolonged_in_time_is_not_taken_over(workshop, job_id):
    """A long job stays with its worker."""
    lease = await workshop.take(workshop.queue(lease_seconds=SHORT))
    first_end = time.monotonic() + SHORT
    await workshop.queue(lease_seconds=60).prolong(lease, "ENCODING", 7)

    async def first_end_has_passed():
        return time.monotonic() > first_end

    await until(first_end_has_passed)
    job = await workshop.job(job_id)
    assert await workshop.queue("test-2").take() is None
    assert (job.stage, job.percent, job.attempt) == ("ENCODING", 7, 1)


async def test_a_silent_lease_is_only_over_when_its_time_is(workshop, job_id):
    """Nobody takes a job from a worker that may still be alive."""
    await workshop.take(workshop.queue(lease_seconds=60))

    assert await workshop.queue("test-2").take() is None
    assert (await workshop.job(job_id)).attempt == 1


async def test_a_passing_failure_is_tried_again_and_the_last_one_is_told(workshop, job_id):
    """Five tries, each with its own attempt."""
    queue = workshop.queue(retry_seconds=0.01, longest_retry_seconds=0.01)
    for number in range(1, 6):
        lease = await taken_over(workshop)
        assert lease.task.attempt == number
        assert await workshop.told(job_id) == []
        await queue.fail(lease, PASSING)

    job = await workshop.job(job_id)
    told = await workshop.told(job_id)
    assert (job.status, job.reason, job.attempt) == (Status.FAILED, "ENCODER_CRASHED", 5)
    assert job.error_log == "wordsof the encoder"
    assert [(type(fact), fact.reason, fact.message) for fact in told] == [(JobFailed, "ENCODER_CRASHED", "Try again.")]
    assert [outcome for _, outcome in await workshop.attempts(job_id)] == ["FAILED"] * 5


async def test_a_job_that_waits_for_its_next_try_is_not_due(workshop, job_id):
    """Back-off means that nobody looks at it."""
    queue = workshop.queue(retry_seconds=60.0)
    await queue.fail(await workshop.take(queue), PASSING)

    assert await queue.take() is None
    assert (await workshop.job(job_id)).status is Status.PENDING


async def test_a_lasting_failure_ends_the_job_at_once(workshop, job_id):
    """A broken master does not get better."""
    queue = workshop.queue()
    await queue.fail(await workshop.take(queue), LASTING)

    job = await workshop.job(job_id)
    assert (job.status, job.reason, job.attempt) == (Status.FAILED, "CORRUPT", 1)
    assert len(job.error_log or "") == 16_384
    assert [fact.reason for fact in await workshop.told(job_id)] == ["CORRUPT"]
    assert await queue.take() is None


async def test_giving_a_job_back_burns_no_try(workshop, job_id):
    """However often workers are replaced."""
    queue = workshop.queue()
    for _ in range(7):
        lease = await workshop.take(queue)
        assert lease.task.attempt == 1
        await queue.release(lease)

    assert (await workshop.job(job_id)).attempt == 0


async def test_a_job_over_which_three_workers_fell_silent_is_poison(workshop, job_id):
    """The fourth worker does not get it."""
    for _ in range(3):
        await taken_over(workshop, lease_seconds=SHORT)

    async def given_up():
        assert await workshop.queue("test-4").take() is None
        return (await workshop.job(job_id)).is_over

    await until(given_up)
    job = await workshop.job(job_id)
    assert (job.status, job.reason, job.attempt) == (Status.FAILED, "ENCODER_CRASHED", 3)
    assert [fact.reason for fact in await workshop.told(job_id)] == ["ENCODER_CRASHED"]
    assert [outcome for _, outcome in await workshop.attempts(job_id)] == ["ABANDONED"] * 3


def test_pauses_double_up_to_a_limit_and_are_spread():
    """Jobs that failed together do not come back together."""
    patience = Patience(tries=5, worker_deaths=3, first_pause=2, longest_pause=10)

    assert [patience.pause(attempt, chance=0) for attempt in range(1, 6)] == [2, 4, 8, 10, None]
    assert patience.pause(1, chance=1) == 1


@pytest.mark.parametrize(
    "folder",
    ["", "tracks", "tracks/{track}", "tracks/{track}/", "tracks/{track}/{other}/x", "tracks/{other}/{track}", "../x"],
)
def test_only_the_folder_of_an_attempt_at_the_track_may_be_retired(folder):
    """Everything below the name is removed, so a short one would remove too much."""
    track, other = uuid4(), uuid4()
    check_folder(f"tracks/{track}/{other}", track)

    with pytest.raises(ValueError, match="is no folder"):
        check_folder(folder.format(track=track, other=other), track)
