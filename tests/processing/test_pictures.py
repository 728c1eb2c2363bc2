"""Pictures in their queue, in workers and in the object store; all real."""

import asyncio
from datetime import timedelta

import pytest
from minio import Minio
from sqlalchemy import func, update

from services.common.images import ENDINGS, SIZES, file_name
from services.common.storage import Storage
from services.processing.domain import Failure, LeaseLostError, Status
from services.processing.sweeper import Graces, Sweeper
from services.processing.tables import pictures as rows
from spotilike.events.v1.processing_events_pb2 import ArtworkCompleted, ArtworkFailed
from tests.support import audio, pictures
from tests.support.processing import until

ALL = sorted(file_name(size, ending) for size in SIZES for ending in ENDINGS)
LASTING = Failure("CORRUPT", "Export it again.")
PASSING = Failure("ENCODER_CRASHED", "Try again.", transient=True)
SHORT = 0.05
"""A lease, in seconds, that is over when the next one looks for it."""
GRACE = 3600.0


@pytest.fixture
def public(engines):
    """Return a function that reads an image as the edge does."""
    keys = engines.s3_credentials("edge")
    store = Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")
    return lambda picture_id, name: store.get_object("images", f"{picture_id}/{name}")


async def taken(queue):
    """Take the picture that is there, when its lease is over."""
    found = []

    async def take():
        found.append(await queue.take())
        return found[-1] is not None

    await until(take)
    return found[-1]


async def test_a_picture_becomes_public_in_every_size_and_is_told(workshop, public):
    """The whole way, with the headers that browsers keep it by."""
    picture_id = await workshop.offer_picture(pictures.drawn("png", 700, 700))
    async with workshop.working(workshop.worker()):
        picture = await workshop.picture_over(picture_id)

    assert (picture.status, picture.attempt, picture.stage) == (Status.COMPLETED, 1, None)
    assert await workshop.told(picture_id) == [ArtworkCompleted(artwork=str(picture_id), blur_hash=picture.blur_hash)]
    assert await workshop.images(picture_id) == ALL
    for size in SIZES:
        for ending, kind in (("webp", "image/webp"), ("jpg", "image/jpeg")):
            image = public(picture_id, file_name(size, ending))
            assert image.headers["content-type"] == kind
            assert image.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert len(pictures.pixels(image.data)) == min(size, 700)
    assert workshop.scratch_files() == []


async def test_a_picture_offered_to_four_workers_is_made_once(workshop):
    """One try, one fact."""
    workers = [workshop.worker() for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.run())
        picture_id = await workshop.offer_picture(pictures.drawn("jpg"))
        picture = await workshop.picture_over(picture_id)
        for worker in workers:
            worker.stop()

    assert picture.attempt == 1
    assert len(await workshop.told(picture_id)) == 1


async def test_a_picture_is_made_before_the_songs_that_wait_longer(workshop, tmp_path):
    """Somebody is looking at the place where it will be."""
    song = audio.save(tmp_path / "song.ogg", audio.sweep(3)).read_bytes()
    songs = [await workshop.offer_content(song) for _ in range(2)]
    picture_id = await workshop.offer_picture(pictures.drawn("webp"))
    async with workshop.working(workshop.worker()):
        picture = await workshop.picture_over(picture_id)
        jobs = [await workshop.over(job_id) for job_id in songs]

    assert all(picture.updated_at < job.updated_at for job in jobs)
    assert {job.status for job in jobs} == {Status.COMPLETED}


async def test_odd_pictures_fail_each_with_its_reason_and_the_worker_goes_on(workshop):
    """The good one behind them is made."""
    contents = {
        "UNSUPPORTED_FORMAT": b"<svg/>",
        "TOO_MANY_PIXELS": pictures.png_bomb(),
        "TRUNCATED": pictures.drawn("jpg")[:1000],
        "CORRUPT": pictures.png(64, 64, b""),
    }
    reasons = {}
    async with workshop.working(workshop.worker()):
        for name, content in contents.items():
            picture_id = await workshop.offer_picture(content)
            picture = await workshop.picture_over(picture_id, seconds=10)
            assert await workshop.told(picture_id) == [
                ArtworkFailed(artwork=str(picture_id), reason=picture.reason, message=picture.message)
            ]
            assert (picture.status, picture.attempt, picture.worker_deaths) == (Status.FAILED, 1, 0)
            assert await workshop.images(picture_id) == []
            reasons[name] = picture.reason
        good = await workshop.picture_over(await workshop.offer_picture(pictures.drawn("png")))

    assert reasons == {name: name for name in contents}
    assert good.status is Status.COMPLETED


async def test_a_lost_lease_writes_nothing_and_tells_nothing(workshop):
    """A worker that wakes up after another one took its picture over."""
    picture_id = await workshop.offer_picture(b"")
    zombie = workshop.pictures("test-1", lease_seconds=SHORT)
    old = await taken(zombie)
    new = await taken(workshop.pictures("test-2"))
    before = await workshop.picture(picture_id)

    for write in (
        lambda: zombie.prolong(old, "ENCODING", 0),
        lambda: zombie.complete(old, "blur"),
        lambda: zombie.fail(old, LASTING),
        lambda: zombie.fail(old, PASSING),
        lambda: zombie.release(old),
    ):
        with pytest.raises(LeaseLostError):
            await write()

    assert (new.task.attempt, new.task.worker_deaths) == (2, 1)
    assert await workshop.picture(picture_id) == before
    assert await workshop.told(picture_id) == []


async def test_a_picture_over_which_three_workers_fell_silent_is_poison(workshop):
    """It is given up and told."""
    picture_id = await workshop.offer_picture(b"")
    queue = workshop.pictures(lease_seconds=SHORT)
    for _ in range(3):
        await taken(queue)

    async def given_up():
        await queue.take()
        return (await workshop.picture(picture_id)).is_over

    await until(given_up)
    (told,) = await workshop.told(picture_id)
    assert told.reason == "ENCODER_CRASHED"


async def test_what_a_killed_worker_wrote_stays_as_it_is(workshop, public):
    """The next attempt adds what is missing; an address that was public never shows anything else."""
    picture_id = await workshop.offer_picture(pictures.drawn("png"))
    await taken(workshop.pictures("test-1", lease_seconds=SHORT))
    await workshop.storage.put("images", f"{picture_id}/64.webp", b"as it was", "image/webp", "")
    async with workshop.working(workshop.worker()):
        picture = await workshop.picture_over(picture_id)

    assert (picture.status, picture.attempt) == (Status.COMPLETED, 2)
    assert await workshop.images(picture_id) == ALL
    assert public(picture_id, "64.webp").data == b"as it was"


async def test_a_worker_that_has_to_leave_gives_its_picture_back(workshop):
    """Without burning a try."""
    picture_id = await workshop.offer_picture(pictures.drawn("png"))
    queue = workshop.pictures()
    await queue.release(await taken(queue))

    assert (await workshop.picture(picture_id)).attempt == 0
    assert (await taken(queue)).task.attempt == 1


async def test_an_outage_of_the_object_store_burns_no_try(workshop):
    """The picture waits until the store is back."""
    away = Storage(workshop.settings.model_copy(update={"s3_endpoint": "127.0.0.1:1"}))
    picture_id = await workshop.offer_picture(pictures.drawn("png"))

    async def released():
        picture = await workshop.picture(picture_id)
        return (picture.status, picture.attempt, picture.attempt_id is not None) == (Status.PENDING, 0, True)

    async with workshop.working(workshop.worker(away)):
        await until(released, seconds=30)
    async with workshop.working(workshop.worker()):
        picture = await workshop.picture_over(picture_id)

    assert (picture.status, picture.attempt) == (Status.COMPLETED, 1)


async def test_a_picture_that_arrives_short_is_tried_again(workshop):
    """It may be the transfer's fault; only after the last try it is told."""
    content = pictures.drawn("png")
    picture_id = await workshop.offer_picture(content, size_bytes=len(content) + 1)
    async with workshop.working(workshop.worker(tries=2)):
        picture = await workshop.picture_over(picture_id)

    assert (picture.status, picture.reason, picture.attempt) == (Status.FAILED, "CHECKSUM_MISMATCH", 2)


@pytest.fixture
def sweeper(workshop):
    """Return a sweeper with a grace of an hour."""
    return Sweeper(workshop.store, workshop.storage, Graces(GRACE, GRACE, GRACE, GRACE))


async def put(workshop, picture_id):
    """Write an image of a picture."""
    await workshop.storage.put("images", f"{picture_id}/64.webp", b"image", "image/webp", "")


async def later(workshop, seconds):
    """Move everything that ended `seconds` into the past."""
    past = func.now() - timedelta(seconds=seconds)
    async with workshop.database.begin() as connection:
        await connection.execute(update(rows).values(updated_at=past))
        await connection.execute(update(rows).where(rows.c.retired_at.is_not(None)).values(retired_at=past))


async def test_a_replaced_picture_goes_after_the_grace_and_the_shown_one_stays(workshop, sweeper):
    """Pages that name it may still be open."""
    queue, (old, shown) = workshop.pictures(), [await workshop.offer_picture(b"") for _ in range(2)]
    for picture_id in (old, shown):
        await queue.complete(await taken(queue), "blur")
        await put(workshop, picture_id)
    for _ in range(2):
        async with workshop.store.begin() as tx:
            assert await tx.pictures.retire(old)

    await later(workshop, GRACE - 60)
    await sweeper.sweep()
    assert await workshop.images(old) == ["64.webp"]

    await later(workshop, GRACE + 60)
    await sweeper.sweep()
    assert await workshop.images(old) == []
    assert await workshop.images(shown) == ["64.webp"]


async def test_what_a_failed_picture_left_goes_after_the_grace(workshop, sweeper):
    """Nobody will ever be shown it; one that is being made is left alone, however old."""
    queue, (failed, running) = workshop.pictures(lease_seconds=60.0), [await workshop.offer_picture(b"") for _ in "ab"]
    await queue.fail(await taken(queue), LASTING)
    await taken(queue)
    for picture_id in (failed, running):
        await put(workshop, picture_id)

    await later(workshop, GRACE + 60)
    await sweeper.sweep()
    assert await workshop.images(failed) == []
    assert await workshop.images(running) == ["64.webp"]
