"""The same recording under two artists is told to the second one, and to nobody else."""

from uuid import uuid4

import numpy as np

from services.processing.domain import Status
from services.processing.events import Intake, Nudges
from spotilike.events.v1.catalog_events_pb2 import FolderRetired
from spotilike.events.v1.event_pb2 import Event
from spotilike.processing.v1.job_service_pb2 import GetJobRequest
from tests.processing.jobs import change
from tests.support.processing import Workshop, song


def fingerprint(seed, errors=0.0):
    """Make up a fingerprint; `errors` is the share of bits that differ from the one without."""
    items = np.random.default_rng(seed).integers(0, 2**32, 400, dtype=np.uint32)
    wrong = np.random.default_rng(seed + 1).random((400, 32)) < errors
    return (items ^ np.packbits(wrong, axis=1).view(np.uint32)[:, 0]).tobytes()


async def publish(workshop: Workshop, fingerprint: bytes, **changes: object):
    """Let a job with this fingerprint complete; `changes` are what the catalog tells of it."""
    master = await workshop.upload(b"music", **changes)
    job_id = await workshop.offer(master)
    await workshop.queue().complete(await workshop.take(), song(fingerprint=fingerprint))
    return await workshop.job(job_id)


async def test_the_second_artist_is_told_of_the_first_one_s_track(workshop):
    """Of the likest of several."""
    other = await publish(workshop, fingerprint(1))
    first = await publish(workshop, fingerprint(2))
    second = await publish(workshop, fingerprint(2, errors=0.05))

    assert (other.same_as, first.same_as) == (None, None)
    assert second.same_as == first.master.track_id


async def test_an_artist_may_upload_a_recording_again(workshop):
    """A new mastering, a single that is on an album, too."""
    artist = uuid4()
    await publish(workshop, fingerprint(3), artist_id=artist)

    assert (await publish(workshop, fingerprint(3), artist_id=artist)).same_as is None


async def test_different_bits_are_a_different_recording(workshop):
    """Though every fourth of their terms is the same."""
    likeness = np.frombuffer(fingerprint(5), np.uint32).copy()
    likeness[::4] = np.frombuffer(fingerprint(4), np.uint32)[::4]
    await publish(workshop, fingerprint(4))

    assert (await publish(workshop, likeness.tobytes())).same_as is None


async def test_a_master_that_is_not_played_any_more_is_forgotten(workshop):
    """As soon as the catalog retires its folder."""
    first = await publish(workshop, fingerprint(6))
    retired = FolderRetired(track=str(first.master.track_id), folder=first.folder)
    await Intake(workshop.store, Nudges()).retirement(Event(), retired)

    assert (await publish(workshop, fingerprint(6))).same_as is None


async def test_silence_is_nobody_s(workshop):
    """There is nothing to know it by."""
    await publish(workshop, b"")

    assert (await publish(workshop, b"")).same_as is None


async def test_the_warning_names_the_other_track_to_administrators_only(jobs, intake, studio, admin, job):
    """Whether it is published is not the artist's to know."""
    other = uuid4()
    await change(intake, job, status=Status.COMPLETED, same_as=other)

    (told,) = (await jobs.GetJob(GetJobRequest(name=job), metadata=studio.account.metadata)).warnings
    (known,) = (await jobs.GetJob(GetJobRequest(name=job), metadata=admin)).warnings

    assert (told.reason, told.track) == ("SAME_RECORDING", "")
    assert "remove the track" in told.message
    assert known.track == f"tracks/{other}"
