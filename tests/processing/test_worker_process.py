"""Workers as processes, and what happens when they are ended."""

import asyncio
import os
import resource
import signal
import sys
import time

import psutil
import pytest
from sqlalchemy import func, select

from cli.engines.data import ROOT
from services.common.events import connect
from services.common.settings import NatsSettings
from services.processing.domain import Status
from services.processing.events import NUDGE
from services.processing.media.facts import Stage
from services.processing.tables import processing_jobs
from spotilike.events.v1.processing_events_pb2 import JobCompleted
from tests.support import audio
from tests.support.processing import until

LONG_SECONDS = 30
"""Two seconds of work for one core: enough to be caught at it."""

pytestmark = pytest.mark.xdist_group("workers")


@pytest.fixture(scope="module")
def long_song(tmp_path_factory):
    """Return the bytes of a master that takes a while."""
    return audio.save(tmp_path_factory.mktemp("long") / "long.ogg", audio.noise(LONG_SECONDS)).read_bytes()


async def caught_encoding(workshop, job_id):
    """Wait until a job is in the middle of its encoding."""

    async def encoding():
        job = await workshop.job(job_id)
        return job.stage == Stage.ENCODING and job.percent > 0

    await until(encoding, seconds=60)


async def test_a_killed_worker_s_job_is_taken_over_and_published_once(workshop, long_song):
    """SIGKILL in the middle of the encoding, encoder and scratch included."""
    master = await workshop.upload(long_song)
    job_id = await workshop.offer(master)
    first = await workshop.spawn()
    await caught_encoding(workshop, job_id)
    encoders = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    caught = await workshop.job(job_id)
    assert (caught.status, caught.stage) == (Status.PROCESSING, Stage.ENCODING)
    assert 0 < caught.percent < 100
    assert encoders

    second = await workshop.spawn()
    job = await workshop.over(job_id)

    (told,) = await workshop.told(job_id)
    assert isinstance(told, JobCompleted)
    assert told.facts.samples == LONG_SECONDS * 44_100
    assert (job.status, job.attempt, job.worker_deaths) == (Status.COMPLETED, 2, 1)
    assert {key.rsplit("/", 1)[0] for key in await workshop.objects(master)} == {told.folder}
    (one, ended), (two, completed) = await workshop.attempts(job_id)
    assert (one.endswith(f"-{first.pid}"), ended) == (True, "ABANDONED")
    assert (two.endswith(f"-{second.pid}"), completed) == (True, "COMPLETED")
    assert not any(encoder.is_running() and encoder.status() != psutil.STATUS_ZOMBIE for encoder in encoders)
    second.send_signal(signal.SIGTERM)
    assert await second.wait() == 0
    assert workshop.scratch_files() == []


async def test_a_worker_that_has_to_leave_gives_its_job_back_without_burning_a_try(workshop, long_song):
    """SIGTERM, and no time to finish."""
    job_id = await workshop.offer_content(long_song)
    worker = await workshop.spawn(SPOTILIKE_DRAIN_SECONDS="0")
    await caught_encoding(workshop, job_id)
    worker.send_signal(signal.SIGTERM)

    async with asyncio.timeout(30):
        assert await worker.wait() == 0
    job = await workshop.job(job_id)
    assert (job.status, job.attempt, job.stage) == (Status.PENDING, 0, None)
    assert [outcome for _, outcome in await workshop.attempts(job_id)] == ["RELEASED"]
    assert await workshop.told(job_id) == []
    assert workshop.scratch_files() == []
    lease = await workshop.take()
    assert (lease.task.id, lease.task.attempt) == (job_id, 1)


async def test_a_worker_that_may_finish_finishes(workshop, long_song):
    """SIGTERM, and time enough; no further job is taken."""
    job_id, waiting = await workshop.offer_content(long_song), await workshop.offer_content(long_song)
    worker = await workshop.spawn(SPOTILIKE_DRAIN_SECONDS="60")
    await caught_encoding(workshop, job_id)
    worker.send_signal(signal.SIGTERM)

    async with asyncio.timeout(30):
        assert await worker.wait() == 0
    assert (await workshop.job(job_id)).status is Status.COMPLETED
    assert (await workshop.job(waiting)).status is Status.PENDING


async def test_a_full_scratch_is_emptied_and_other_jobs_go_on(workshop, long_song, tmp_path):
    """A limit on the length of files stands for a disk without room; the long master is done when there is some."""
    short = audio.save(tmp_path / "short.ogg", audio.sweep(2)).read_bytes()
    worker = await workshop.spawn()
    _, most = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (len(long_song) // 2, resource.RLIM_INFINITY))
    job_id, others = await workshop.offer_content(long_song), [await workshop.offer_content(short) for _ in range(2)]

    async def given_back():
        return "RELEASED" in [outcome for _, outcome in await workshop.attempts(job_id)]

    await until(given_back)
    assert {(await workshop.over(other)).status for other in others} == {Status.COMPLETED}
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (most, most))
    job = await workshop.over(job_id)

    assert (job.status, job.attempt) == (Status.COMPLETED, 1)
    assert worker.returncode is None
    (folder,) = (path for path in workshop.scratch_files() if path.is_dir())
    assert list(folder.iterdir()) == []


WRONG_CLOCK = """
import datetime, os, time

SHIFT = float(os.environ["WRONG_CLOCK_SECONDS"])
right, Right = time.time, datetime.datetime

class Same(type):
    def __instancecheck__(cls, value):
        return isinstance(value, Right)

class Wrong(Right, metaclass=Same):
    @classmethod
    def now(cls, tz=None):
        return Right.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.UTC).replace(tzinfo=None)

time.time = lambda: right() + SHIFT
time.time_ns = lambda: int(time.time() * 10**9)
datetime.datetime = Wrong
"""


async def wrong_clock_of(environment):
    """Read the clock of a process with this environment; return how wrong it is, in seconds."""
    program = "import datetime, time; print(time.time(), datetime.datetime.now(datetime.UTC).timestamp())"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", program), env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    return [float(clock) - time.time() for clock in printed.split()]


async def test_workers_whose_clocks_are_wrong_by_ten_minutes_do_no_job_twice(workshop, tmp_path):
    """Only the database's clock counts: each job has one attempt, whose lease ends when it should."""
    (tmp_path / "sitecustomize.py").write_text(WRONG_CLOCK)
    paths = os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "gen")])
    clocks = [{"PYTHONPATH": paths, "WRONG_CLOCK_SECONDS": shift} for shift in ("600", "-600")]
    for clock in clocks:
        assert await wrong_clock_of(clock) == pytest.approx([float(clock["WRONG_CLOCK_SECONDS"])] * 2, abs=30)
        await workshop.spawn(**clock)
    song = audio.save(tmp_path / "song.ogg", audio.noise(20)).read_bytes()
    jobs = [await workshop.offer_content(song) for _ in range(4)]
    lease = select(func.extract("epoch", processing_jobs.c.lease_until - func.now()))
    left: list[float] = []

    async def all_over():
        async with workshop.database.read() as connection:
            left.extend(filter(None, await connection.scalars(lease)))
        return all([(await workshop.job(job_id)).is_over for job_id in jobs])

    await until(all_over, seconds=60)
    attempts = [await workshop.attempts(job_id) for job_id in jobs]
    assert [[outcome for _, outcome in each] for each in attempts] == [["COMPLETED"]] * 4
    assert {pod.rsplit("-", 1)[1] for each in attempts for pod, _ in each} == {
        str(process.pid) for process in workshop.processes
    }
    assert 0 < max(left) <= workshop.settings.lease_seconds


async def test_a_nudge_wakes_an_idle_worker(workshop, engines):
    """A job need not wait for the next look."""
    worker = await workshop.spawn(SPOTILIKE_POLL_SECONDS="3600")
    settings = NatsSettings(nats_url=engines.nats_url, nats_seed_file=engines.nats_seed_file("processing"))
    connection = await connect(settings, "processing")
    job_id = await workshop.offer_content(b"no music")

    async def over():
        await connection.publish(NUDGE)
        return (await workshop.job(job_id)).is_over

    await until(over)
    await connection.close()
    assert worker.returncode is None


async def test_the_end_of_a_task_is_told_at_once(workshop, engines):
    """The service need not wait for its next look to tell the other contexts."""
    settings = NatsSettings(nats_url=engines.nats_url, nats_seed_file=engines.nats_seed_file("processing"))
    connection = await connect(settings, "processing")
    heard = await connection.subscribe(NUDGE)
    await workshop.spawn()
    job_id = await workshop.offer_content(b"no music")

    async def told():
        await heard.next_msg(timeout=30)
        return (await workshop.job(job_id)).is_over

    await until(told)
    await connection.close()


async def test_a_preview_is_told_at_once(workshop, engines, long_song):
    """The artist waits for it, and the service need not look again and again."""
    settings = NatsSettings(nats_url=engines.nats_url, nats_seed_file=engines.nats_seed_file("processing"))
    connection = await connect(settings, "processing")
    heard = await connection.subscribe(NUDGE)
    await workshop.spawn()
    job_id = await workshop.offer_content(long_song)

    async def told():
        await heard.next_msg(timeout=30)
        job = await workshop.job(job_id)
        return job.preview is not None and not job.is_over

    await until(told)
    await connection.close()
