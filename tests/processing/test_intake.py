"""Facts of the catalog, heard over JetStream by the real service."""

import asyncio
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from sqlalchemy import func, select, update

from services.common import events
from services.processing.domain import Status
from services.processing.events import NUDGE
from services.processing.tables import dead_letters, outbox, processing_jobs, retired_folders
from spotilike.events.v1.catalog_events_pb2 import FolderRetired, TrackUploaded
from tests.support.processing import until

UPLOADED = "spotilike.catalog.track_uploaded"
RETIRED = "spotilike.catalog.folder_retired"


async def tell(broker: Client, subject, *payloads):
    """Publish facts, each under an id of its own, and wait until all of them were heard."""
    jetstream = broker.jetstream()
    for payload in payloads:
        await jetstream.publish(subject, events.new("tracks/test", payload).SerializeToString())

    async def heard():
        state = await jetstream.consumer_info("CATALOG", "processing")
        return state.num_pending == 0 and state.num_ack_pending == 0

    await until(heard)


async def count(intake, statement):
    """Count rows."""
    async with intake.database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(statement.subquery()))


@pytest.fixture
async def uploaded(intake, edge, studio):
    """Return what the catalog tells of a new upload, and wait until its job is there."""
    track = await edge.track(studio.account, studio.album)
    upload = await edge.upload(studio.account, track.name)
    job_id = UUID(upload.name.split("/")[1])

    async def there():
        async with intake.store.read() as tx:
            return await tx.jobs.find(job_id) is not None

    await until(there)
    master = (await intake.job(job_id)).master
    return TrackUploaded(
        job=str(job_id),
        track=str(master.track_id),
        artist=str(master.artist_id),
        generation=master.generation,
        source_bucket=master.source_bucket,
        source_key=master.source_key,
        size_bytes=master.size_bytes,
        filename=master.filename,
    )


async def test_an_upload_becomes_a_job(intake, studio, uploaded):
    """Everything that a worker has to know."""
    job = await intake.job(UUID(uploaded.job))

    assert (job.status, job.attempt, job.percent) == (Status.PENDING, 0, 0)
    assert f"artists/{job.master.artist_id}" == studio.artist
    assert (job.master.generation, job.master.size_bytes) == (1, 6)
    assert (await intake.uploads.stat(job.master.source_bucket, job.master.source_key)).size_bytes == 6


async def test_an_upload_is_one_job_however_often_it_is_told(intake, broker, uploaded):
    """Three times, and nothing changes."""
    before = await intake.job(UUID(uploaded.job))
    await tell(broker, UPLOADED, uploaded, uploaded, uploaded)

    assert await count(intake, select(processing_jobs).where(processing_jobs.c.id == before.id)) == 1
    assert await intake.job(before.id) == before


async def test_workers_are_nudged_once_the_job_is_there(intake, broker, uploaded):
    """They need not look again and again."""
    nudges = await broker.subscribe(NUDGE)
    await broker.flush()
    other = TrackUploaded()
    other.CopyFrom(uploaded)
    other.job = str(uuid4())
    await tell(broker, UPLOADED, other)

    await nudges.next_msg(timeout=5)
    assert (await intake.job(UUID(other.job))).status is Status.PENDING


async def test_the_outcome_of_an_ended_job_is_told_again(intake, broker, uploaded, edge, studio):
    """With the broker's store lost, catalog asks again and hears what became of its master."""
    job_id = UUID(uploaded.job)
    ended = {"status": Status.FAILED, "reason": "TRUNCATED", "message": "The end of the file is missing."}
    async with intake.database.begin() as connection:
        await connection.execute(update(processing_jobs).where(processing_jobs.c.id == job_id).values(**ended))
    await tell(broker, UPLOADED, uploaded, uploaded)

    told = await intake.told(job_id)
    assert [(fact.track, fact.generation, fact.reason) for fact in told] == [(uploaded.track, 1, "TRUNCATED")] * 2

    async def told_to_the_catalog():
        track = await edge.shown(studio.account, f"tracks/{uploaded.track}")
        return track.failure.reason == "TRUNCATED"

    await until(told_to_the_catalog)
    waiting = select(outbox).where(outbox.c.published_at.is_(None))

    async def published():
        return await count(intake, waiting) == 0

    await until(published)


async def test_a_retired_folder_is_noted_once(intake, broker):
    """However often it is told."""
    track = uuid4()
    fact = FolderRetired(track=str(track), folder=f"tracks/{track}/{uuid4()}")
    await tell(broker, RETIRED, fact, fact)

    assert await count(intake, select(retired_folders).where(retired_folders.c.folder == fact.folder)) == 1


async def test_a_retirement_of_more_than_one_folder_is_put_aside(intake, broker):
    """A wrong name would remove what is played; a person has to look at it. The next fact is heard all the same."""
    track = uuid4()
    wrong = FolderRetired(track=str(track), folder=f"tracks/{track}")
    right = FolderRetired(track=str(track), folder=f"tracks/{track}/{uuid4()}")
    aside = select(dead_letters).where(dead_letters.c.error.contains(str(track)))
    async with asyncio.timeout(20):
        await tell(broker, RETIRED, wrong, right)

    assert await count(intake, aside) == 1
    noted = select(retired_folders.c.folder).where(retired_folders.c.track_id == track)
    async with intake.database.read() as connection:
        assert list(await connection.scalars(noted)) == [right.folder]
