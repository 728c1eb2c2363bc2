"""Artists, through a real client."""

from uuid import uuid4

import pytest

from spotilike.catalog.v1.artist_pb2 import Artist
from spotilike.catalog.v1.artist_service_pb2 import (
    CreateArtistRequest,
    GetArtistRequest,
    ListArtistsRequest,
    UpdateArtistRequest,
)
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.manager_service_pb2 import ListManagersRequest
from tests.catalog.lists import read_all
from tests.catalog.refusals import no_artist, refused, refused_fields


async def test_who_makes_an_artist_manages_it_with_everything(edge, owner):
    """In the same transaction, so that no artist is ever without a manager."""
    made = await edge.artists.CreateArtist(
        CreateArtistRequest(artist=Artist(display_name="Ноль", bio="Ленинград\n1984")), metadata=owner.metadata
    )

    assert await edge.artists.GetArtist(GetArtistRequest(name=made.name)) == made
    assert (made.display_name, made.bio, made.avatar_uri, made.is_verified) == ("Ноль", "Ленинград\n1984", "", False)
    team = await edge.managers.ListManagers(ListManagersRequest(parent=made.name), metadata=owner.metadata)
    assert [(manager.user, list(manager.permissions)) for manager in team.managers] == [(owner.name, [Manager.ALL])]


async def test_nobody_makes_artists_without_signing_in(edge):
    """The contract says user."""
    call = edge.artists.CreateArtist(CreateArtistRequest(artist=Artist(display_name="Nobody")))

    assert await refused(call) == "TOKEN_MISSING"


@pytest.mark.parametrize(
    ("artist", "fields"),
    [
        (Artist(), {"artist"}),
        (Artist(display_name=" \t"), {"artist.display_name"}),
        (Artist(display_name="x" * 101), {"artist.display_name"}),
        (Artist(display_name="a\0b", bio="\0"), {"artist.display_name", "artist.bio"}),
    ],
    ids=["nothing", "blank", "long", "NUL"],
)
async def test_an_artist_has_a_name_that_can_be_read(edge, owner, artist, fields):
    """The database's limits are the contract's."""
    call = edge.artists.CreateArtist(CreateArtistRequest(artist=artist), metadata=owner.metadata)

    assert await refused_fields(call) == fields


async def test_a_request_that_arrives_twice_makes_one_artist(edge, owner):
    """AIP-155; with another content the id is refused."""
    request_id = str(uuid4())
    request = CreateArtistRequest(artist=Artist(display_name="Once"), request_id=request_id)

    first = await edge.artists.CreateArtist(request, metadata=owner.metadata)
    second = await edge.artists.CreateArtist(request, metadata=owner.metadata)
    other = CreateArtistRequest(artist=Artist(display_name="Twice"), request_id=request_id)

    assert first == second
    assert await refused(edge.artists.CreateArtist(other, metadata=owner.metadata)) == "REQUEST_ID_REUSED"


async def test_artists_are_listed_by_name_each_exactly_once(edge, owner):
    """Also those of one name, whatever its case, and for anybody."""
    made = {await edge.artist(owner, name) for name in ("Zed", "abba", "Abba", "Ария", "ария 2")}

    listed = await read_all(edge.artists.ListArtists, ListArtistsRequest(page_size=2), "artists")

    names = [(artist.display_name.lower(), artist.name) for artist in listed]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert made <= {artist.name for artist in listed}


async def test_an_unknown_artist_is_not_found(edge):
    """By a name that nobody has."""
    assert await refused(edge.artists.GetArtist(GetArtistRequest(name=no_artist()))) == "ARTIST_NOT_FOUND"


async def test_an_update_changes_what_its_mask_names(edge, studio):
    """AIP-134: no mask means what is set, `*` means everything; names are written as in JSON or not."""
    name, metadata = studio.artist, studio.account.metadata

    async def update(artist, *paths):
        request = UpdateArtistRequest(artist=artist)
        request.update_mask.paths.extend(paths)
        changed = await edge.artists.UpdateArtist(request, metadata=metadata)
        return changed.display_name, changed.bio, changed.is_verified

    assert await update(Artist(name=name, bio="A", is_verified=True)) == ("Queen", "A", False)
    assert await update(Artist(name=name, display_name="King", bio="B"), "displayName") == ("King", "A", False)
    assert await update(Artist(name=name), "bio") == ("King", "", False)
    assert await update(Artist(name=name, bio="C", display_name="Jack"), "*") == ("Jack", "C", False)
    assert await update(Artist(name=name, display_name="Ten"), "is_verified") == ("Jack", "C", False)


@pytest.mark.parametrize(
    ("artist", "path", "field"),
    [
        (Artist(), "display_name", "artist.display_name"),
        (Artist(display_name=" "), "", "artist.display_name"),
        (Artist(display_name="X"), "nonsense", "update_mask"),
    ],
    ids=["cleared", "blank", "unknown field"],
)
async def test_an_update_that_makes_no_sense_names_the_field(edge, studio, artist, path, field):
    """And changes nothing."""
    request = UpdateArtistRequest(artist=Artist(name=studio.artist, display_name=artist.display_name))
    request.update_mask.paths.extend(filter(None, [path]))

    call = edge.artists.UpdateArtist(request, metadata=studio.account.metadata)

    assert await refused_fields(call) == {field}
    assert (await edge.artists.GetArtist(GetArtistRequest(name=studio.artist))).display_name == "Queen"


@pytest.mark.parametrize("name", ["", "artists/", "artists/1", "albums/00000000-0000-0000-0000-000000000000", "Ж/Я"])
async def test_an_update_of_no_artist_is_refused(edge, studio, name):
    """The name is inside the resource, where the path of the edge does not check it."""
    call = edge.artists.UpdateArtist(UpdateArtistRequest(artist=Artist(name=name)), metadata=studio.account.metadata)

    assert await refused_fields(call) == {"artist.name"}


async def test_only_managers_with_the_permission_change_an_artist(edge, studio, sign_up, stranger):
    """Others see it and may not."""
    editor, uploader = await sign_up(), await sign_up()
    await edge.manager(studio.artist, studio.account, editor, Manager.EDIT_PROFILE)
    await edge.manager(studio.artist, studio.account, uploader, Manager.UPLOAD)
    request = UpdateArtistRequest(artist=Artist(name=studio.artist, bio="new"))

    assert (await edge.artists.UpdateArtist(request, metadata=editor.metadata)).bio == "new"
    assert await refused(edge.artists.UpdateArtist(request, metadata=uploader.metadata)) == "PERMISSION_MISSING"
    assert await refused(edge.artists.UpdateArtist(request, metadata=stranger.metadata)) == "PERMISSION_MISSING"
    assert await refused(edge.artists.UpdateArtist(request)) == "TOKEN_MISSING"
