"""What is put right after the catalog's database went back to a moment: nobody is offered what is not there."""

import asyncio
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid4

import pytest

from services.catalog.events import ARTWORK_RETIRED, FOLDER_RETIRED, TRACK_UPLOADED
from services.catalog.recovery import recover
from services.catalog.settings import RecoverySettings
from services.common import images
from services.common.buckets import AUDIO, IMAGES
from services.common.settings import StorageSettings
from services.common.storage import Missing, Storage
from spotilike.internal.v1.audio_pb2 import AudioFacts
from tests.support.catalog import folder_of
from tests.support.rows import Rows, rows_of
from tests.support.stores import prefixed

FILES = {"master.m3u8": b"all", "hi.m3u8": b"list", "hi.mp4": b"music"}
ALBUM = (
    "INSERT INTO albums (id, title, artist_id, cover_url, release_date) VALUES (:id, 'Innuendo', :artist, :cover, :day)"
)
TOLD = "INSERT INTO outbox (event_id, subject, payload, published_at) VALUES (:id, :subject, '', now())"
TRACK = """
    INSERT INTO tracks (id, album_id, title, track_number, duration_sec, file_key, is_available, audio_facts)
    VALUES (:id, :album, 'Delilah', :number, 100, :folder, true, :facts)
"""


def facts() -> bytes:
    """Describe the files of a track."""
    found = AudioFacts(
        manifests=[AudioFacts.Manifest(playlist="master.m3u8")],
        renditions=[AudioFacts.Rendition(playlist="hi.m3u8", media="hi.mp4", size_bytes=len(FILES["hi.mp4"]))],
    )
    return found.SerializeToString()


@dataclass(frozen=True)
class Past:
    """A catalog as it was at a moment, and a store that did not go back, whose buckets have a prefix."""

    rows: Rows
    settings: RecoverySettings
    storage: Storage
    artist: UUID
    album: UUID

    async def track(self, number: int, files: dict[str, bytes]) -> UUID:
        """Return a track that can be played, of which these files are there."""
        track_id = uuid4()
        folder = folder_of(f"tracks/{track_id}", 1)
        values = {"id": track_id, "album": self.album, "number": number, "folder": folder, "facts": facts()}
        await self.rows(TRACK, **values)
        await asyncio.gather(
            *(self.storage.put(AUDIO, f"{folder}/{name}", data, "audio/mp4", "public") for name, data in files.items())
        )
        return track_id

    async def picture(self) -> str:
        """Return the key of a picture with all of its sizes."""
        key = images.key(uuid4())
        names = [images.file_name(size, ending) for size in images.SIZES for ending in images.ENDINGS]
        folder = key.removeprefix(f"{IMAGES}/")
        await asyncio.gather(
            *(self.storage.put(IMAGES, f"{folder}/{name}", b"x", "image/webp", "public") for name in names)
        )
        return key


@pytest.fixture(scope="module")
def place(engines) -> StorageSettings:
    """Return where the store is, as its administrator; the buckets are there."""
    settings, _ = prefixed(engines)
    return settings


@pytest.fixture
async def past(place, databases):
    """Return a catalog with an album of an artist who has a picture."""
    name, storage = f"past_{uuid4().hex[:8]}", Storage(place)
    settings = RecoverySettings(database_url=await databases.fresh("catalog", name), **place.model_dump())
    async with rows_of(databases, "catalog", name) as rows:
        past = Past(rows, settings, storage, uuid4(), uuid4())
        picture = await past.picture()
        await rows(
            "INSERT INTO artists (id, name, avatar_url) VALUES (:id, 'Queen', :key)", id=past.artist, key=picture
        )
        await rows(ALBUM, id=past.album, artist=past.artist, cover=await past.picture(), day=date(1991, 2, 5))
        yield past


async def test_a_track_that_has_lost_a_file_is_withdrawn_and_says_why(past):
    """One that is missing counts as much as one that is cut off; whole tracks stay, and so does all the second time."""
    whole = await past.track(1, FILES)
    missing = await past.track(2, {name: data for name, data in FILES.items() if name != "hi.m3u8"})
    cut = await past.track(3, {**FILES, "hi.mp4": b"mus"})
    gone = await past.track(4, {})

    first, second = await recover(past.settings), await recover(past.settings)

    assert (first["tracks"], first["tracks_withdrawn"]) == (4, 3)
    assert (second["tracks"], second["tracks_withdrawn"]) == (1, 0)
    rows = await past.rows("SELECT id, is_available, failure_reason FROM tracks")
    lost = dict.fromkeys((missing, cut, gone), (False, "FILES_LOST"))
    assert {row.id: (row.is_available, row.failure_reason) for row in rows} == {whole: (True, None), **lost}


async def test_more_tracks_than_are_looked_at_at_once_are_all_looked_at(past, monkeypatch):
    """The next ones are asked for by the id of the last."""
    monkeypatch.setattr("services.catalog.recovery.BATCH", 2)
    for number in range(1, 6):
        await past.track(number, {} if number % 2 else FILES)

    figures = await recover(past.settings)

    assert (figures["tracks"], figures["tracks_withdrawn"]) == (5, 3)


async def test_a_picture_that_has_lost_a_size_is_counted(past):
    """It is shown as long as somebody has it; nothing else could be done about it."""
    whole = await recover(past.settings)
    [row] = await past.rows("SELECT cover_url FROM albums")
    await past.storage.remove(IMAGES, f"{row.cover_url.removeprefix('images/')}/64.jpg")

    assert [(one["pictures"], one["pictures_lost"]) for one in (whole, await recover(past.settings))] == [
        (2, 0),
        (2, 1),
    ]


async def test_what_was_retired_before_the_moment_is_told_again(past):
    """Processing may have heard it after the moment, and would keep the files for ever; other facts stay told."""
    for subject in (FOLDER_RETIRED, ARTWORK_RETIRED, TRACK_UPLOADED):
        await past.rows(TOLD, id=uuid4(), subject=subject)

    first, second = await recover(past.settings), await recover(past.settings)

    assert (first["retired_told_again"], second["retired_told_again"]) == (2, 0)
    leaving = await past.rows("SELECT subject FROM outbox WHERE published_at IS NULL")
    assert {row.subject for row in leaving} == {FOLDER_RETIRED, ARTWORK_RETIRED}


async def test_a_store_that_is_away_withdraws_nothing(past):
    """Whether the files are there is not known then."""
    await past.track(1, {})

    with pytest.raises(ConnectionError):
        await recover(past.settings.model_copy(update={"s3_endpoint": "127.0.0.1:1"}))
    assert await past.rows("SELECT 1 FROM tracks WHERE is_available")


async def test_a_store_without_the_buckets_withdraws_nothing(past):
    """A wrong prefix is a mistake of the operator, and no loss."""
    await past.track(1, FILES)

    with pytest.raises(Missing):
        await recover(past.settings.model_copy(update={"s3_bucket_prefix": "wrong-"}))
    assert await past.rows("SELECT 1 FROM tracks WHERE is_available")
