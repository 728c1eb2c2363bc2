"""What people do to jobs. Each step belongs to the caller's transaction, which has looked at their permission."""

from uuid import UUID

from services.common import names
from services.processing import domain
from services.processing.domain import Job, Outcome, Status
from services.processing.events import outcome, retried
from services.processing.store import Transaction


async def cancel(tx: Transaction, job_id: UUID) -> None:
    """Stop a job; its worker loses the lease and notices that. Raises FailedPrecondition for one that has ended."""
    job = await _lock(tx, job_id)
    if job.is_cancelled:
        return
    if job.is_over:
        raise domain.job_over(job)
    if job.status is Status.PROCESSING and job.attempt_id:
        await tx.attempts.end(job.attempt_id, Outcome.CANCELLED)
    await tx.outbox.add(*outcome(await tx.jobs.cancel(job_id, domain.cancellation())))


async def retry(tx: Transaction, job_id: UUID) -> None:
    """Start a job anew. Raises FailedPrecondition for one that has not failed."""
    job = await _lock(tx, job_id)
    if job.status is not Status.FAILED:
        raise domain.job_not_failed(job)
    await tx.dead_letters.remove_job(job_id)
    await tx.outbox.add(*retried(await tx.jobs.restart(job_id)))


async def _lock(tx: Transaction, job_id: UUID) -> Job:
    job = await tx.jobs.lock(job_id)
    if job is None:
        raise domain.job_not_found(names.job(job_id))
    return job
