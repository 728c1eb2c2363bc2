"""The processing context for tests: the service, and a workshop where workers work on a queue of their own."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.message import Message
from sqlalchemy import func, select, update

from cli.engines.data import ROOT
from services.common.db import Database
from services.common.settings import StorageSettings
from services.common.storage import Storage
from services.processing import __main__ as processing_main
from services.processing.domain import Job, Lease, Master, Patience, Picture, Song, Source
from services.processing.events import Nudges
from services.processing.ffmpeg import Ffmpeg
from services.processing.queue import JobQueue, PictureQueue
from services.processing.settings import Settings, WorkerSettings
from services.processing.store import Store, Transaction
from services.processing.tables import attempts, outbox, processing_jobs
from services.processing.trades import Pictures, Songs
from services.processing.worker import AnyTrade, Worker
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.processing_events_pb2 import (
    ArtworkCompleted,
    ArtworkFailed,
    JobCompleted,
    JobFailed,
    JobRetried,
)
from spotilike.internal.v1.audio_pb2 import AudioFacts
from tests.support.databases import Databases
from tests.support.engines import Engines
from tests.support.services import RunningService, listeners, run

TOLD: dict[str, type[Message]] = {
    "spotilike.processing.job_completed": JobCompleted,
    "spotilike.processing.job_failed": JobFailed,
    "spotilike.processing.job_retried": JobRetried,
    "spotilike.processing.artwork_completed": ArtworkCompleted,
    "spotilike.processing.artwork_failed": ArtworkFailed,
}


def song(fingerprint: bytes = b"") -> Song:
    """Return what might have been made of a master: as much as the catalog needs of it."""
    return Song(AudioFacts(samples=100_500, sample_rate_hz=1000).SerializeToString(), fingerprint)


def storage_settings(engines: Engines, identity: str) -> dict[str, Any]:
    """Return the settings of one identity at the object store."""
    keys = engines.s3_credentials(identity)
    return {
        "s3_endpoint": engines.s3_endpoint,
        "s3_access_key": keys.access_key,
        "s3_secret_key": keys.secret_key,
    }


def nats_settings(engines: Engines) -> dict[str, Any]:
    """Return the settings of the processing identity at the broker."""
    return {"nats_url": engines.nats_url, "nats_seed_file": str(engines.nats_seed_file("processing"))}


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait for a condition that is outside this process."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@dataclass
class Workshop:
    """One queue in a database of its own, with the real object store."""

    settings: WorkerSettings
    database: Database
    storage: Storage
    """As workers see it."""
    uploads: Storage
    """As the catalog sees it."""
    ffmpeg: Ffmpeg
    scratch: Path
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """The rows."""
        return Store(self.database)

    def queue(self, worker_pod: str = "test-1", **changes: float) -> JobQueue:
        """Make a view of the queue of masters; `changes` are settings."""
        return JobQueue(*self._queue_of(worker_pod, changes))

    def pictures(self, worker_pod: str = "test-1", **changes: float) -> PictureQueue:
        """Make a view of the queue of pictures; `changes` are settings."""
        return PictureQueue(*self._queue_of(worker_pod, changes))

    def _queue_of(self, worker_pod: str, changes: dict[str, float]) -> tuple[Store, str, Patience, float]:
        settings = self.settings.model_copy(update=changes)
        patience = Patience(
            settings.tries, settings.worker_deaths, settings.retry_seconds, settings.longest_retry_seconds
        )
        return self.store, worker_pod, patience, settings.lease_seconds

    def worker(self, storage: Storage | None = None, **changes: float) -> Worker:
        """Make a worker that runs in this process; `changes` are settings."""
        settings = self.settings.model_copy(update=changes)
        nudges = Nudges()
        tools = (storage or self.storage, self.ffmpeg, settings, nudges)
        trades: list[AnyTrade] = [
            Pictures(self.pictures("test-1", **changes), *tools),
            Songs(self.queue("test-1", **changes), *tools),
        ]
        return Worker(trades, self.scratch, settings, nudges)

    @asynccontextmanager
    async def working(self, worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
        """Let a worker work while the block lasts."""
        task = asyncio.create_task(worker.run())
        try:
            yield task
        finally:
            worker.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def spawn(self, *program: str, **changes: str) -> asyncio.subprocess.Process:
        """Start a real worker process, or another module as one; `changes` are variables of its environment."""
        variables = {
            f"SPOTILIKE_{name.upper()}": str(getattr(value, "get_secret_value", lambda value=value: value)())
            for name, value in self.settings
            if name in self.settings.model_fields_set
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", *(program or ("services.processing.worker",))),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", **variables, **changes},
            stdout=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    async def kill(self) -> None:
        """End every process that is left."""
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()

    async def upload(self, content: bytes, **changes: object) -> Master:
        """Put a master into the object store, as the catalog would tell of it; `changes` are what it tells wrongly."""
        track = uuid4()
        key = f"tracks/{track}/{uuid4()}"
        await self.uploads.put("uploads", key, content, "application/octet-stream", "")
        told = {
            "track_id": track,
            "artist_id": uuid4(),
            "generation": 1,
            "source_bucket": "uploads",
            "source_key": key,
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "filename": "master",
        }
        return Master(**{**told, **changes})  # type: ignore[arg-type]  # the tests say what they change

    async def offer(self, master: Master) -> UUID:
        """Take a job in."""
        async with self.store.begin() as tx:
            return await self.offer_in(tx, master)

    async def offer_in(self, tx: Transaction, master: Master) -> UUID:
        """Take a job in together with others."""
        job_id = uuid4()
        await tx.jobs.add(job_id, master)
        return job_id

    async def offer_content(self, content: bytes) -> UUID:
        """Upload a master and take its job in."""
        return await self.offer(await self.upload(content))

    async def offer_picture(self, content: bytes, **changes: object) -> UUID:
        """Put a picture into the object store and take it in; `changes` are what the catalog tells wrongly of it."""
        picture_id = uuid4()
        key = f"artworks/{picture_id}"
        await self.uploads.put("uploads", key, content, "application/octet-stream", "")
        told = {"source_bucket": "uploads", "source_key": key, "size_bytes": len(content), "sha256": None}
        async with self.store.begin() as tx:
            await tx.pictures.add(picture_id, Source(**{**told, **changes}))  # type: ignore[arg-type]  # as above
        return picture_id

    async def picture(self, picture_id: UUID) -> Picture:
        """Read a picture."""
        async with self.store.read() as tx:
            picture = await tx.pictures.find(picture_id)
        assert picture is not None
        return picture

    async def picture_over(self, picture_id: UUID, seconds: float = 60) -> Picture:
        """Wait until a picture has ended."""

        async def ended() -> bool:
            return (await self.picture(picture_id)).is_over

        await until(ended, seconds)
        return await self.picture(picture_id)

    async def images(self, picture_id: UUID) -> list[str]:
        """List the names of a picture's images."""
        return [key.rsplit("/", 1)[1] for key in await self.storage.keys("images", f"{picture_id}/")]

    async def job(self, job_id: UUID) -> Job:
        """Read a job."""
        async with self.store.read() as tx:
            job = await tx.jobs.find(job_id)
        assert job is not None
        return job

    async def over(self, job_id: UUID, seconds: float = 60) -> Job:
        """Wait until a job has ended."""

        async def ended() -> bool:
            return (await self.job(job_id)).is_over

        await until(ended, seconds)
        return await self.job(job_id)

    async def audible(self, job_id: UUID) -> Job:
        """Wait until the artist can hear what is encoded of a job."""

        async def heard() -> bool:
            return (await self.job(job_id)).preview is not None

        await until(heard)
        return await self.job(job_id)

    async def take(self, queue: JobQueue | None = None) -> Lease[Job]:
        """Take the job that is there."""
        lease = await (queue or self.queue()).take()
        assert lease is not None
        return lease

    async def take_away(self, job_id: UUID, lease_seconds: float = 60.0) -> Lease[Job]:
        """Give a job that is being worked on to another attempt, as if its worker had been silent."""
        past = func.now() - timedelta(seconds=1)
        end_lease = update(processing_jobs).where(processing_jobs.c.id == job_id).values(lease_until=past)
        queue = self.queue("test-2", lease_seconds=lease_seconds)
        while True:  # a heartbeat may come in between
            async with self.database.begin() as connection:
                await connection.execute(end_lease)
            if lease := await queue.take():
                return lease

    async def told(self, task_id: UUID) -> list[Message]:
        """Read what the outbox holds about a job or a picture, the oldest first."""
        async with self.database.read() as connection:
            rows = (await connection.execute(select(outbox).order_by(outbox.c.id))).all()
        payloads = [(row.subject, Event.FromString(row.payload).payload) for row in rows]
        facts = [TOLD[subject].FromString(payload.value) for subject, payload in payloads]
        return [fact for fact in facts if str(task_id) in (getattr(fact, "job", ""), getattr(fact, "artwork", ""))]

    async def attempts(self, job_id: UUID) -> list[tuple[str, str | None]]:
        """Read worker and outcome of each attempt at a job, the oldest first."""
        statement = select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.started_at)
        async with self.database.read() as connection:
            return [(row.worker_pod, row.outcome) for row in await connection.execute(statement)]

    def scratch_files(self) -> list[Path]:
        """List what workers left on the disk."""
        return list(self.scratch.iterdir())

    async def objects(self, master: Master) -> list[str]:
        """List the keys of everything that was made of a master."""
        return await self.storage.keys("audio", f"tracks/{master.track_id}/")


@pytest.fixture(scope="session")
async def encoder() -> Ffmpeg:
    """Return the bundled FFmpeg in its sandbox."""
    return await Ffmpeg.find()


@asynccontextmanager
async def open_workshop(engines: Engines, url: str, encoder: Ffmpeg, scratch: Path) -> AsyncIterator[Workshop]:
    """Open the queue in a database; workers are impatient."""
    settings = WorkerSettings(
        **storage_settings(engines, "processing"),
        **nats_settings(engines),
        database_url=url,
        database_pool=20,  # for all workers of a test together
        scratch_dir=scratch,
        lease_seconds=3,
        heartbeat_seconds=0.3,
        poll_seconds=0.05,
        retry_seconds=0.1,
    )
    database = Database(settings)
    uploads = Storage(StorageSettings(**storage_settings(engines, "catalog")))
    workshop = Workshop(settings, database, Storage(settings), uploads, encoder, scratch)
    try:
        yield workshop
    finally:
        await workshop.kill()
        await database.close()


@pytest.fixture
async def workshop(engines: Engines, databases: Databases, encoder: Ffmpeg, tmp_path: Path) -> AsyncIterator[Workshop]:
    """Return an empty queue of this test's own."""
    url = await databases.fresh("processing", uuid4().hex[:12])
    async with open_workshop(engines, url, encoder, tmp_path) as workshop:
        yield workshop


def processing_settings(
    engines: Engines, user: RunningService, database_url: str, catalog_internal: str, **changed: Any
) -> Settings:
    """Return settings of a processing service."""
    values: dict[str, Any] = {
        **listeners(engines, "processing"),
        **storage_settings(engines, "processing"),
        **nats_settings(engines),
        "database_url": database_url,
        "user_internal": user.internal_address,
        "catalog_internal": catalog_internal,
    }
    return Settings(**values | changed)


@pytest.fixture(scope="session")
async def processing(
    streams: Engines, databases: Databases, user: RunningService, catalog: RunningService
) -> AsyncIterator[RunningService]:
    """Return the processing service of this worker; it has no workers."""
    url = await databases.url("processing")
    settings = processing_settings(streams, user, url, catalog.internal_address)
    running = await run(processing_main.wire(settings), streams)
    yield running
    await running.process.stop()


@pytest.fixture
async def intake(
    processing: RunningService,  # noqa: ARG001 (it is what fills the queue)
    engines: Engines,
    databases: Databases,
    encoder: Ffmpeg,
    tmp_path: Path,
) -> AsyncIterator[Workshop]:
    """Return the queue that the processing service fills."""
    async with open_workshop(engines, await databases.url("processing"), encoder, tmp_path) as workshop:
        yield workshop
