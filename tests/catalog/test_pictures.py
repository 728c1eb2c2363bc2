"""What becomes of pictures: told by processing over a real broker, in any order and more than once."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import pytest

from services.common.images import SIZES
from services.common.storage import Missing
from spotilike.catalog.v1.album_service_pb2 import GetAlbumRequest
from spotilike.catalog.v1.artist_service_pb2 import GetArtistRequest
from spotilike.catalog.v1.artwork_pb2 import Artwork
from spotilike.catalog.v1.artwork_service_pb2 import GetArtworkRequest
from spotilike.events.v1.catalog_events_pb2 import ArtworkRetired, ArtworkUploaded, AvatarChanged
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.user_events_pb2 import UserDeleted
from tests.support.catalog import Edge, Processing
from tests.support.processing import until
from tests.support.rows import Rows, put_aside
from tests.support.services import Account

LONG_AGO = "UPDATE artworks SET announced_at = now() - interval '61 seconds'"


@dataclass(frozen=True)
class Shelf:
    """Something that has pictures."""

    target: str
    account: Account
    edge: Edge
    processing: Processing
    rows: Rows

    async def picture(self):
        """Upload a picture."""
        return await self.edge.picture(self.account, self.target)

    async def seen(self, artwork):
        """Look at a picture."""
        request = GetArtworkRequest(name=artwork.name)
        return await self.edge.artworks.GetArtwork(request, metadata=self.account.metadata)

    async def shown(self):
        """Answer path and blur hash of the picture that is shown."""
        metadata = self.account.metadata
        if self.target.startswith("albums/"):
            album = await self.edge.albums.GetAlbum(GetAlbumRequest(name=self.target), metadata=metadata)
            return album.cover_uri, album.cover_blur_hash
        artist = await self.edge.artists.GetArtist(GetArtistRequest(name=self.target), metadata=metadata)
        return artist.avatar_uri, artist.avatar_blur_hash

    async def told(self, kind):
        """List the facts of a kind that name this shelf's pictures, the oldest first."""
        rows = await self.rows("SELECT subject, payload FROM outbox ORDER BY id")
        ids = {str(row.id) for row in await self.rows("SELECT id FROM artworks WHERE target = :t", t=self.target)}
        events = [Event.FromString(row.payload).payload for row in rows]
        facts = [kind.FromString(payload.value) for payload in events if payload.Is(kind.DESCRIPTOR)]
        return [fact for fact in facts if fact.artwork in ids]

    async def retired(self):
        """List the pictures that were retired, each as often as it was told."""
        return [f"artworks/{fact.artwork}" for fact in await self.told(ArtworkRetired)]


def uri(artwork, size=640, ending="webp"):
    """Write the path of an image."""
    return f"/images/{artwork.name.removeprefix('artworks/')}/{size}.{ending}"


@pytest.fixture(params=["albums", "artists"])
async def shelf(request, edge, artist, processing_facts, catalog_rows):
    """Return an album and an artist, without a picture."""
    account, name, _ = artist
    target = name if request.param == "artists" else await edge.album(account, name)
    return Shelf(target, account, edge, processing_facts, catalog_rows)


@pytest.fixture
def person(edge, artist, processing_facts, catalog_rows):
    """Return a user without a picture."""
    return Shelf(artist[0].name, artist[0], edge, processing_facts, catalog_rows)


async def test_the_first_picture_is_shown(shelf):
    """With its sizes and its blur hash; there is nothing to retire."""
    assert await shelf.shown() == ("", "")
    artwork = await shelf.picture()

    await shelf.processing.picture_completed(artwork)

    assert await shelf.shown() == (uri(artwork), "blur")
    seen = await shelf.seen(artwork)
    assert (seen.state, seen.blur_hash) == (Artwork.COMPLETED, "blur")
    assert [(image.size_px, image.webp_uri, image.jpeg_uri) for image in seen.images] == [
        (size, uri(artwork, size), uri(artwork, size, "jpg")) for size in SIZES
    ]
    assert await shelf.retired() == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=["in order", "newest first", "mixed"])
async def test_the_newest_picture_is_shown_in_whatever_order_they_are_done(shelf, order):
    """The others are retired, each once."""
    artworks = [await shelf.picture() for _ in range(3)]

    for place in order:
        await shelf.processing.picture_completed(artworks[place], blur_hash=f"blur {place}", times=2)

    assert await shelf.shown() == (uri(artworks[2]), "blur 2")
    assert sorted(await shelf.retired()) == [artwork.name for artwork in artworks[:2]]
    replaced = await shelf.seen(artworks[0])
    assert (replaced.state, list(replaced.images), replaced.blur_hash) == (Artwork.REPLACED, [], "")


async def test_pictures_that_are_done_at_once_leave_the_newest_one(shelf):
    """Whichever transaction comes first."""
    artworks = [await shelf.picture() for _ in range(3)]

    await asyncio.gather(*(shelf.processing.picture_completed(artwork, times=2) for artwork in artworks))

    assert (await shelf.shown())[0] == uri(artworks[2])
    assert sorted(await shelf.retired()) == [artwork.name for artwork in artworks[:2]]


async def test_a_picture_that_cannot_be_used_says_why_and_leaves_the_old_one(shelf):
    """Whoever uploaded it reads what to do."""
    first = await shelf.picture()
    await shelf.processing.picture_completed(first)
    second = await shelf.picture()

    await shelf.processing.picture_failed(second, times=3)

    seen = await shelf.seen(second)
    assert (seen.state, seen.failure.reason) == (Artwork.FAILED, "TRUNCATED")
    assert seen.failure.message.endswith(".")
    assert (await shelf.shown())[0] == uri(first)
    assert await shelf.retired() == []


async def test_a_failure_that_comes_late_changes_nothing(shelf):
    """A success is the last word."""
    artwork = await shelf.picture()
    await shelf.processing.picture_completed(artwork)

    await shelf.processing.picture_failed(artwork)

    assert (await shelf.seen(artwork)).state == Artwork.COMPLETED
    assert (await shelf.shown())[0] == uri(artwork)


async def test_the_user_service_is_told_of_a_user_s_new_picture(person):
    """Of the newest one alone, and once."""
    first, second = [await person.picture() for _ in range(2)]

    await person.processing.picture_completed(second, times=3)
    await person.processing.picture_completed(first, times=3)

    user = person.account.name.removeprefix("users/")
    assert await person.told(AvatarChanged) == [AvatarChanged(user=user, artwork=second.name.removeprefix("artworks/"))]
    assert await person.retired() == [first.name]


async def test_a_user_s_picture_is_told_again_until_the_user_service_knows_it(person):
    """The real one confirms at once; that it has not is what the row says while its word is lost."""
    artwork, waiting = [await person.picture() for _ in range(2)]
    names = {"id": artwork.name.removeprefix("artworks/")}
    await person.processing.picture_completed(artwork)

    async def confirmed():
        return await person.rows("SELECT 1 FROM artworks WHERE id = :id AND stored_at IS NOT NULL", **names)

    await until(confirmed)
    await person.rows(f"{LONG_AGO}, stored_at = NULL WHERE id = :id", **names)
    await until(confirmed)
    assert len(await person.told(AvatarChanged)) == 2

    for old in (artwork, waiting):
        await person.rows(f"{LONG_AGO} WHERE id = :id", id=old.name.removeprefix("artworks/"))

    async def swept():
        told = [fact.artwork for fact in await person.told(ArtworkUploaded)]
        return told.count(waiting.name.removeprefix("artworks/")) == 2

    await until(swept)
    assert len(await person.told(AvatarChanged)) == 2


async def test_pictures_of_an_erased_account_are_shown_no_more(person):
    """Neither the one that was shown, nor one that is still in work and comes later, nor an open one."""
    shown, late = [await person.picture() for _ in range(2)]
    opened = await person.edge.open_picture(person.account, person.target)
    await person.processing.picture_completed(shown)
    erased = UserDeleted(user=person.account.name.removeprefix("users/"))

    await person.processing.tell("spotilike.user.user_deleted", erased, times=2)
    await person.processing.picture_completed(late, times=2)

    assert await person.retired() == [shown.name, late.name]
    assert len(await person.told(AvatarChanged)) == 1
    states = [(await person.seen(artwork)).state for artwork in (shown, late, opened)]
    assert states == [Artwork.REPLACED, Artwork.REPLACED, Artwork.EXPIRED]


@pytest.mark.parametrize("ends", ["picture_completed", "picture_failed"])
async def test_the_file_as_it_came_is_removed_once_it_is_of_no_more_use(shelf, store_of_masters, ends):
    """With everything that it said about where it was taken."""
    artwork = await shelf.picture()
    assert await store_of_masters.stat("uploads", artwork.name)

    await getattr(shelf.processing, ends)(artwork)

    async with asyncio.timeout(10):
        while True:
            try:
                await store_of_masters.stat("uploads", artwork.name)
            except Missing:
                break
            await asyncio.sleep(0.02)


async def test_facts_about_nothing_are_put_aside(shelf, catalog_rows):
    """What comes after them is applied."""
    artwork, unknown = await shelf.picture(), str(uuid4())

    await asyncio.gather(
        shelf.processing.picture_completed(Artwork(name=f"artworks/{unknown}")),
        shelf.processing.picture_completed(artwork),
    )

    assert (await shelf.shown())[0] == uri(artwork)
    assert await put_aside(catalog_rows, unknown) == 1
