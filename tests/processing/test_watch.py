"""Jobs while they change, as clients see them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func

from services.processing import __main__ as processing_main
from services.processing.domain import Status
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.manager_service_pb2 import DeleteManagerRequest
from spotilike.processing.v1.job_pb2 import Job
from spotilike.processing.v1.job_service_pb2 import CancelJobRequest, RetryJobRequest, WatchJobsRequest
from spotilike.processing.v1.job_service_pb2_grpc import JobServiceStub
from tests.processing.jobs import change, uploaded
from tests.support.processing import processing_settings
from tests.support.services import run

HEARTBEAT = 0.3
SECONDS = 20


@pytest.fixture
async def watched(user, catalog, streams, databases):
    """Return a client of a service whose heart beats fast."""
    url = await databases.url("processing")
    fast = {"heartbeat_seconds": HEARTBEAT, "watch_seconds": 0.05, "drain_seconds": 0.0, "drain_delay_seconds": 0.0}
    settings = processing_settings(streams, user, url, catalog.internal_address, **fast)
    running = await run(processing_main.wire(settings), streams)
    yield running.public(JobServiceStub)
    await running.process.stop()


class Screen:
    """What a client has read of a stream."""

    def __init__(self, stream):
        self._messages = aiter(stream)
        self.sequences = []
        self.jobs = {}

    async def read(self):
        """Read one message."""
        async with asyncio.timeout(SECONDS):
            message = await anext(self._messages)
        self.sequences.append(message.sequence)
        self.jobs |= {job.name: job for job in message.jobs}
        return list(message.jobs)

    async def until(self, name, **fields):
        """Read until a job is shown with these fields."""
        while not (job := self.jobs.get(name)) or any(getattr(job, key) != value for key, value in fields.items()):
            await self.read()


async def move(intake, job, **values):
    """Write into a job, as of now."""
    await change(intake, job, **values, updated_at=func.now())


@asynccontextmanager
async def watching(jobs, metadata, sequence=0) -> AsyncIterator[Screen]:
    """Watch as long as the block lasts."""
    stream = jobs.WatchJobs(WatchJobsRequest(sequence=sequence), metadata=metadata)
    yield Screen(stream)
    stream.cancel()


async def test_the_first_message_shows_what_has_not_ended(watched, intake, edge, studio, job):
    """It comes at once, and is empty when there is nothing."""
    ended = await uploaded(intake, edge, studio)
    await change(intake, ended, status=Status.COMPLETED)

    async with watching(watched, studio.account.metadata) as screen:
        assert [each.name for each in await screen.read()] == [job]
    await change(intake, job, status=Status.COMPLETED)
    async with watching(watched, studio.account.metadata) as screen:
        assert await screen.read() == []


async def test_every_change_is_shown(watched, intake, studio, job):
    """State, stage, percentage, attempt and reason; nothing that is for administrators."""
    async with watching(watched, studio.account.metadata) as screen:
        await screen.read()
        await move(intake, job, status=Status.PROCESSING, attempt=1, error_log="words")
        await screen.until(job, state=Job.PROCESSING, attempt=1)
        await move(intake, job, stage="ENCODING", percent=42)
        await screen.until(job, stage=Job.ENCODING, percent=42)
        assert screen.jobs[job].error_log == ""
        await watched.CancelJob(CancelJobRequest(name=job), metadata=studio.account.metadata)
        await screen.until(job, state=Job.FAILED, reason="CANCELLED", stage=Job.STAGE_UNSPECIFIED)
        await watched.RetryJob(RetryJobRequest(name=job), metadata=studio.account.metadata)
        await screen.until(job, state=Job.PENDING, attempt=0, reason="")
        assert screen.sequences == sorted(screen.sequences)


async def test_a_new_job_is_shown(watched, intake, edge, studio):
    """Nobody has to ask for it by name."""
    async with watching(watched, studio.account.metadata) as screen:
        assert await screen.read() == []
        job = await uploaded(intake, edge, studio)
        await screen.until(job, state=Job.PENDING)


async def test_a_client_that_returns_sees_what_it_has_missed(watched, intake, edge, studio, job):
    """Also what has ended meanwhile."""
    async with watching(watched, studio.account.metadata) as screen:
        await screen.read()
    await move(intake, job, status=Status.FAILED, reason="CORRUPT")
    other = await uploaded(intake, edge, studio)

    async with watching(watched, studio.account.metadata, screen.sequences[-1]) as again:
        assert {each.name for each in await again.read()} == {job, other}
    assert again.jobs[job].reason == "CORRUPT"


async def test_a_client_that_missed_nothing_is_told_nothing_old(watched, intake, studio, job):
    """What changed long before its sequence is known to it."""
    await change(intake, job, updated_at=func.now() - timedelta(hours=1))
    async with watching(watched, studio.account.metadata) as screen:
        assert [each.name for each in await screen.read()] == [job]
    async with watching(watched, studio.account.metadata, screen.sequences[-1]) as again:
        assert await again.read() == []


async def test_a_quiet_stream_has_a_heartbeat(watched, studio):
    """So that neither side takes it for dead; its sequence goes on."""
    async with watching(watched, studio.account.metadata) as screen:
        for _ in range(4):
            assert await screen.read() == []
    assert screen.sequences == sorted(screen.sequences)
    assert screen.sequences[-1] > screen.sequences[0] > 0


async def test_only_the_jobs_of_the_caller_s_artists_are_shown(watched, intake, sign_up, admin, job):
    """An administrator sees everybody's, and the encoder's words."""
    stranger = await sign_up()
    async with watching(watched, stranger.metadata) as theirs, watching(watched, admin) as everybody_s:
        assert await theirs.read() == []
        await move(intake, job, percent=7, error_log="words")
        await everybody_s.until(job, percent=7, error_log="words")
        for _ in range(3):
            assert await theirs.read() == []


@pytest.fixture
async def uploader(edge, studio, sign_up):
    """Return somebody who may upload for the studio's artist."""
    account = await sign_up()
    await edge.manager(studio.artist, studio.account, account, Manager.Permission.UPLOAD)
    return account


async def test_whoever_leaves_the_team_sees_nothing_more(watched, intake, edge, studio, uploader):
    """The permission is looked at again at each heartbeat."""
    job = await uploaded(intake, edge, studio)
    async with watching(watched, uploader.metadata) as screen:
        await screen.until(job, state=Job.PENDING)
        request = DeleteManagerRequest(name=f"{studio.artist}/managers/{uploader.id}")
        await edge.managers.DeleteManager(request, metadata=studio.account.metadata)
        for _ in range(2):
            await screen.read()
        await move(intake, job, percent=7)
        for _ in range(3):
            assert await screen.read() == []
