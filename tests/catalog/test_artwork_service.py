"""Pictures on their way in, through a real client and a real object store."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from services.catalog.settings import Settings
from services.common.storage import Missing
from spotilike.catalog.v1.artwork_pb2 import Artwork
from spotilike.catalog.v1.artwork_service_pb2 import CreateArtworkRequest, GetArtworkRequest
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.events.v1.catalog_events_pb2 import ArtworkUploaded
from spotilike.events.v1.event_pb2 import Event
from tests.catalog.refusals import refused, refused_fields, refused_with
from tests.support.catalog import FAR_OFF

UNFINISHED_LIMIT = Settings.model_fields["unfinished_artworks_per_user"].default
LARGEST = 10 * 1024 * 1024
MANAGING = {"albums": Manager.EDIT_RELEASES, "artists": Manager.EDIT_PROFILE}
OTHER = {"albums": Manager.EDIT_PROFILE, "artists": Manager.EDIT_RELEASES}


@pytest.fixture
def announced(catalog_rows):
    """Return a function that reads what was announced about a picture."""

    async def read(artwork):
        rows = await catalog_rows("SELECT payload FROM outbox WHERE subject = 'spotilike.catalog.artwork_uploaded'")
        facts = []
        for row in rows:
            event, fact = Event.FromString(row.payload), ArtworkUploaded()
            assert event.payload.Unpack(fact)
            if f"artworks/{fact.artwork}" == artwork.name:
                facts.append((event, fact))
        return facts

    return read


@pytest.fixture
async def targets(edge, artist):
    """Return whose pictures somebody may change, by collection."""
    account, name, _ = artist
    return {"albums": await edge.album(account, name), "artists": name, "users": account.name}


@pytest.fixture(params=["albums", "artists", "users"])
def target(request, targets):
    """Return each of them."""
    return targets[request.param]


async def get(edge, account, artwork):
    """Look at a picture."""
    return await edge.artworks.GetArtwork(GetArtworkRequest(name=artwork.name), metadata=account.metadata)


def row(catalog_rows, artwork):
    """Read the row of a picture."""
    return catalog_rows("SELECT * FROM artworks WHERE id = :id", id=artwork.name.split("/")[1])


async def test_a_picture_goes_from_the_client_to_the_object_store_and_is_announced(
    edge, artist, target, announced, store_of_masters
):
    """By one PUT at the API's origin."""
    account = artist[0]

    opened = await edge.open_picture(account, target, 6)
    key = opened.name
    assert (opened.state, opened.target, opened.size_bytes) == (Artwork.OPEN, target, 6)
    assert opened.url.startswith(f"/uploads/{key}?")

    completed = await edge.complete_picture(account, opened, await edge.send_picture(opened))
    assert (completed.state, completed.name, completed.url) == (Artwork.PROCESSING, opened.name, "")
    assert (list(completed.images), completed.blur_hash) == ([], "")

    assert (await store_of_masters.stat("uploads", key)).size_bytes == 6
    [(event, fact)] = await announced(opened)
    assert (event.resource, event.actor) == (opened.name, account.name)
    assert fact == ArtworkUploaded(
        artwork=opened.name.removeprefix("artworks/"), source_bucket="uploads", source_key=key, size_bytes=6
    )


async def test_me_is_the_caller(edge, artist):
    """The answer carries the real name."""
    account = artist[0]

    assert (await edge.open_picture(account, "users/me")).target == account.name


async def test_later_pictures_have_greater_names(edge, artist):
    """By which the newest one is known, wherever facts about them arrive."""
    account = artist[0]
    names = [(await edge.open_picture(account, "users/me")).name for _ in range(4)]

    assert names == sorted(names)


@pytest.mark.parametrize("collection", ["albums", "artists"])
async def test_a_manager_needs_the_permission_for_what_the_picture_shows(edge, artist, targets, sign_up, collection):
    """The one for albums does not open artists, nor the other way; without it the picture is not even seen."""
    account, name, _ = artist
    target = targets[collection]
    opened = await edge.open_picture(account, target)
    allowed, denied = await sign_up(), await sign_up()
    await edge.manager(name, account, allowed, MANAGING[collection])
    await edge.manager(name, account, denied, OTHER[collection])

    assert (await edge.open_picture(allowed, target)).target == target
    assert (await get(edge, allowed, opened)).name == opened.name
    reason, metadata = await refused_with(edge.open_picture(denied, target))
    assert (reason, metadata["permission"]) == (
        "PERMISSION_MISSING",
        Manager.Permission.Name(MANAGING[collection]),
    )
    assert await refused(get(edge, denied, opened)) == "ARTWORK_NOT_FOUND"
    assert await refused(edge.complete_picture(denied, opened, "tag")) == "ARTWORK_NOT_FOUND"


async def test_nobody_changes_the_picture_of_another_user(edge, artist, stranger):
    """Nor sees one on its way."""
    account = artist[0]
    opened = await edge.open_picture(account, "users/me")

    assert await refused(edge.open_picture(stranger, account.name)) == "PERMISSION_MISSING"
    assert await refused(get(edge, stranger, opened)) == "ARTWORK_NOT_FOUND"
    assert await refused(edge.complete_picture(stranger, opened, "tag")) == "ARTWORK_NOT_FOUND"
    assert (await edge.complete_picture(account, opened, await edge.send_picture(opened))).state == Artwork.PROCESSING


async def test_nobody_in_particular_changes_any_picture(edge, targets):
    """Whatever it shows."""
    for target in targets.values():
        call = edge.artworks.CreateArtwork(CreateArtworkRequest(target=target, size_bytes=6))
        assert await refused(call) == "TOKEN_MISSING"


async def test_what_the_caller_may_not_see_has_no_pictures(edge, artist, stranger):
    """An album before its day, and what does not exist."""
    account, name, _ = artist
    unreleased = await edge.album(account, name, FAR_OFF)

    assert await refused(edge.open_picture(stranger, unreleased)) == "ALBUM_NOT_FOUND"
    assert await refused(edge.open_picture(account, f"albums/{uuid4()}")) == "ALBUM_NOT_FOUND"
    assert await refused(edge.open_picture(account, f"artists/{uuid4()}")) == "ARTIST_NOT_FOUND"
    assert await refused(get(edge, account, Artwork(name=f"artworks/{uuid4()}"))) == "ARTWORK_NOT_FOUND"
    assert (await edge.open_picture(account, unreleased)).state == Artwork.OPEN


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"target": "tracks/0198c0de-0000-7000-8000-000000000001"}, "target"),
        ({"target": "users/me/../x"}, "target"),
        ({"target": "albums/me"}, "target"),
        ({"target": "users/me", "size": 0}, "size_bytes"),
        ({"target": "users/me", "size": LARGEST + 1}, "size_bytes"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_field(edge, artist, fields, field):
    """Before anything is opened."""
    assert await refused_fields(edge.open_picture(artist[0], **fields)) == {field}


async def test_a_picture_of_another_length_than_announced_is_not_complete(edge, artist, announced):
    """Nor one that did not arrive, or not as the client sent it; it can be sent again."""
    account = artist[0]
    opened = await edge.open_picture(account, "users/me")

    assert await refused(edge.complete_picture(account, opened, "tag")) == "UPLOAD_INCOMPLETE"
    etag = await edge.send_picture(opened, b"more pixels")
    assert await refused_with(edge.complete_picture(account, opened, etag)) == ("UPLOAD_INCOMPLETE", {"missing": "1"})
    etag = await edge.send_picture(opened)
    assert await refused(edge.complete_picture(account, opened, "tag")) == "UPLOAD_INCOMPLETE"
    assert (await edge.complete_picture(account, opened, etag)).state == Artwork.PROCESSING
    assert len(await announced(opened)) == 1


async def test_the_same_request_is_carried_out_once(edge, artist, announced):
    """Opening and completing, with the same id."""
    account = artist[0]
    request_id = str(uuid4())

    opened = await edge.open_picture(account, "users/me", request_id=request_id)
    assert (await edge.open_picture(account, "users/me", request_id=request_id)).name == opened.name
    assert await refused(edge.open_picture(account, "users/me", 7, request_id=request_id)) == "REQUEST_ID_REUSED"

    etag = await edge.send_picture(opened)
    answers = await asyncio.gather(
        *(edge.complete_picture(account, opened, etag, request_id=request_id) for _ in range(4))
    )
    assert all(answer == answers[0] for answer in answers)
    assert await edge.complete_picture(account, opened, etag) == answers[0]
    assert len(await announced(opened)) == 1


async def test_a_completed_picture_takes_no_more_bytes(edge, artist):
    """What is being looked at is what was completed."""
    account = artist[0]
    opened = await edge.open_picture(account, "users/me")
    await edge.complete_picture(account, opened, await edge.send_picture(opened))

    with pytest.raises(Exception, match="404"):
        await edge.send_picture(opened, b"others")


async def test_an_overdue_picture_is_closed_and_swept_away(edge, artist, store_of_masters, catalog_rows):
    """Its bytes are removed."""
    account = artist[0]
    opened = await edge.open_picture(account, "users/me")
    etag = await edge.send_picture(opened)
    await catalog_rows("UPDATE artworks SET expires_at = now() WHERE id = :id", id=opened.name.split("/")[1])

    assert (await get(edge, account, opened)).state == Artwork.EXPIRED
    closed = edge.complete_picture(account, opened, etag)
    assert await refused_with(closed) == ("UPLOAD_CLOSED", {"state": "EXPIRED"})

    async with asyncio.timeout(10):
        while not (found := (await row(catalog_rows, opened))[0]).discarded_at:
            await asyncio.sleep(0.02)
    assert found.state == "EXPIRED"
    with pytest.raises(Missing):
        await store_of_masters.parts("uploads", found.source_key, found.multipart_id)


async def test_a_user_has_so_many_unfinished_pictures_and_no_more(edge, artist, processing_facts):
    """Also when they are opened at once; what is refused leaves nothing, and an outcome makes room."""
    account = artist[0]

    ends = await asyncio.gather(
        *(edge.open_picture(account, "users/me") for _ in range(UNFINISHED_LIMIT + 3)), return_exceptions=True
    )

    opened = [end for end in ends if isinstance(end, Artwork)]
    assert len(opened) == UNFINISHED_LIMIT
    assert len([end for end in ends if isinstance(end, grpc.aio.AioRpcError)]) == 3
    completed = await edge.complete_picture(account, opened[0], await edge.send_picture(opened[0]))
    assert await refused_with(edge.open_picture(account, "users/me")) == (
        "UPLOAD_QUOTA",
        {"limit": str(UNFINISHED_LIMIT)},
    )
    await processing_facts.picture_failed(completed)
    assert (await edge.open_picture(account, "users/me")).state == Artwork.OPEN


async def test_a_picture_without_an_outcome_is_announced_again(edge, artist, announced, catalog_rows):
    """Whatever became of the broker."""
    account = artist[0]
    completed = await edge.picture(account, "users/me")
    past = "UPDATE artworks SET announced_at = now() - interval '61 seconds' WHERE id = :id"
    await catalog_rows(past, id=completed.name.split("/")[1])

    async with asyncio.timeout(10):
        while len(facts := await announced(completed)) < 2:
            await asyncio.sleep(0.02)
    assert facts[0][1] == facts[1][1]
    assert facts[0][0].id != facts[1][0].id
