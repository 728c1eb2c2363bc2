"""People stop jobs and start them anew."""

import asyncio
import time
from uuid import UUID, uuid4

import grpc
import psutil
import pytest

from services.processing import interventions
from services.processing.domain import CANCELLED, LeaseLostError, Status
from services.processing.events import NUDGE
from services.processing.media.facts import Stage
from spotilike.catalog.v1.track_pb2 import Track
from spotilike.events.v1.processing_events_pb2 import JobCompleted, JobFailed
from spotilike.processing.v1.job_pb2 import Job
from spotilike.processing.v1.job_service_pb2 import CancelJobRequest, GetJobRequest, RetryJobRequest
from tests.processing.jobs import change, precondition, refusal
from tests.support import audio
from tests.support.processing import song, until

FAILED = {"status": Status.FAILED, "reason": "CORRUPT", "message": "Export it again.", "attempt": 5}
CANCEL_SECONDS = 3.0
"""About five times what passes between a cancelled job and the end of its encoder."""
LONG_SECONDS = 600
"""So long that the encoder is still at work when a worker that seldom tells has told of it."""

pytestmark = pytest.mark.xdist_group("workers")


async def cancel(workshop, job_id):
    """Stop a job in a queue without a service."""
    async with workshop.store.begin() as tx:
        await interventions.cancel(tx, job_id)


async def retry(workshop, job_id):
    """Start a job anew in a queue without a service."""
    async with workshop.store.begin() as tx:
        await interventions.retry(tx, job_id)


async def test_a_job_that_waits_is_cancelled_at_once(jobs, intake, edge, studio, job):
    """Its artist reads so at the track, and no worker gets it."""
    cancelled = await jobs.CancelJob(CancelJobRequest(name=job), metadata=studio.account.metadata)

    assert (cancelled.state, cancelled.reason) == (Job.FAILED, CANCELLED)
    assert cancelled.message.endswith(".")

    async def told():
        return (await edge.shown(studio.account, cancelled.track)).failure.reason == CANCELLED

    await until(told)
    again = await jobs.CancelJob(CancelJobRequest(name=job), metadata=studio.account.metadata)
    assert again == cancelled
    assert len(await intake.told(UUID(job.split("/")[1]))) == 1


@pytest.mark.parametrize("ended", [{"status": Status.COMPLETED}, FAILED], ids=["completed", "failed"])
async def test_a_job_that_has_ended_is_not_cancelled(jobs, intake, studio, job, ended):
    """What is done stays done, and why it failed stays to be read."""
    await change(intake, job, **ended)

    call = jobs.CancelJob(CancelJobRequest(name=job), metadata=studio.account.metadata)
    assert await precondition(call) == "JOB_OVER"


async def test_a_cancelled_job_is_lost_for_its_worker_and_its_folder_is_garbage(workshop):
    """Whatever the worker still wants to write."""
    job_id = await workshop.offer_content(b"music")
    queue = workshop.queue(lease_seconds=60.0)
    lease = await workshop.take(queue)
    await cancel(workshop, job_id)

    for write in (
        lambda: queue.check(lease),
        lambda: queue.prolong(lease, "ENCODING", 50),
        lambda: queue.complete(lease, song()),
        lambda: queue.release(lease),
    ):
        with pytest.raises(LeaseLostError):
            await write()

    assert await workshop.attempts(job_id) == [("test-1", "CANCELLED")]
    async with workshop.store.read() as tx:
        assert await tx.attempts.garbage(-1.0, 10) == [lease.folder]
    assert [type(fact) for fact in await workshop.told(job_id)] == [JobFailed]
    assert await queue.take() is None


@pytest.fixture
async def encoding(workshop, tmp_path):
    """Return what gives a worker of some settings a long job; answers the job and the processes that encode it."""

    async def begin(**settings):
        long = audio.save(tmp_path / "long.flac", audio.tones(LONG_SECONDS, 8_000, 1), 8_000).read_bytes()
        job_id = await workshop.offer_content(long)
        settings = {name: str(value) for name, value in settings.items()}
        worker = psutil.Process((await workshop.spawn(**settings)).pid)

        async def begun():
            # The stage is told a moment before its encoder is there.
            return (await workshop.job(job_id)).stage == Stage.ENCODING and worker.children(recursive=True)

        await until(begun)
        return job_id, worker.children(recursive=True)

    return begin


async def end_of(encoders):
    """Wait until processes have ended; answer the seconds."""
    assert encoders
    began = time.monotonic()

    async def ended():
        return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in encoders)

    await until(ended)
    return time.monotonic() - began


async def test_the_encoder_of_a_cancelled_job_ends_within_a_second(workshop, encoding):
    """Long before the next heartbeat; the worker goes on with the next job."""
    job_id, encoders = await encoding(SPOTILIKE_HEARTBEAT_SECONDS=60, SPOTILIKE_LEASE_SECONDS=120)
    await cancel(workshop, job_id)

    assert await end_of(encoders) < CANCEL_SECONDS
    assert (await workshop.job(job_id)).reason == CANCELLED
    following = await workshop.over(await workshop.offer_content(b"no music"))
    assert following.reason == "UNSUPPORTED_CONTAINER"


async def test_a_nudge_makes_a_worker_look_after_its_job(workshop, encoding, broker):
    """It need not wait for its next look."""
    job_id, encoders = await encoding(
        SPOTILIKE_HEARTBEAT_SECONDS=600, SPOTILIKE_CHECK_SECONDS=600, SPOTILIKE_LEASE_SECONDS=1200
    )
    await cancel(workshop, job_id)
    await broker.publish(NUDGE)

    assert await end_of(encoders) < CANCEL_SECONDS


async def test_workers_are_nudged_when_a_job_is_stopped(jobs, studio, job, broker):
    """The one that has it looks at once."""
    nudges = await broker.subscribe(NUDGE)
    await broker.flush()
    await jobs.CancelJob(CancelJobRequest(name=job), metadata=studio.account.metadata)

    await nudges.next_msg(timeout=5)


async def test_a_failed_job_begins_anew(jobs, intake, edge, studio, job):
    """With all of its tries; its artist sees that it is being processed again."""
    await jobs.CancelJob(CancelJobRequest(name=job), metadata=studio.account.metadata)
    await change(intake, job, attempt=5, worker_deaths=3, percent=80, error_log="words")

    retried = await jobs.RetryJob(RetryJobRequest(name=job), metadata=studio.account.metadata)

    assert (retried.state, retried.attempt, retried.percent) == (Job.PENDING, 0, 0)
    assert (retried.reason, retried.message) == ("", "")
    found = await intake.job(UUID(job.split("/")[1]))
    assert (found.worker_deaths, found.error_log, found.attempt_id) == (0, None, None)

    async def heard():
        track = await edge.shown(studio.account, retried.track)
        return (track.state, track.failure.reason) == (Track.PROCESSING, "")

    await until(heard)


async def test_a_job_that_is_tried_again_may_be_completed(workshop):
    """The attempt before it writes nothing more, and each one has a folder of its own."""
    job_id = await workshop.offer_content(b"music")
    queue = workshop.queue(lease_seconds=60.0)
    first = await workshop.take(queue)
    await cancel(workshop, job_id)
    await retry(workshop, job_id)

    with pytest.raises(LeaseLostError):
        await queue.complete(first, song())
    second = await workshop.take(queue)
    with pytest.raises(LeaseLostError):
        await queue.complete(first, song())
    await queue.complete(second, song())

    assert second.task.attempt == 1
    assert second.folder != first.folder
    assert (await workshop.job(job_id)).folder == second.folder
    assert [type(fact) for fact in await workshop.told(job_id)][-1] is JobCompleted


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.COMPLETED])
async def test_only_a_failed_job_is_tried_again(jobs, intake, studio, job, status):
    """Two attempts at once would only be in each other's way."""
    await change(intake, job, status=status)

    call = jobs.RetryJob(RetryJobRequest(name=job), metadata=studio.account.metadata)
    assert await precondition(call) == "JOB_NOT_FAILED"


async def test_a_job_whose_master_is_gone_is_not_tried_again(jobs, intake, studio, job):
    """The artist learns at once what five tries would show."""
    await change(intake, job, **FAILED, source_key="tracks/nothing/here")

    call = jobs.RetryJob(RetryJobRequest(name=job), metadata=studio.account.metadata)
    assert await precondition(call) == "MASTER_MISSING"
    assert (await intake.job(UUID(job.split("/")[1]))).status is Status.FAILED


async def test_a_repeated_request_is_carried_out_once(jobs, intake, studio, job):
    """The answer was lost, the job has failed again, and the client repeats its call."""
    await change(intake, job, **FAILED)
    request = RetryJobRequest(name=job, request_id=str(uuid4()))
    retried = await jobs.RetryJob(request, metadata=studio.account.metadata)
    await change(intake, job, **FAILED)
    again = await jobs.RetryJob(request, metadata=studio.account.metadata)

    assert (retried.state, again.state) == (Job.PENDING, Job.FAILED)
    assert (await intake.job(UUID(job.split("/")[1]))).status is Status.FAILED


async def test_of_many_who_try_a_job_again_at_once_one_does(jobs, intake, studio, job):
    """The others hear that there is nothing to try again."""
    await change(intake, job, **FAILED)
    calls = [jobs.RetryJob(RetryJobRequest(name=job), metadata=studio.account.metadata) for _ in range(4)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(Job) == 1
    assert len(await intake.told(UUID(job.split("/")[1]))) == 1


async def test_a_stranger_neither_cancels_nor_tries_again(jobs, sign_up, studio, job):
    """To them there is no such job."""
    stranger = await sign_up()
    hidden = (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND", 1.0)

    assert await refusal(jobs.CancelJob(CancelJobRequest(name=job), metadata=stranger.metadata)) == hidden
    assert await refusal(jobs.RetryJob(RetryJobRequest(name=job), metadata=stranger.metadata)) == hidden
    shown = await jobs.GetJob(GetJobRequest(name=job), metadata=studio.account.metadata)
    assert shown.state == Job.PENDING
