"""What is thrown away, and what never."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, update

from services.processing.domain import Failure
from services.processing.sweeper import Graces, Sweeper
from services.processing.tables import attempts, previews, retired_folders
from tests.support.processing import song

GRACE = 3600.0


@pytest.fixture
def sweeper(workshop):
    """Return a sweeper with a grace of an hour for every kind of folder."""
    return Sweeper(workshop.store, workshop.storage, Graces(GRACE, GRACE, GRACE, GRACE))


async def put(workshop, key):
    """Write an object of an attempt."""
    await workshop.storage.put("audio", key, b"music", "audio/mp4", "no-cache")


async def later(workshop, seconds):
    """Move everything that ended `seconds` into the past."""
    past = func.now() - timedelta(seconds=seconds)
    async with workshop.database.begin() as connection:
        await connection.execute(update(attempts).where(attempts.c.ended_at.is_not(None)).values(ended_at=past))
        await connection.execute(update(retired_folders).values(retired_at=past))
        await connection.execute(update(previews).values(opened_at=past))


async def test_the_folder_of_a_fenced_off_attempt_goes_after_the_grace_and_the_published_one_stays(workshop, sweeper):
    """Objects and the uploads that were never closed."""
    master = await workshop.upload(b"music")
    job_id = await workshop.offer(master)
    lost = await workshop.take()
    await put(workshop, f"{lost.folder}/opus-48.mp4")
    await workshop.storage.open_multipart("audio", f"{lost.folder}/aac-128.mp4", "audio/mp4")
    kept = await workshop.take_away(job_id)
    await put(workshop, f"{kept.folder}/opus-48.mp4")
    await workshop.queue().complete(kept, song())

    await later(workshop, GRACE - 60)
    await sweeper.sweep()
    assert len(await workshop.objects(master)) == 2

    await later(workshop, GRACE + 60)
    await sweeper.sweep()
    assert await workshop.objects(master) == [f"{kept.folder}/opus-48.mp4"]
    assert await workshop.storage.open_uploads("audio", f"{lost.folder}/") == []


async def test_the_folder_of_a_running_attempt_stays_however_old_it_is(workshop, sweeper):
    """It was not fenced off."""
    master = await workshop.upload(b"music")
    await workshop.offer(master)
    lease = await workshop.take(workshop.queue(lease_seconds=60.0))
    await put(workshop, f"{lease.folder}/opus-48.mp4")

    await later(workshop, 10 * GRACE)
    await sweeper.sweep()
    assert len(await workshop.objects(master)) == 1


@pytest.mark.parametrize("transient", [True, False], ids=["tried again", "failed"])
async def test_what_a_failed_attempt_left_goes_too(workshop, sweeper, transient):
    """Nothing will ever be played from there."""
    master = await workshop.upload(b"music")
    await workshop.offer(master)
    lease = await workshop.take()
    await put(workshop, f"{lease.folder}/waveform.json")
    await workshop.queue().fail(lease, Failure("CORRUPT", "Export it again.", transient=transient))

    await later(workshop, GRACE + 60)
    await sweeper.sweep()
    assert await workshop.objects(master) == []


async def test_a_retired_folder_goes_after_the_grace_and_its_neighbours_stay(workshop, sweeper):
    """Also when it is retired twice."""
    track = uuid4()
    old, new = f"tracks/{track}/{uuid4()}", f"tracks/{track}/{uuid4()}"
    for folder in (old, new):
        await put(workshop, f"{folder}/aac.m3u8")
    for _ in range(2):
        async with workshop.store.begin() as tx:
            await tx.retired_folders.add(old, track)

    await later(workshop, GRACE - 60)
    await sweeper.sweep()
    assert len(await workshop.storage.keys("audio", f"tracks/{track}/")) == 2

    await later(workshop, GRACE + 60)
    await sweeper.sweep()
    assert await workshop.storage.keys("audio", f"tracks/{track}/") == [f"{new}/aac.m3u8"]


async def test_a_folder_is_removed_once(workshop, sweeper):
    """What appears there later was not looked at, and is not touched."""
    track = uuid4()
    folder = f"tracks/{track}/{uuid4()}"
    async with workshop.store.begin() as tx:
        await tx.retired_folders.add(folder, track)
    await later(workshop, GRACE + 60)
    await sweeper.sweep()
    await put(workshop, f"{folder}/aac.m3u8")
    await sweeper.sweep()

    assert await workshop.storage.keys("audio", f"{folder}/") == [f"{folder}/aac.m3u8"]


async def test_a_preview_goes_after_its_grace_and_the_job_names_it_no_more(workshop, sweeper):
    """Whatever became of the job; a younger one stays."""
    job_id = await workshop.offer(await workshop.upload(b"music"))
    lease = await workshop.take()
    old = await workshop.queue().open_preview(lease)
    await workshop.queue().show_preview(lease, old)
    await workshop.storage.put("previews", f"{old}/preview.m3u8", b"music", "audio/mp4", "no-store")
    await later(workshop, GRACE + 60)
    young = await workshop.queue().open_preview(lease)
    await workshop.storage.put("previews", f"{young}/preview.m3u8", b"music", "audio/mp4", "no-store")

    await sweeper.sweep()

    assert await workshop.storage.keys("previews", f"{old}/") == []
    assert len(await workshop.storage.keys("previews", f"{young}/")) == 1
    assert (await workshop.job(job_id)).preview is None
