"""A worker: `python -m services.processing.worker` takes one task at a time, a picture before a master.

It has no listeners. SIGTERM lets the running task end within the grace or gives it back; whatever else ends a worker,
its lease runs out and another one takes the task over.
"""

import asyncio
import os
import shutil
import signal
import socket
import time
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import structlog
from opentelemetry.trace import SpanKind

from services.common import metrics, telemetry, tracing
from services.common.db import Database
from services.common.settings import load
from services.common.storage import Storage
from services.common.tasks import end, rest
from services.processing import domain, scratch
from services.processing.domain import Failure, Lease, LeaseLostError, Patience, RefusedError, Task
from services.processing.events import Nudges, hear_nudges
from services.processing.ffmpeg import Ffmpeg
from services.processing.media.facts import Stage
from services.processing.media.refusals import MESSAGES, Reason, TranscodeError
from services.processing.outages import is_passing, persist
from services.processing.queue import JobQueue, PictureQueue, Queue
from services.processing.settings import WorkerSettings
from services.processing.sources import NoRoomError
from services.processing.store import Store
from services.processing.trades import Pictures, Songs, Trade

AnyTrade = Trade[Any, Any, Any]

DOWNLOADING = "DOWNLOADING"
REPORT_SECONDS = 1.0
"""How often the progress of a job is written, at most."""
LEAST_CHECK_SECONDS = 0.2
"""How often a worker looks after its task at most, however many nudges there are of others."""
POD_LENGTH = 100

BUSY = metrics.Gauge("spotilike_worker_busy", "Whether this worker has a task.")
SCRATCH_FREE = metrics.Gauge("spotilike_worker_scratch_free_bytes", "Free space where this worker keeps masters.")
STAGE_SECONDS = metrics.Histogram(
    "spotilike_task_stage_seconds", "How long the stages of tasks took.", ("trade", "stage"), metrics.WORK_SECONDS
)
TASK_SECONDS = metrics.Histogram(
    "spotilike_task_seconds", "How long attempts took, by how they ended.", ("trade", "outcome"), metrics.WORK_SECONDS
)
TASKS_FAILED = metrics.Counter("spotilike_task_attempts_failed_total", "Attempts that failed.", ("trade", "reason"))

log = structlog.get_logger("worker")


class LeavingError(Exception):
    """The worker has to end before its task did."""


class Progress:
    """How far the running task is."""

    def __init__(self, trade: str) -> None:
        """Begin to measure the stages of a task of `trade`."""
        self.stage = DOWNLOADING
        self.percent = 0
        self._changed = asyncio.Event()
        self._trade = trade
        self._since = time.monotonic()

    def report(self, stage: Stage, percent: int) -> None:
        """Hear the pipeline."""
        if stage.value != self.stage:
            self.end_stage()
        self.stage, self.percent = stage.value, percent
        self._changed.set()

    def end_stage(self) -> None:
        """Take down how long the stage took."""
        now = time.monotonic()
        STAGE_SECONDS.observe(now - self._since, self._trade, self.stage)
        self._since = now

    async def changed(self, seconds: float) -> None:
        """Wait for news, but not longer than `seconds`."""
        await rest(self._changed, seconds)


class Worker:
    """Works in several trades until it is told to stop."""

    def __init__(self, trades: Sequence[AnyTrade], folder: Path, settings: WorkerSettings, nudges: Nudges) -> None:
        """Look for work in the order of `trades`; keep files in `folder` while they are read; `nudges` tell of ends."""
        self.woken = asyncio.Event()
        """Set it to make the worker look at once for a task, or whether the one that it has was taken away."""
        self._trades = trades
        self._folder = folder
        self._settings = settings
        self._nudges = nudges
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take no further task; end the running one within the grace, or give it back."""
        self._stopping.set()
        self.woken.set()

    async def run(self) -> None:
        """Work until stopped."""
        while not self._stopping.is_set():
            if not await self._work_once():
                await rest(self.woken, self._settings.poll_seconds)

    async def _work_once(self) -> bool:
        """Do the first task that there is; answers whether there was one."""
        for trade in self._trades:
            lease = await self._take(trade)
            if lease:
                await self._attend(trade, lease)
                return True
        return False

    async def _take(self, trade: AnyTrade) -> Lease[Task] | None:
        queue: Queue[Task, Any] = trade.queue
        try:
            return await queue.take()
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("queue_unreachable", error=type(error).__name__)
            return None

    async def _attend(self, trade: AnyTrade, lease: Lease[Task]) -> None:
        """Work on a task, as a step of the trace of its upload, and write down how it ended."""
        task, attempt, kind = str(lease.task.id), lease.task.attempt, type(trade).__name__
        described: dict[str, str | float] = {"spotilike.task": task, "spotilike.attempt": attempt}
        with tracing.continued(f"work {kind}", lease.task.traceparent, SpanKind.CONSUMER, **described):
            log.info("task_taken", task=task, attempt=attempt, trade=kind)
            began, outcome = time.monotonic(), "lost"
            BUSY.set(1)
            try:
                outcome = await self._settle(trade, lease)
            except LeaseLostError:
                log.warning("lease_lost", task=task, attempt=attempt)
            else:
                await self._nudges.send()
            finally:
                BUSY.set(0)
                TASK_SECONDS.observe(time.monotonic() - began, kind, outcome)

    async def _settle(self, trade: AnyTrade, lease: Lease[Task]) -> str:
        """Work, and write down how it ended; answers that in a word. Raises LeaseLostError."""
        task = str(lease.task.id)
        try:
            made = await self._guarded(trade, lease)
        except LeaseLostError:
            raise
        except LeavingError:
            log.info("task_released", task=task)
            await persist(lambda: trade.queue.release(lease))
            return "released"
        except (ConnectionError, NoRoomError) as error:
            # Not the file's fault: an outage of the object store, or a full disk, must not use its tries up.
            log.warning("task_given_back", task=task, error=str(error))
            await persist(lambda: trade.queue.release(lease, self._settings.retry_seconds))
            return "given back"
        except Exception as error:  # noqa: BLE001 (whatever failed, the task has to learn of it)
            failure = _failure(error)
            log.warning("attempt_failed", task=task, reason=failure.reason, transient=failure.transient)
            tracing.failed(failure.reason)
            TASKS_FAILED.add(type(trade).__name__, failure.reason)
            await persist(lambda: trade.queue.fail(lease, failure))
            return "failed"
        else:
            await persist(lambda: trade.queue.complete(lease, made))
            log.info("task_completed", task=task)
            return "completed"

    async def _guarded(self, trade: AnyTrade, lease: Lease[Task]) -> Any:  # noqa: ANN401 (the trade's own)
        """Work while the lease is ours and nobody wants us to leave. Raises LeaseLostError or LeavingError."""
        progress = Progress(type(trade).__name__)
        beside = tracing.outside()
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._work(trade, lease, progress)),
            asyncio.create_task(self._keep(trade, lease, progress), context=beside),
            asyncio.create_task(self._check(trade, lease), context=beside),
            asyncio.create_task(self._leave(), context=beside),
        ]
        try:
            await asyncio.wait(tasks, return_when="FIRST_COMPLETED")
            return await next(task for task in tasks if task.done())
        finally:
            await end(*tasks)

    async def _work(self, trade: AnyTrade, lease: Lease[Task], progress: Progress) -> Any:  # noqa: ANN401 (as above)
        with TemporaryDirectory(dir=self._folder) as folder:
            made = await trade.work(lease, Path(folder), progress.report)
            progress.end_stage()
            return made

    async def _keep(self, trade: AnyTrade, lease: Lease[Task], progress: Progress) -> NoReturn:
        """Prolong the lease at every heartbeat, and sooner when there is news, but not too often."""
        heartbeat = self._settings.heartbeat_seconds
        least = min(REPORT_SECONDS, heartbeat / 2)
        while True:
            await progress.changed(heartbeat - least)
            await persist(lambda: trade.queue.prolong(lease, progress.stage, progress.percent))
            await asyncio.sleep(least)

    async def _check(self, trade: AnyTrade, lease: Lease[Task]) -> NoReturn:
        """Notice that the task was taken away before the next heartbeat would: somebody waits for that."""
        while True:
            await rest(self.woken, self._settings.check_seconds)
            await persist(lambda: trade.queue.check(lease))
            await asyncio.sleep(min(LEAST_CHECK_SECONDS, self._settings.check_seconds))

    async def _leave(self) -> NoReturn:
        """End when a task that is still running has to be given back."""
        await self._stopping.wait()
        await asyncio.sleep(self._settings.drain_seconds)
        raise LeavingError


async def _measure(folder: Path) -> None:
    SCRATCH_FREE.set(shutil.disk_usage(folder).free)


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
    store, storage, ffmpeg = Store(database), Storage(settings), await Ffmpeg.find(settings.ffmpeg)
    nudges = Nudges()
    tools = storage, ffmpeg, settings, nudges
    songs = Songs(JobQueue(store, worker_pod, patience, settings.lease_seconds), *tools)
    pictures = Pictures(PictureQueue(store, worker_pod, patience, settings.lease_seconds), *tools)
    with scratch.folder(settings.scratch_dir) as folder:
        # Pictures are short, and somebody is looking at the place where one will be.
        worker = Worker([pictures, songs], folder, settings, nudges)
        for received in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(received, worker.stop)
        async with asyncio.TaskGroup() as tasks:
            metrics.at_scrape(partial(_measure, folder), SCRATCH_FREE)
            metrics.listen()
            hearing = tasks.create_task(hear_nudges(settings, worker.woken, nudges))
            log.info("working", worker=worker_pod)
            await worker.run()
            await end(hearing)
    await database.close()
    log.info("stopped")


if __name__ == "__main__":
    telemetry.configure("worker")
    asyncio.run(main(load(WorkerSettings)))
