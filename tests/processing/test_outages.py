"""What workers do while something they need is away."""

import asyncio
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from services.common.storage import Storage
from services.processing.domain import Status
from services.processing.media.facts import Stage
from tests.support import audio
from tests.support.processing import until


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Return the bytes of a master that can be caught in its encoding."""
    return audio.save(tmp_path_factory.mktemp("song") / "song.ogg", audio.noise(20)).read_bytes()


class Link:
    """A way to the object store that can be cut: every byte goes through it to the real one."""

    def __init__(self, target):
        self._host, _, self._port = target.partition(":")
        self._server: asyncio.Server
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def connect(self):
        """Let connections through, on the same port every time."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self):
        """End all connections and refuse new ones."""
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _carry(self, reader, writer):
        there = await asyncio.open_connection(self._host, int(self._port))
        self._open |= {writer, there[1]}
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer), return_exceptions=True)


async def _pump(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


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
    assert len(await workshop.told(job_id)) == 1


async def test_a_job_is_not_completed_while_the_object_store_is_away_and_loses_no_try(workshop, song):
    """The link is cut in the middle of the encoding; when it is back, the job is done anew."""
    master = await workshop.upload(song)
    job_id = await workshop.offer(master)
    link = Link(workshop.settings.s3_endpoint)
    await link.connect()
    storage = Storage(workshop.settings.model_copy(update={"s3_endpoint": f"127.0.0.1:{link.port}"}))

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
