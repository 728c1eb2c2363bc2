"""The work queue as a worker sees it: take a job, keep it, end it. Every step is one transaction."""

import random
from dataclasses import replace
from uuid import uuid4

import structlog

from services.processing import domain
from services.processing.domain import Failure, Job, Lease, Outcome, Patience
from services.processing.events import outcome
from services.processing.store import Store, Transaction
from spotilike.internal.v1.audio_pb2 import AudioFacts

log = structlog.get_logger("queue")


class Queue:
    """Leases jobs to one worker. All but `take` raise LeaseLostError once the job belongs to another attempt."""

    def __init__(self, store: Store, worker_pod: str, patience: Patience, lease_seconds: float) -> None:
        """Lease jobs of `store` to `worker_pod` for `lease_seconds` at a time."""
        self._store = store
        self._worker_pod = worker_pod
        self._patience = patience
        self._lease_seconds = lease_seconds

    async def take(self) -> Lease | None:
        """Take over a job whose worker fell silent, or else take the one that has waited longest."""
        async with self._store.begin() as tx:
            silent = await tx.jobs.find_silent_for_update()
            job = await self._take_over(tx, silent) if silent else await tx.jobs.find_due_for_update()
            return await self._lease(tx, job) if job else None

    async def prolong(self, lease: Lease, stage: str, percent: int) -> None:
        """Keep a lease alive and tell how far the work is."""
        async with self._store.begin() as tx:
            await tx.jobs.prolong(lease, self._lease_seconds, stage, percent)

    async def complete(self, lease: Lease, facts: AudioFacts) -> None:
        """End a job well and tell so."""
        async with self._store.begin() as tx:
            job = await tx.jobs.complete(lease, facts.SerializeToString())
            await tx.attempts.end(lease.attempt_id, Outcome.COMPLETED)
            await tx.outbox.add(*outcome(job))

    async def fail(self, lease: Lease, failure: Failure) -> None:
        """Let a job wait for its next try, or end it for good and tell so."""
        chance = random.random()  # noqa: S311 (spreads pauses, guards nothing)
        pause = self._patience.pause(lease.job.attempt, chance) if failure.transient else None
        async with self._store.begin() as tx:
            if pause is None:
                await self._end(tx, lease, failure, Outcome.FAILED)
            else:
                await tx.jobs.postpone(lease, pause, failure)
                await tx.attempts.end(lease.attempt_id, Outcome.FAILED)

    async def release(self, lease: Lease, seconds: float = 0) -> None:
        """Give a job back as if it had not been tried; nobody takes it before `seconds` have passed."""
        async with self._store.begin() as tx:
            await tx.jobs.release(lease, seconds)
            await tx.attempts.end(lease.attempt_id, Outcome.RELEASED)

    async def _take_over(self, tx: Transaction, silent: Lease) -> Job | None:
        """Fence off the attempt that fell silent; answers the job, or None when it is given up."""
        job = replace(silent.job, worker_deaths=silent.job.worker_deaths + 1)
        log.warning("worker_silent", job=str(job.id), attempt=job.attempt, deaths=job.worker_deaths)
        if self._patience.gives_up(job.attempt, job.worker_deaths):
            await self._end(tx, silent, domain.poison(), Outcome.ABANDONED)
            return None
        await tx.attempts.end(silent.attempt_id, Outcome.ABANDONED)
        return job

    async def _lease(self, tx: Transaction, job: Job) -> Lease:
        attempt_id = uuid4()
        leased = await tx.jobs.lease(job, attempt_id, self._worker_pod, self._lease_seconds)
        lease = Lease(leased, attempt_id)
        await tx.attempts.start(lease, self._worker_pod)
        return lease

    async def _end(self, tx: Transaction, lease: Lease, failure: Failure, ended: Outcome) -> None:
        job = await tx.jobs.fail(lease, failure)
        await tx.attempts.end(lease.attempt_id, ended)
        await tx.outbox.add(*outcome(job))
