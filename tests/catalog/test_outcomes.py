"""What becomes of masters: told by processing over a real broker, in any order and more than once."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import pytest

from spotilike.catalog.v1.track_pb2 import Track
from spotilike.catalog.v1.track_service_pb2 import DeleteTrackRequest, GetTrackRequest
from spotilike.catalog.v1.upload_pb2 import Upload
from spotilike.events.v1.catalog_events_pb2 import FolderRetired
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.processing_events_pb2 import JobCompleted
from tests.catalog.refusals import refused
from tests.support.catalog import Edge, Processing, folder_of
from tests.support.rows import Rows, put_aside
from tests.support.services import Account

READY, FAILED, PROCESSING = Track.READY, Track.FAILED, Track.PROCESSING


@dataclass(frozen=True)
class Song:
    """A track and its masters."""

    name: str
    account: Account
    edge: Edge
    processing: Processing
    rows: Rows

    async def upload(self):
        """Upload a master."""
        return await self.edge.upload(self.account, self.name)

    def folder(self, generation):
        """Name the folder of a master's renditions."""
        return folder_of(self.name, generation)

    async def completed(self, upload, generation, **fields):
        """Tell that a master is done."""
        await self.processing.completed(upload, generation, **fields)

    async def failed(self, upload, generation, **fields):
        """Tell that a master cannot be used."""
        await self.processing.failed(upload, generation, **fields)

    async def shown(self):
        """Look at the track as its artist."""
        return await self.edge.shown(self.account, self.name)

    async def remove(self):
        """Remove the track."""
        await self.edge.tracks.DeleteTrack(DeleteTrackRequest(name=self.name), metadata=self.account.metadata)

    async def row(self):
        """Read the row."""
        [row] = await self.rows("SELECT * FROM tracks WHERE id = :id", id=self.name.split("/")[1])
        return row

    async def retired(self):
        """List the folders that were retired, each as often as it was told."""
        rows = await self.rows("SELECT payload FROM outbox WHERE subject LIKE '%folder_retired' ORDER BY id")
        facts = []
        for row in rows:
            fact = FolderRetired()
            assert Event.FromString(row.payload).payload.Unpack(fact)
            facts.append(fact)
        return [fact.folder for fact in facts if f"tracks/{fact.track}" == self.name]


@pytest.fixture
async def song(edge, studio, processing_facts, catalog_rows):
    """Return a draft."""
    track = await edge.track(studio.account, studio.album)
    return Song(track.name, studio.account, edge, processing_facts, catalog_rows)


async def test_the_first_master_makes_a_track_ready(song):
    """One row switch: availability, length and folder; there is nothing to retire."""
    upload = await song.upload()

    await song.completed(upload, 1)

    shown = await song.shown()
    assert (shown.state, shown.is_available, shown.job) == (READY, True, upload.job)
    assert shown.duration.seconds == 100
    assert (await song.edge.tracks.GetTrack(GetTrackRequest(name=song.name))) == shown
    row = await song.row()
    assert (row.file_key, row.duration_sec, row.published_generation) == (song.folder(1), 100, 1)
    assert await song.retired() == []


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["in order", "newest first"])
async def test_the_newer_master_wins_in_both_orders(song, order):
    """The other one's folder is retired, once."""
    uploads = {generation: await song.upload() for generation in (1, 2)}

    for generation in order:
        await song.completed(uploads[generation], generation)

    row = await song.row()
    assert (row.file_key, row.published_generation, row.is_available) == (song.folder(2), 2, True)
    assert await song.retired() == [song.folder(1)]


async def test_two_masters_that_are_done_at_once_leave_the_newer_one(song):
    """Whichever transaction comes first."""
    first, second = [await song.upload() for _ in range(2)]

    await asyncio.gather(
        song.completed(second, 2, times=2),
        song.completed(first, 1, times=2),
    )

    assert (await song.row()).file_key == song.folder(2)
    assert await song.retired() == [song.folder(1)]


async def test_every_fact_may_arrive_three_times(song):
    """Also long after: the rows are the same, and the folder that is played is never retired."""
    first, second = [await song.upload() for _ in range(2)]

    await song.completed(first, 1, times=3)
    await song.completed(second, 2, times=3)
    after = await song.row()
    await song.completed(first, 1, times=3)
    await song.completed(second, 2, times=3)
    await song.failed(second, 2, times=3)

    assert await song.row() == after
    assert (after.file_key, after.failure_reason) == (song.folder(2), None)
    assert await song.retired() == [song.folder(1)]


async def test_a_first_master_that_fails_says_why(song):
    """The artist sees the reason; a new master clears it."""
    upload = await song.upload()
    assert (await song.shown()).state == PROCESSING

    await song.failed(upload, 1, times=3)
    shown = await song.shown()
    assert (shown.state, shown.is_available, shown.failure.reason) == (FAILED, False, "TRUNCATED")
    assert shown.failure.message
    assert not shown.HasField("duration")

    await song.upload()
    shown = await song.shown()
    assert (shown.state, shown.HasField("failure")) == (PROCESSING, False)


async def test_a_new_master_that_fails_keeps_what_was_played(song):
    """READY with `job`, then READY with `failure`, then READY again."""
    first = await song.upload()
    await song.completed(first, 1)

    second = await song.upload()
    shown = await song.shown()
    assert (shown.state, shown.job, shown.is_available) == (READY, second.job, True)

    await song.failed(second, 2)
    shown = await song.shown()
    assert (shown.state, shown.failure.reason, shown.is_available) == (READY, "TRUNCATED", True)
    assert ((await song.row()).file_key, await song.retired()) == (song.folder(1), [])

    third = await song.upload()
    await song.completed(third, 3)
    shown = await song.shown()
    assert (shown.state, shown.HasField("failure")) == (READY, False)
    assert await song.retired() == [song.folder(1)]


async def test_an_older_master_that_fails_is_no_news(song):
    """Only the newest one's failure is told."""
    first = await song.upload()
    await song.upload()

    await song.failed(first, 1)

    shown = await song.shown()
    assert (shown.state, shown.HasField("failure")) == (PROCESSING, False)


async def test_an_older_master_plays_while_the_newest_has_failed(song):
    """The failure stays to be seen."""
    first, second = [await song.upload() for _ in range(2)]

    await song.failed(second, 2)
    assert (await song.shown()).state == FAILED
    await song.completed(first, 1)

    shown = await song.shown()
    assert (shown.state, shown.is_available, shown.failure.reason) == (READY, True, "TRUNCATED")


async def test_a_job_that_is_tried_again_may_still_succeed(song):
    """A failure is not the last word; a success is."""
    upload = await song.upload()

    await song.failed(upload, 1)
    await song.completed(upload, 1)
    await song.failed(upload, 1)

    shown = await song.shown()
    assert (shown.state, shown.HasField("failure")) == (READY, False)


async def test_a_job_that_begins_anew_is_waited_for_again(song):
    """The failure is forgotten, and the master is told of again until there is an outcome."""
    upload = await song.upload()
    await song.failed(upload, 1)
    await song.processing.retried(upload, 1)

    shown = await song.shown()
    assert (shown.state, shown.HasField("failure")) == (PROCESSING, False)
    find = "SELECT outcome FROM uploads WHERE id = :id"
    assert [row.outcome for row in await song.rows(find, id=upload.name.split("/")[1])] == [None]

    await song.completed(upload, 1)
    await song.processing.retried(upload, 1)
    assert (await song.shown()).state == READY
    assert [row.outcome for row in await song.rows(find, id=upload.name.split("/")[1])] == ["COMPLETED"]


async def test_an_older_master_that_begins_anew_leaves_the_newest_one_s_failure(song):
    """It says something else."""
    first, second = [await song.upload() for _ in range(2)]
    await song.failed(second, 2)
    await song.processing.retried(first, 1)

    assert (await song.shown()).failure.reason == "TRUNCATED"


async def test_a_removed_track_retires_its_folders(song):
    """The one that was played at once, the one that was still in work when it comes."""
    first, second = [await song.upload() for _ in range(2)]
    await song.completed(first, 1)

    await song.remove()
    assert await song.retired() == [song.folder(1)]
    await song.completed(second, 2, times=2)

    assert await song.retired() == [song.folder(1), song.folder(2)]
    assert await refused(song.shown()) == "TRACK_NOT_FOUND"


async def test_a_draft_that_is_removed_has_nothing_to_retire(song):
    """The key that fills its column is no folder."""
    await song.remove()

    assert await song.retired() == []


async def test_facts_about_nothing_are_put_aside(song):
    """A job that nobody knows and words that are no job; what comes after them is applied."""
    upload = await song.upload()
    unknown, nonsense = str(uuid4()), f"nonsense of {uuid4()}"

    await asyncio.gather(
        song.completed(Upload(name=f"uploads/{unknown}", track=song.name), 1),
        song.processing.tell("spotilike.processing.job_completed", JobCompleted(job=nonsense)),
        song.completed(upload, 1),
    )

    assert (await song.shown()).state == READY
    assert [await put_aside(song.rows, words) for words in (unknown, nonsense)] == [1, 1]
