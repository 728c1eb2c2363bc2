"""The catalog service of this worker, and what tests of it and of its neighbours do with it again and again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from services.catalog import __main__ as catalog_main
from services.catalog.settings import Settings
from services.common import events
from services.common.settings import NatsSettings, StorageSettings
from services.common.storage import Storage
from spotilike.catalog.v1.album_pb2 import Album
from spotilike.catalog.v1.album_service_pb2 import CreateAlbumRequest
from spotilike.catalog.v1.album_service_pb2_grpc import AlbumServiceStub
from spotilike.catalog.v1.artist_pb2 import Artist
from spotilike.catalog.v1.artist_service_pb2 import CreateArtistRequest
from spotilike.catalog.v1.artist_service_pb2_grpc import ArtistServiceStub
from spotilike.catalog.v1.artwork_pb2 import Artwork
from spotilike.catalog.v1.artwork_service_pb2 import CompleteArtworkRequest, CreateArtworkRequest
from spotilike.catalog.v1.artwork_service_pb2_grpc import ArtworkServiceStub
from spotilike.catalog.v1.genre_service_pb2_grpc import GenreServiceStub
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.manager_service_pb2 import CreateManagerRequest
from spotilike.catalog.v1.manager_service_pb2_grpc import ManagerServiceStub
from spotilike.catalog.v1.track_pb2 import Track
from spotilike.catalog.v1.track_service_pb2 import CreateTrackRequest, GetTrackRequest
from spotilike.catalog.v1.track_service_pb2_grpc import TrackServiceStub
from spotilike.catalog.v1.upload_pb2 import Upload
from spotilike.catalog.v1.upload_service_pb2 import CompletedPart, CompleteUploadRequest, CreateUploadRequest
from spotilike.catalog.v1.upload_service_pb2_grpc import UploadServiceStub
from spotilike.events.v1.processing_events_pb2 import (
    ArtworkCompleted,
    ArtworkFailed,
    JobCompleted,
    JobFailed,
    JobRetried,
)
from spotilike.internal.v1.audio_pb2 import AudioFacts
from spotilike.internal.v1.catalog_service_pb2_grpc import AccessServiceStub
from tests.support.databases import Databases
from tests.support.engines import Engines
from tests.support.rows import Rows, rows_of
from tests.support.services import Account, RunningService, SignUp, listeners, run

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes before the last one."""
OPEN_LIMIT = 5
LONG_AGO = Date(year=2020, month=2, day=29)
FAR_OFF = Date(year=2999, month=12, day=31)


def storage_settings(engines: Engines) -> dict[str, Any]:
    """Return the settings of the catalog's identity at the object store."""
    keys = engines.s3_credentials("catalog")
    return {
        "s3_endpoint": engines.s3_endpoint,
        "s3_access_key": keys.access_key,
        "s3_secret_key": keys.secret_key,
    }


def catalog_settings(engines: Engines, user: RunningService, database_url: str, **changed: Any) -> Settings:
    """Return settings of a catalog service with small limits and a quick sweeper."""
    values: dict[str, Any] = {
        **listeners(engines, "catalog"),
        **storage_settings(engines),
        "database_url": database_url,
        "user_internal": user.internal_address,
        "nats_url": engines.nats_url,
        "nats_seed_file": engines.nats_seed_file("catalog"),
        "upload_part_size_bytes": PART_BYTES,
        "open_uploads_per_user": OPEN_LIMIT,
        "sweep_seconds": 0.5,
    }
    return Settings(**values | changed)


@pytest.fixture(scope="session")
async def catalog(
    streams: Engines, databases: Databases, user: RunningService, catalog_internal: str
) -> AsyncIterator[RunningService]:
    """Return the catalog service of this worker."""
    url = await databases.url("catalog")
    settings = catalog_settings(streams, user, url, internal_listen=catalog_internal)
    running = await run(catalog_main.wire(settings), streams)
    yield running
    await running.process.stop()


@pytest.fixture(scope="session")
async def catalog_rows(databases: Databases) -> AsyncIterator[Rows]:
    """Return a function that runs SQL as the owner of the catalog's tables."""
    async with rows_of(databases, "catalog") as execute:
        yield execute


@pytest.fixture(scope="session")
def store_of_masters(engines: Engines) -> Storage:
    """Return the object store as the catalog sees it."""
    return Storage(StorageSettings(**storage_settings(engines)))


class Edge:
    """The catalog as the edge calls it, and short words for what every test begins with."""

    def __init__(self, catalog: RunningService, s3: str) -> None:
        """Call `catalog`; `s3` is host:port of the object store."""
        self.catalog = catalog
        self.artists = catalog.public(ArtistServiceStub)
        self.managers = catalog.public(ManagerServiceStub)
        self.albums = catalog.public(AlbumServiceStub)
        self.tracks = catalog.public(TrackServiceStub)
        self.genres = catalog.public(GenreServiceStub)
        self.uploads = catalog.public(UploadServiceStub)
        self.artworks = catalog.public(ArtworkServiceStub)
        self._s3 = httpx.AsyncClient(base_url=f"http://{s3}", timeout=30)

    async def artist(self, account: Account, display_name: str = "Queen") -> str:
        """Make an artist and answer its name."""
        request = CreateArtistRequest(artist=Artist(display_name=display_name))
        return (await self.artists.CreateArtist(request, metadata=account.metadata)).name

    async def manager(self, artist: str, owner: Account, account: Account, *permissions: Any) -> None:
        """Let `account` manage an artist, with `permissions`."""
        manager = Manager(user=account.name, permissions=permissions)
        await self.managers.CreateManager(CreateManagerRequest(parent=artist, manager=manager), metadata=owner.metadata)

    async def album(self, account: Account, artist: str, day: Date = LONG_AGO, title: str = "Innuendo") -> str:
        """Make an album and answer its name."""
        request = CreateAlbumRequest(album=Album(artist=artist, title=title, release_date=day))
        return (await self.albums.CreateAlbum(request, metadata=account.metadata)).name

    async def track(self, account: Account, album: str, **fields: Any) -> Track:
        """Make a track."""
        request = CreateTrackRequest(track=Track(**{"title": "Delilah", **fields, "album": album}))
        made: Track = await self.tracks.CreateTrack(request, metadata=account.metadata)
        return made

    async def shown(self, account: Account, track: str) -> Track:
        """Look at a track."""
        found: Track = await self.tracks.GetTrack(GetTrackRequest(name=track), metadata=account.metadata)
        return found

    async def open(self, account: Account, track: str, size: int, **fields: Any) -> Upload:
        """Open an upload of `size` bytes."""
        request = CreateUploadRequest(**{"filename": "master.ogg", **fields, "track": track, "size_bytes": size})
        opened: Upload = await self.uploads.CreateUpload(request, metadata=account.metadata)
        return opened

    async def send(self, part: Upload.Part, data: bytes) -> CompletedPart:
        """Send one part to its URL, as a browser does."""
        answer = await self._s3.put(part.url, content=data)
        answer.raise_for_status()
        return CompletedPart(number=part.number, etag=answer.headers["etag"])

    async def send_all(self, upload: Upload) -> list[CompletedPart]:
        """Send every part of an upload."""
        return [await self.send(part, content(part)) for part in upload.parts]

    async def complete(self, account: Account, upload: Upload, sent: list[CompletedPart], **fields: Any) -> Upload:
        """Complete an upload."""
        request = CompleteUploadRequest(name=upload.name, parts=sent, **fields)
        completed: Upload = await self.uploads.CompleteUpload(request, metadata=account.metadata)
        return completed

    async def upload(self, account: Account, track: str) -> Upload:
        """Upload a small master."""
        opened = await self.open(account, track, 6)
        return await self.complete(account, opened, await self.send_all(opened))

    async def open_picture(self, account: Account, target: str, size: int = 6, **fields: Any) -> Artwork:
        """Open an upload of a picture of `size` bytes."""
        request = CreateArtworkRequest(**{"size_bytes": size, **fields, "target": target})
        opened: Artwork = await self.artworks.CreateArtwork(request, metadata=account.metadata)
        return opened

    async def send_picture(self, artwork: Artwork, data: bytes = b"pixels") -> str:
        """Send a picture to its URL, as a browser does; answers the entity tag."""
        answer = await self._s3.put(artwork.url, content=data)
        answer.raise_for_status()
        return str(answer.headers["etag"])

    async def complete_picture(self, account: Account, artwork: Artwork, etag: str, **fields: Any) -> Artwork:
        """Complete a picture."""
        request = CompleteArtworkRequest(name=artwork.name, etag=etag, **fields)
        completed: Artwork = await self.artworks.CompleteArtwork(request, metadata=account.metadata)
        return completed

    async def picture(self, account: Account, target: str) -> Artwork:
        """Upload a picture of a few bytes."""
        opened = await self.open_picture(account, target)
        return await self.complete_picture(account, opened, await self.send_picture(opened))

    async def close(self) -> None:
        """Close what was opened."""
        await self._s3.aclose()


def content(part: Upload.Part) -> bytes:
    """Make the bytes of a part, all the same and unlike its neighbours'."""
    return bytes([part.number]) * part.size_bytes


@pytest.fixture(scope="session")
async def edge(catalog: RunningService, engines: Engines) -> AsyncIterator[Edge]:
    """Return the catalog as the edge calls it."""
    edge = Edge(catalog, engines.s3_endpoint)
    yield edge
    await edge.close()


@pytest.fixture(scope="session")
def access(catalog: RunningService) -> AccessServiceStub:
    """Return the catalog as other services call it."""
    return catalog.internal(AccessServiceStub)


@dataclass(frozen=True)
class Studio:
    """Somebody with an artist and an album that came out long ago."""

    account: Account
    artist: str
    album: str


@pytest.fixture(scope="module")
async def owner(sign_up: SignUp) -> Account:
    """Return the account behind every studio of a module; a whole run lasts longer than its access token."""
    account: Account = await sign_up()
    return account


@pytest.fixture(scope="module")
async def stranger(sign_up: SignUp) -> Account:
    """Return somebody who manages nothing, to the tests of a module."""
    account: Account = await sign_up()
    return account


@pytest.fixture
async def studio(edge: Edge, owner: Account) -> Studio:
    """Return a new studio."""
    artist = await edge.artist(owner)
    return Studio(owner, artist, await edge.album(owner, artist))


def folder_of(track: str, generation: int) -> str:
    """Name the renditions of a master as an attempt at it does; processing puts aside what tells of another folder."""
    return f"{track}/{UUID(int=generation)}"


class Processing:
    """What processing, or another context, tells the catalog, over the broker and as often as it likes."""

    def __init__(self, engines: Engines) -> None:
        """Tell it to the broker of `engines`."""
        self._settings = NatsSettings(nats_url=engines.nats_url, nats_seed_file=engines.nats_seed_file("admin"))

    async def completed(self, upload: Upload, generation: int, *, times: int = 1) -> None:
        """Tell that a job is done, and wait until the catalog has heard it."""
        facts = AudioFacts(samples=100_500, sample_rate_hz=1000, channels=2, waveform="waveform.json")
        fact = JobCompleted(
            job=_id(upload.name),
            track=_id(upload.track),
            generation=generation,
            folder=folder_of(upload.track, generation),
            facts=facts,
        )
        await self.tell("spotilike.processing.job_completed", fact, times=times)

    async def failed(self, upload: Upload, generation: int, reason: str = "TRUNCATED", *, times: int = 1) -> None:
        """Tell that a master could not be used, and wait until the catalog has heard it."""
        fact = JobFailed(
            job=_id(upload.name),
            track=_id(upload.track),
            generation=generation,
            reason=reason,
            message="The file ends too early. Upload it again.",
        )
        await self.tell("spotilike.processing.job_failed", fact, times=times)

    async def retried(self, upload: Upload, generation: int) -> None:
        """Tell that a job begins anew, and wait until the catalog has heard it."""
        fact = JobRetried(job=_id(upload.name), track=_id(upload.track), generation=generation)
        await self.tell("spotilike.processing.job_retried", fact)

    async def picture_completed(self, artwork: Artwork, *, blur_hash: str = "blur", times: int = 1) -> None:
        """Tell that the sizes of a picture are there, and wait until the catalog has heard it."""
        fact = ArtworkCompleted(artwork=_id(artwork.name), blur_hash=blur_hash)
        await self.tell("spotilike.processing.artwork_completed", fact, times=times)

    async def picture_failed(self, artwork: Artwork, reason: str = "TRUNCATED", *, times: int = 1) -> None:
        """Tell that a picture could not be used, and wait until the catalog has heard it."""
        fact = ArtworkFailed(artwork=_id(artwork.name), reason=reason, message="Export the picture again.")
        await self.tell("spotilike.processing.artwork_failed", fact, times=times)

    async def tell(self, subject: str, fact: Message, *, times: int = 1) -> None:
        """Tell a fact, without the id by which the broker would drop twins, and wait until it was heard."""
        connection = await events.connect(self._settings, "admin")
        jetstream = connection.jetstream()
        event = events.new("tracks/test", fact).SerializeToString()
        for _ in range(times):
            published = await jetstream.publish(subject, event)
        async with asyncio.timeout(30):
            while True:
                state = await jetstream.consumer_info(subject.split(".")[1].upper(), "catalog")
                # Just after a publish the broker may not count it as pending yet.
                if state.ack_floor.stream_seq >= published.seq:
                    break
                await asyncio.sleep(0.01)
        await connection.close()


@pytest.fixture
def processing_facts(streams: Engines) -> Processing:
    """Return the voice of processing."""
    return Processing(streams)


def _id(name: str) -> str:
    return str(UUID(name.split("/")[1]))
