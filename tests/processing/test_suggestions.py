"""What a master says about itself reaches the artist through its job, and goes no further by itself."""

from uuid import UUID

from sqlalchemy import update

from services.processing.domain import Status
from services.processing.tables import processing_jobs
from spotilike.internal.v1.audio_pb2 import AudioFacts
from spotilike.processing.v1.job_pb2 import Job
from spotilike.processing.v1.job_service_pb2 import GetJobRequest
from spotilike.processing.v1.job_service_pb2_grpc import JobServiceStub
from tests.support.processing import until


async def test_tags_are_suggested_to_the_artist(processing, intake, edge, studio):
    """Nothing before the job is done; then the tags as they are."""
    jobs = processing.public(JobServiceStub)
    track = await edge.track(studio.account, studio.album)
    name = (await edge.upload(studio.account, track.name)).job
    job_id = UUID(name.split("/")[1])

    async def there():
        async with intake.store.read() as tx:
            return await tx.jobs.find(job_id) is not None

    await until(there)
    before = await jobs.GetJob(GetJobRequest(name=name), metadata=studio.account.metadata)
    tags = AudioFacts.Tags(title="Song", artist="Артист", album="Album", track_number=3)
    facts = AudioFacts(samples=100_500, sample_rate_hz=1000, tags=tags)
    values = {"status": Status.COMPLETED, "facts": facts.SerializeToString()}
    async with intake.database.begin() as connection:
        await connection.execute(update(processing_jobs).where(processing_jobs.c.id == job_id).values(**values))
    after = await jobs.GetJob(GetJobRequest(name=name), metadata=studio.account.metadata)

    assert not before.HasField("suggested")
    assert after.suggested == Job.Tags(title="Song", artist="Артист", album="Album", track_number=3)
