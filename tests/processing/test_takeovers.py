"""Workers are killed at every point of a job; lease and heartbeat are those of the default settings."""

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from services.processing import scratch
from services.processing.media.ladder import ladder
from services.processing.settings import WorkerSettings
from services.processing.sweeper import Graces, Sweeper
from services.processing.tables import attempts
from spotilike.events.v1.processing_events_pb2 import JobCompleted
from tests.support import audio
from tests.support.mortal import POINTS
from tests.support.processing import until

SECONDS = 32
"""So long that lossless noise is sent in parts."""
RENDITIONS = "aac-128,flac-lossless"
TAKEN_OVER_SECONDS = 15
AT_A_TIME = 3
"""How many workers die side by side: more would take the machine from other tests."""
DEFAULTS = {
    name: WorkerSettings.model_fields[name].default
    for name in ("lease_seconds", "heartbeat_seconds", "check_seconds", "poll_seconds")
}

pytestmark = pytest.mark.xdist_group("workers")


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Return the bytes of a lossless master."""
    return audio.save(tmp_path_factory.mktemp("song") / "song.flac", audio.noise(SECONDS)).read_bytes()


async def attempts_of(workshop, job_id):
    """Read the attempts at a job, the oldest first."""
    statement = attempts.select().where(attempts.c.job_id == job_id).order_by(attempts.c.started_at)
    async with workshop.database.read() as connection:
        return (await connection.execute(statement)).all()


async def killed(workshop, point, turn):
    """Let a worker die at a point; return the point, its process id and when it was gone."""
    async with turn:
        worker = await workshop.spawn("tests.support.mortal", point, SPOTILIKE_RENDITIONS=RENDITIONS)
        assert await worker.wait() == -9, point
    return point, worker.pid, time.time()


async def test_a_job_is_taken_over_within_fifteen_seconds_wherever_its_worker_was_killed(workshop, song):
    """It is published once, and in the end there is nothing of the killed attempts: no object, no part, no scratch."""
    workshop.settings = workshop.settings.model_copy(update=DEFAULTS | {"renditions": ladder(RENDITIONS)})
    masters = {}
    for _ in POINTS:
        master = await workshop.upload(song)
        masters[await workshop.offer(master)] = master

    async def each_has_one():
        async with workshop.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(attempts)) >= len(POINTS)

    async with AsyncExitStack() as rescuers, asyncio.TaskGroup() as tasks:
        turn = asyncio.Semaphore(AT_A_TIME)
        deaths = [tasks.create_task(killed(workshop, point, turn)) for point in POINTS]
        await until(each_has_one, seconds=120)
        for _ in POINTS:
            await rescuers.enter_async_context(workshop.working(workshop.worker()))
        rescue = time.time()
        jobs = {job_id: await workshop.over(job_id) for job_id in masters}

    died = {pid: (point, moment) for point, pid, moment in [death.result() for death in deaths]}
    waited = {}
    for job_id, job in jobs.items():
        tries = await attempts_of(workshop, job_id)
        for one, following in pairwise(tries):
            point, moment = died[int(one.worker_pod.rsplit("-", 1)[1])]
            # Those that die first die before there is anybody to take over, when processes are slow to start.
            waited[point] = following.started_at.timestamp() - max(moment, rescue)
        (told,) = await workshop.told(job_id)
        assert [one.outcome for one in tries] == ["ABANDONED"] * (len(tries) - 1) + ["COMPLETED"]
        assert isinstance(told, JobCompleted)
        assert (told.facts.samples, told.folder) == (SECONDS * 44_100, job.folder)
    print(f"taken over after {waited} s")  # noqa: T201 (a measurement)
    assert waited.keys() == POINTS.keys() - {"told"}
    assert max(waited.values()) <= TAKEN_OVER_SECONDS

    prefixes = {job.folder: f"tracks/{masters[job_id].track_id}/" for job_id, job in jobs.items()}
    assert await left_behind(workshop, prefixes)
    await Sweeper(workshop.store, workshop.storage, Graces(0, 0, 0, 0)).sweep()
    assert await left_behind(workshop, prefixes) == []
    assert workshop.scratch_files()
    with scratch.folder(workshop.scratch) as folder:
        assert workshop.scratch_files() == [folder]


async def left_behind(workshop, prefixes):
    """List objects and open uploads of tracks beside their published folders."""
    found = []
    for folder, prefix in prefixes.items():
        uploads = [key for key, _ in await workshop.storage.open_uploads("audio", prefix)]
        keys = [key for key in await workshop.storage.keys("audio", prefix) if not key.startswith(f"{folder}/")]
        found += uploads + keys
    return found
