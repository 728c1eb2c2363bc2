"""What tests do with jobs again and again."""

from uuid import UUID

import grpc
import pytest
from sqlalchemy import update

from services.processing.tables import processing_jobs
from tests.support.processing import until
from tests.support.services import error_info, retry_seconds


async def uploaded(intake, edge, studio):
    """Upload a master to a new track; return its job's name once it was taken in."""
    track = await edge.track(studio.account, studio.album)
    upload = await edge.upload(studio.account, track.name)

    async def there():
        async with intake.store.read() as tx:
            return await tx.jobs.find(UUID(upload.job.split("/")[1])) is not None

    await until(there)
    return upload.job


async def change(intake, name, **values):
    """Write into a job."""
    async with intake.database.begin() as connection:
        job_id = UUID(name.split("/")[1])
        await connection.execute(update(processing_jobs).where(processing_jobs.c.id == job_id).values(**values))


async def refusal(call):
    """Return the code, the reason and the delay of a refused call."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    error = refused.value
    return error.code(), error_info(error)[0], retry_seconds(error)


async def precondition(call):
    """Return the reason of a call that the state of things refuses."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    return error_info(refused.value)[0]
