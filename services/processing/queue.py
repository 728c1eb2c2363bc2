"""The work queues as a worker sees them: take a task, keep it, end it. Every step is one transaction."""

import random
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Generic, TypeVar
from uuid import UUID, uuid4

import structlog

from services.common import metrics
from services.processing import domain
from services.processing.domain import AnyTask, Failure, Job, Lease, Outcome, Patience, Picture, Song
from services.processing.events import outcome, picture_outcome
from services.processing.media.fingerprint import Fingerprint
from services.processing.store import Store, Transaction
from services.processing.store.tasks import Tasks

Made = TypeVar("Made")
"""What is written down when a task ends well."""

TAKEN_OVER = metrics.Counter("spotilike_tasks_taken_over_total", "Tasks whose worker fell silent, noticed by this one.")

log = structlog.get_logger("queue")


class Queue(ABC, Generic[AnyTask, Made]):
    """Leases tasks to one worker. All but `take` raise LeaseLostError once the task belongs to another attempt."""

    def __init__(self, store: Store, worker_pod: str, patience: Patience, lease_seconds: float) -> None:
        """Lease tasks of `store` to `worker_pod` for `lease_seconds` at a time."""
        self._store = store
        self._worker_pod = worker_pod
        self._patience = patience
        self._lease_seconds = lease_seconds

    async def take(self) -> Lease[AnyTask] | None:
        """Take over a task whose worker fell silent, or else take the one that is next in the line."""
        async with self._store.begin() as tx:
            tasks = self._tasks(tx)
            silent = await tasks.find_silent_for_update()
            task = await self._take_over(tx, silent) if silent else await tasks.find_due_for_update()
            return await self._lease(tx, task) if task else None

    async def prolong(self, lease: Lease[AnyTask], stage: str, percent: int) -> None:
        """Keep a lease alive and tell how far the work is."""
        async with self._store.begin() as tx:
            await self._tasks(tx).prolong(lease, self._lease_seconds, stage, percent)

    async def check(self, lease: Lease[AnyTask]) -> None:
        """Look whether a task is still ours; one that was cancelled is not."""
        async with self._store.read() as tx:
            await self._tasks(tx).check(lease)

    async def complete(self, lease: Lease[AnyTask], made: Made) -> None:
        """End a task well and tell so."""
        async with self._store.begin() as tx:
            task = await self._complete(tx, lease, made)
            await self._ended(tx, lease.attempt_id, Outcome.COMPLETED)
            await self._tell(tx, task)

    async def fail(self, lease: Lease[AnyTask], failure: Failure) -> None:
        """Let a task wait for its next try, or end it for good and tell so."""
        chance = random.random()  # noqa: S311 (spreads pauses, guards nothing)
        pause = self._patience.pause(lease.task.attempt, chance) if failure.transient else None
        async with self._store.begin() as tx:
            if pause is None:
                await self._end(tx, lease, failure, Outcome.FAILED)
                if failure.transient:
                    await self._bury(tx, lease, failure)
            else:
                await self._tasks(tx).postpone(lease, pause, failure)
                await self._ended(tx, lease.attempt_id, Outcome.FAILED)

    async def release(self, lease: Lease[AnyTask], seconds: float = 0) -> None:
        """Give a task back as if it had not been tried; nobody takes it before `seconds` have passed."""
        async with self._store.begin() as tx:
            await self._tasks(tx).release(lease, seconds)
            await self._ended(tx, lease.attempt_id, Outcome.RELEASED)

    @abstractmethod
    def _tasks(self, tx: Transaction) -> Tasks[AnyTask]:
        """Answer the rows of this queue."""

    @abstractmethod
    async def _started(self, tx: Transaction, lease: Lease[AnyTask]) -> None:
        """Note an attempt."""

    @abstractmethod
    async def _ended(self, tx: Transaction, attempt_id: UUID, outcome: Outcome) -> None:
        """Note how an attempt ended."""

    @abstractmethod
    async def _complete(self, tx: Transaction, lease: Lease[AnyTask], made: Made) -> AnyTask:
        """Write down what was made."""

    @abstractmethod
    async def _tell(self, tx: Transaction, task: AnyTask) -> None:
        """Tell the other contexts how a task ended."""

    @abstractmethod
    async def _bury(self, tx: Transaction, lease: Lease[AnyTask], failure: Failure) -> None:
        """Put a task that ended without being at fault aside for a person."""

    async def _take_over(self, tx: Transaction, silent: Lease[AnyTask]) -> AnyTask | None:
        """Fence off the attempt that fell silent; answers the task, or None when it is given up."""
        TAKEN_OVER.add()
        task = replace(silent.task, worker_deaths=silent.task.worker_deaths + 1)
        log.warning("worker_silent", task=str(task.id), attempt=task.attempt, deaths=task.worker_deaths)
        if self._patience.gives_up(task.attempt, task.worker_deaths):
            await self._end(tx, silent, domain.poison(), Outcome.ABANDONED)
            await self._bury(tx, silent, domain.poison())
            return None
        await self._ended(tx, silent.attempt_id, Outcome.ABANDONED)
        return task

    async def _lease(self, tx: Transaction, task: AnyTask) -> Lease[AnyTask]:
        attempt_id = uuid4()
        leased = await self._tasks(tx).lease(task, attempt_id, self._worker_pod, self._lease_seconds)
        lease = Lease(leased, attempt_id)
        await self._started(tx, lease)
        return lease

    async def _end(self, tx: Transaction, lease: Lease[AnyTask], failure: Failure, ended: Outcome) -> None:
        task = await self._tasks(tx).fail(lease, failure)
        await self._ended(tx, lease.attempt_id, ended)
        await self._tell(tx, task)


class JobQueue(Queue[Job, Song]):
    """The queue of masters."""

    async def open_preview(self, lease: Lease[Job]) -> str:
        """Answer the name of a new folder for what the artist hears while the attempt encodes."""
        async with self._store.begin() as tx:
            return await tx.previews.open(lease)

    async def show_preview(self, lease: Lease[Job], folder: str) -> None:
        """Tell the artist that something can be heard. Raises LeaseLostError."""
        async with self._store.begin() as tx:
            await tx.jobs.show_preview(lease, folder)

    def _tasks(self, tx: Transaction) -> Tasks[Job]:
        return tx.jobs

    async def _started(self, tx: Transaction, lease: Lease[Job]) -> None:
        await tx.attempts.start(lease, self._worker_pod)
        await tx.jobs.take_turn(lease.task.master.artist_id)

    async def _ended(self, tx: Transaction, attempt_id: UUID, outcome: Outcome) -> None:
        await tx.attempts.end(attempt_id, outcome)

    async def _complete(self, tx: Transaction, lease: Lease[Job], made: Song) -> Job:
        fingerprint = Fingerprint(made.fingerprint)
        same_as = await tx.fingerprints.find_same_recording(lease.task.master.artist_id, fingerprint)
        await tx.fingerprints.add(lease.task, fingerprint)
        return await tx.jobs.complete(lease, made.facts, same_as)

    async def _tell(self, tx: Transaction, task: Job) -> None:
        await tx.outbox.add(*outcome(task))

    async def _bury(self, tx: Transaction, lease: Lease[Job], failure: Failure) -> None:
        await tx.dead_letters.add_job(lease.task.id, failure.bounded_log or failure.reason)


class PictureQueue(Queue[Picture, str]):
    """The queue of pictures; of what is made only the blur hash is written down."""

    def _tasks(self, tx: Transaction) -> Tasks[Picture]:
        return tx.pictures

    async def _started(self, tx: Transaction, lease: Lease[Picture]) -> None:
        """Note nothing: attempts at a picture leave no folder of their own behind."""

    async def _ended(self, tx: Transaction, attempt_id: UUID, outcome: Outcome) -> None:
        """Note nothing, as above."""

    async def _complete(self, tx: Transaction, lease: Lease[Picture], made: str) -> Picture:
        return await tx.pictures.complete(lease, made)

    async def _tell(self, tx: Transaction, task: Picture) -> None:
        await tx.outbox.add(*picture_outcome(task))

    async def _bury(self, tx: Transaction, lease: Lease[Picture], failure: Failure) -> None:
        """Leave it: the catalog removes the file as soon as it hears of the end, and nothing is left to try."""
