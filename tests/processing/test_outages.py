"""What workers do while something they need is away."""

from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from services.common.storage import Storage
from services.processing.domain import Status
from services.processing.media.facts import Stage
from spotilike.internal.v1.audio_pb2 import AudioFacts
from tests.support import audio
from tests.support.links import Link
from tests.support.processing import until

SECONDS = 20


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Return the bytes of a master that can be caught in its encoding."""
    return audio.save(tmp_path_factory.mktemp("song") / "song.ogg", audio.noise(SECONDS)).read_bytes()


@asynccontextmanager
async def database_away(workshop, engines):
    """Refuse every connection to this test's database, as a server that is starting does."""
    name = make_url(workshop.settings.database_url.get_secret_value()).database or ""
    async with await psycopg.AsyncConnection.connect(engines.postgres_admin_url, autocommit=True) as server:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        await server.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            await server.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


def is_encoding(workshop, job_id):
    """Return a condition: the job is in the middle of its encoding."""

    async def encoding():
        job = await workshop.job(job_id)
        return job.stage == Stage.ENCODING and job.percent > 0

    return encoding


async def test_a_job_that_ends_while_the_database_is_away_is_completed_when_it_is_back(workshop, engines, song):
    """The work is not lost, and the job is completed only after its objects are there."""
    master = await workshop.upload(song)
    job_id = await workshop.offer(master)

    async def published():
        return any(key.endswith("/opus.m3u8") for key in await workshop.objects(master))

    async with workshop.working(workshop.worker()):
        await until(is_encoding(workshop, job_id))
        async with database_away(workshop, engines):
            await until(published)
        job = await workshop.over(job_id)

    assert (job.status, job.attempt) == (Status.COMPLETED, 1)
    assert {key.rsplit("/", 1)[0] for key in await workshop.objects(master)} == {job.folder}
    assert len(await workshop.told(job_id)) == 1


async def test_a_job_is_not_completed_while_the_object_store_is_away_and_loses_no_try(workshop, song):
    """The link is cut in the middle of the encoding; when it is back, the job is done anew."""
    master = await workshop.upload(song)
    job_id = await workshop.offer(master)
    link = Link(workshop.settings.s3_endpoint)
    await link.connect()
    storage = Storage(workshop.settings.model_copy(update={"s3_endpoint": link.address}))

    async def given_back_twice():
        return [outcome for _, outcome in await workshop.attempts(job_id)].count("RELEASED") >= 2

    async with workshop.working(workshop.worker(storage)):
        await until(is_encoding(workshop, job_id))
        await link.cut()
        await until(given_back_twice, seconds=30)
        assert await workshop.objects(master) == []
        assert not (await workshop.job(job_id)).is_over
        await link.connect()
        job = await workshop.over(job_id)

    await link.cut()
    assert (job.status, job.attempt) == (Status.COMPLETED, 1)
    assert {key.rsplit("/", 1)[0] for key in await workshop.objects(master)} == {job.folder}


async def test_a_master_whose_transfer_breaks_off_is_read_again_and_never_completed_as_it_is(workshop, song):
    """Half of it arrives, again and again, until the link carries the whole."""
    master = await workshop.upload(song)
    job_id = await workshop.offer(master)
    link = Link(workshop.settings.s3_endpoint)
    link.longest_answer = len(song) // 2
    await link.connect()
    storage = Storage(workshop.settings.model_copy(update={"s3_endpoint": link.address}))

    async def given_back_twice():
        return [outcome for _, outcome in await workshop.attempts(job_id)].count("RELEASED") >= 2

    async with workshop.working(workshop.worker(storage)):
        await until(given_back_twice)
        assert await workshop.objects(master) == []
        assert await workshop.told(job_id) == []
        link.longest_answer = None
        job = await workshop.over(job_id)

    await link.cut()
    assert (job.status, job.attempt) == (Status.COMPLETED, 1)
    assert {outcome for _, outcome in await workshop.attempts(job_id)} == {"RELEASED", "COMPLETED"}
    assert AudioFacts.FromString(job.facts or b"").samples == SECONDS * 44_100


async def test_an_idle_worker_outlives_its_database(workshop, engines, song):
    """It looks again and again."""
    worker = workshop.worker()
    async with workshop.working(worker) as work:
        async with database_away(workshop, engines):
            with pytest.raises(Exception, match="not currently accepting connections"):
                await workshop.queue().take()
        job = await workshop.over(await workshop.offer_content(song))
        assert not work.done()

    assert job.status is Status.COMPLETED
