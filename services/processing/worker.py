"""A worker: `python -m services.processing.worker` takes one job at a time and turns its master into HLS.

It has no listeners. SIGTERM lets the running job end within the grace or gives it back; whatever else ends a worker,
its lease runs out and another one takes the job over.
"""

import asyncio
import os
import signal
import socket
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import structlog

from services.common import status, telemetry
from services.common.db import Database
from services.common.settings import load
from services.common.storage import Storage
from services.processing import domain, masters, scratch
from services.processing.domain import Failure, Lease, LeaseLostError, Patience, RefusedError
from services.processing.events import audio_facts, hear_nudges
from services.processing.ffmpeg import Ffmpeg
from services.processing.media.facts import Facts, Limits, Stage
from services.processing.media.pipeline import transcode
from services.processing.media.refusals import MESSAGES, Reason, TranscodeError
from services.processing.object_sink import ObjectSink
from services.processing.queue import Queue
from services.processing.settings import WorkerSettings
from services.processing.store import Store

DOWNLOADING = "DOWNLOADING"
REPORT_SECONDS = 1.0
"""How often the progress of a job is written, at most."""
OUTAGE_SECONDS = 1.0
"""Pause after the database did not answer."""
POD_LENGTH = 100

log = structlog.get_logger("worker")


class LeavingError(Exception):
    """The worker has to end before its job did."""


class Progress:
    """How far the running job is."""

    def __init__(self) -> None:
        self.stage = DOWNLOADING
        self.percent = 0
        self._changed = asyncio.Event()

    def report(self, stage: Stage, percent: int) -> None:
        """Hear the pipeline."""
        self.stage, self.percent = stage.value, percent
        self._changed.set()

    async def changed(self, seconds: float) -> None:
        """Wait for news, but not longer than `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()


class Worker:
    """Works on the jobs of one queue until it is told to stop."""

    def __init__(self, queue: Queue, storage: Storage, ffmpeg: Ffmpeg, folder: Path, settings: WorkerSettings) -> None:
        """Keep masters in `folder` while they are read."""
        self.woken = asyncio.Event()
        """Set it to make an idle worker look for a job at once."""
        self._queue = queue
        self._storage = storage
        self._ffmpeg = ffmpeg
        self._folder = folder
        self._settings = settings
        self._limits = Limits(max_seconds=settings.longest_master_seconds, memory_bytes=settings.encoder_memory_bytes)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take no further job; end the running one within the grace, or give it back."""
        self._stopping.set()
        self.woken.set()

    async def run(self) -> None:
        """Work until stopped."""
        while not self._stopping.is_set():
            lease = await self._take()
            if lease:
                await self._attend(lease)
            else:
                await self._rest()

    async def _take(self) -> Lease | None:
        try:
            return await self._queue.take()
        except Exception as error:
            if not _is_passing(error):
                raise
            log.warning("queue_unreachable", error=type(error).__name__)
            return None

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.poll_seconds):
                await self.woken.wait()
        self.woken.clear()

    async def _attend(self, lease: Lease) -> None:
        """Work on a job and write down how it ended."""
        job, attempt = str(lease.job.id), lease.job.attempt
        log.info("job_taken", job=job, attempt=attempt)
        try:
            await self._settle(lease)
        except LeaseLostError:
            log.warning("lease_lost", job=job, attempt=attempt)

    async def _settle(self, lease: Lease) -> None:
        job = str(lease.job.id)
        try:
            facts = await self._guarded(lease)
        except LeaseLostError:
            raise
        except LeavingError:
            log.info("job_released", job=job)
            await _persist(lambda: self._queue.release(lease))
        except ConnectionError as error:
            # Not the master's fault: an outage of the object store must not use its tries up.
            log.warning("store_unreachable", job=job, error=str(error))
            await _persist(lambda: self._queue.release(lease, self._settings.retry_seconds))
        except Exception as error:  # noqa: BLE001 (whatever failed, the job has to learn of it)
            failure = _failure(error)
            log.warning("attempt_failed", job=job, reason=failure.reason, transient=failure.transient)
            await _persist(lambda: self._queue.fail(lease, failure))
        else:
            await _persist(lambda: self._queue.complete(lease, audio_facts(facts)))
            log.info("job_completed", job=job, seconds=round(facts.duration_seconds, 3))

    async def _guarded(self, lease: Lease) -> Facts:
        """Work while the lease is ours and nobody wants us to leave. Raises LeaseLostError or LeavingError."""
        progress = Progress()
        work = asyncio.create_task(self._work(lease, progress))
        tasks: list[asyncio.Task[Facts]] = [
            work,
            asyncio.create_task(self._keep(lease, progress)),
            asyncio.create_task(self._leave()),
        ]
        try:
            await asyncio.wait(tasks, return_when="FIRST_COMPLETED")
            return await next(task for task in tasks if task.done())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, lease: Lease, progress: Progress) -> Facts:
        with TemporaryDirectory(dir=self._folder) as folder:
            master = Path(folder) / "master"
            await masters.fetch(self._storage, lease.job.master, master)
            sink = ObjectSink(self._storage, self._settings.audio_bucket, lease.folder)
            return await transcode(master, sink, self._ffmpeg, self._limits, progress.report)

    async def _keep(self, lease: Lease, progress: Progress) -> NoReturn:
        """Prolong the lease at every heartbeat, and sooner when there is news, but not too often."""
        heartbeat = self._settings.heartbeat_seconds
        least = min(REPORT_SECONDS, heartbeat / 2)
        while True:
            await progress.changed(heartbeat - least)
            await _persist(lambda: self._queue.prolong(lease, progress.stage, progress.percent))
            await asyncio.sleep(least)

    async def _leave(self) -> NoReturn:
        """End when a job that is still running has to be given back."""
        await self._stopping.wait()
        await asyncio.sleep(self._settings.drain_seconds)
        raise LeavingError


async def _persist(write: Callable[[], Awaitable[None]]) -> None:
    """Write to the database, however long it is away. The fence tells whether it is too late by then."""
    while True:
        try:
            return await write()
        except Exception as error:
            if not _is_passing(error):
                raise
            log.warning("database_unreachable", error=type(error).__name__)
        await asyncio.sleep(OUTAGE_SECONDS)


def _is_passing(error: Exception) -> bool:
    return status.is_outage(error) or status.is_conflict(error)


def _failure(error: Exception) -> Failure:
    """Say why an attempt failed; what is unexpected may go better next time."""
    if isinstance(error, RefusedError):
        return error.failure
    if isinstance(error, TranscodeError):
        return Failure(error.reason, error.message, error.log, error.transient)
    words = "".join(traceback.format_exception(error))
    return Failure(domain.CRASHED, MESSAGES[Reason.ENCODER_CRASHED], words, transient=True)


async def main(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT."""
    database = Database(settings)
    patience = Patience(settings.tries, settings.worker_deaths, settings.retry_seconds, settings.longest_retry_seconds)
    worker_pod = f"{socket.gethostname()[: POD_LENGTH - 12]}-{os.getpid()}"
    queue = Queue(Store(database), worker_pod, patience, settings.lease_seconds)
    ffmpeg = await Ffmpeg.find(settings.ffmpeg)
    with scratch.folder(settings.scratch_dir) as folder:
        worker = Worker(queue, Storage(settings), ffmpeg, folder, settings)
        for received in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(received, worker.stop)
        async with asyncio.TaskGroup() as tasks:
            nudges = tasks.create_task(hear_nudges(settings, worker.woken))
            log.info("working", worker=worker_pod)
            await worker.run()
            nudges.cancel()
    await database.close()
    log.info("stopped")


if __name__ == "__main__":
    telemetry.configure("worker")
    asyncio.run(main(load(WorkerSettings)))
