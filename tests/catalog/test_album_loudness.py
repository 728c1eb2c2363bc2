"""How loud an album is: all that can be heard of it, measured again whenever that changes."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from services.catalog.loudness import album_loudness
from spotilike.catalog.v1.track_service_pb2 import DeleteTrackRequest
from spotilike.events.v1.processing_events_pb2 import JobCompleted
from spotilike.internal.v1.audio_pb2 import AudioFacts
from spotilike.internal.v1.catalog_service_pb2 import ResolvePlaybackRequest
from tests.support.catalog import Edge, Processing, Studio, folder_of

COMPLETED = "spotilike.processing.job_completed"


def sounding(tenths, blocks=100):
    """Return the facts of a track that is equally loud everywhere."""
    kept = AudioFacts.LoudnessBlocks(lowest_tenths=tenths, counts=[blocks])
    return AudioFacts(samples=100_500, sample_rate_hz=1000, waveform="waveform.json", loudness_blocks=kept)


SILENT = AudioFacts(
    samples=9000, sample_rate_hz=1000, waveform="waveform.json", loudness_blocks=AudioFacts.LoudnessBlocks()
)
OLD = AudioFacts(samples=9000, sample_rate_hz=1000, waveform="waveform.json", integrated_lufs=-14.0)


@dataclass(frozen=True)
class Record:
    """An album, and processing that tells of its tracks."""

    edge: Edge
    studio: Studio
    processing: Processing
    access: Any

    async def add(self, facts):
        """Make a track that can be heard; answers its name."""
        track = (await self.edge.track(self.studio.account, self.studio.album)).name
        await self.master(track, 1, facts)
        return track

    async def master(self, track, generation, facts):
        """Give a track a new master."""
        upload = await self.edge.upload(self.studio.account, track)
        await self.processing.tell(COMPLETED, self.told(track, upload, generation, facts))

    def told(self, track, upload, generation, facts):
        """Write down what processing says of a master."""
        return JobCompleted(
            job=upload.name.split("/")[1],
            track=track.split("/")[1],
            generation=generation,
            folder=folder_of(track, generation),
            facts=facts,
        )

    async def facts(self, track):
        """Ask what is known of a track when it is going to be heard."""
        question = ResolvePlaybackRequest(track=track.split("/")[1], user=str(self.studio.account.id))
        return (await self.access.ResolvePlayback(question)).facts

    async def loudness(self, track):
        """Ask how loud the album of a track is; None when it is not said."""
        facts = await self.facts(track)
        return facts.album_integrated_lufs if facts.HasField("album_integrated_lufs") else None


@pytest.fixture
def record(edge, studio, processing_facts, access):
    """Return an empty album."""
    return Record(edge, studio, processing_facts, access)


async def test_an_album_is_as_loud_as_its_tracks_together(record):
    """The mean power of all, of which the soft tracks have their share; one track alone is the album."""
    first = await record.add(sounding(-100))
    assert await record.loudness(first) == pytest.approx(-9.95)

    second = await record.add(sounding(-150))

    assert await record.loudness(first) == pytest.approx(-11.76, abs=0.02)
    assert await record.loudness(second) == await record.loudness(first)


async def test_what_is_far_softer_than_the_rest_does_not_count(record):
    """The relative gate works over the whole album, which is why the loudness of each track is not enough."""
    first = await record.add(sounding(-100))
    await record.add(sounding(-400, blocks=1000))

    assert await record.loudness(first) == pytest.approx(-9.95)


async def test_a_track_that_goes_or_gets_a_new_master_changes_the_album(record):
    """Measured again each time."""
    first, second = await record.add(sounding(-100)), await record.add(sounding(-150))

    await record.master(second, 2, sounding(-120))
    assert await record.loudness(first) == pytest.approx(-10.84, abs=0.02)

    await record.edge.tracks.DeleteTrack(DeleteTrackRequest(name=first), metadata=record.studio.account.metadata)
    assert await record.loudness(second) == pytest.approx(-11.95)


async def test_silence_has_no_loudness_and_changes_none(record):
    """A silent album has none; a silent track leaves the others as they are."""
    silent = await record.add(SILENT)
    assert await record.loudness(silent) is None

    await record.add(sounding(-100))
    assert await record.loudness(silent) == pytest.approx(-9.95)


async def test_a_track_whose_blocks_were_not_kept_leaves_the_album_unknown(record):
    """Until it is processed anew: a part of an album would mislead."""
    first, old = await record.add(sounding(-100)), await record.add(OLD)
    assert await record.loudness(first) is None

    await record.master(old, 2, sounding(-100))
    assert await record.loudness(first) == pytest.approx(-9.95)


async def test_tracks_that_are_done_at_once_all_count(record):
    """However their transactions meet."""
    tracks = [(await record.edge.track(record.studio.account, record.studio.album)).name for _ in range(6)]
    uploads = [await record.edge.upload(record.studio.account, track) for track in tracks]
    facts = [sounding(-100 - 10 * number) for number in range(6)]

    await asyncio.gather(
        *(
            record.processing.tell(COMPLETED, record.told(track, upload, 1, each), times=2)
            for track, upload, each in zip(tracks, uploads, facts, strict=True)
        )
    )

    assert await record.loudness(tracks[0]) == pytest.approx(album_loudness(facts))


async def test_blocks_and_tags_stay_in_the_catalog(record):
    """A playback keeps a copy of the facts, without what nobody plays."""
    facts = sounding(-100)
    facts.tags.title = "Song"

    told = await record.facts(await record.add(facts))

    assert (told.HasField("loudness_blocks"), told.HasField("tags"), told.samples) == (False, False, 100_500)
