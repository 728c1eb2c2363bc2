"""Albums, through a real client."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from google.type.date_pb2 import Date

from spotilike.catalog.v1.album_pb2 import Album
from spotilike.catalog.v1.album_service_pb2 import (
    CreateAlbumRequest,
    GetAlbumRequest,
    ListAlbumsRequest,
    UpdateAlbumRequest,
)
from tests.catalog.lists import read_all
from tests.catalog.refusals import no_artist, refused, refused_fields
from tests.support.catalog import FAR_OFF, LONG_AGO


async def make_available(edge, studio, catalog_rows, album):
    """Put a track that can be played on an album."""
    track = await edge.track(studio.account, album)
    await catalog_rows("UPDATE tracks SET is_available = true WHERE id = :id", id=track.name.split("/")[1])
    return track.name


async def test_an_album_is_made_with_a_type_and_without_a_cover(edge, studio):
    """Until there is a cover the column's placeholder is nobody's business."""
    request = CreateAlbumRequest(album=Album(artist=studio.artist, title="Ария ночи", release_date=LONG_AGO))

    made = await edge.albums.CreateAlbum(request, metadata=studio.account.metadata)

    assert await edge.albums.GetAlbum(GetAlbumRequest(name=made.name), metadata=studio.account.metadata) == made
    assert (made.artist, made.title, made.release_date) == (studio.artist, "Ария ночи", LONG_AGO)
    assert (made.type, made.cover_uri) == (Album.ALBUM, "")


async def test_a_request_that_arrives_twice_at_once_makes_one_album(edge, studio):
    """The twin waits for the first one and answers the same."""
    album = Album(artist=studio.artist, title="Once", release_date=LONG_AGO)
    request = CreateAlbumRequest(album=album, request_id=str(uuid4()))

    made = await asyncio.gather(*(edge.albums.CreateAlbum(request, metadata=studio.account.metadata) for _ in range(5)))

    assert len({album.name for album in made}) == 1


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"title": ""}, {"album"}),
        ({"title": " "}, {"album.title"}),
        ({"title": "x" * 151}, {"album.title"}),
        ({"release_date": None}, {"album"}),
        ({"release_date": Date(year=2026, month=2)}, {"album.release_date"}),
        ({"release_date": Date(year=2026, month=2, day=30)}, {"album.release_date"}),
        ({"type": 9}, {"album.type"}),
    ],
    ids=["no title", "blank title", "long title", "no date", "half a date", "30 February", "unknown type"],
)
async def test_an_album_that_makes_no_sense_is_not_made(edge, studio, fields, wrong):
    """And the field is named."""
    album = Album(**{"artist": studio.artist, "title": "T", "release_date": LONG_AGO, **fields})

    call = edge.albums.CreateAlbum(CreateAlbumRequest(album=album), metadata=studio.account.metadata)

    assert await refused_fields(call) == wrong


async def test_albums_are_made_and_changed_by_managers_alone(edge, studio, stranger, catalog_rows):
    """A stranger may not; an artist who does not exist has no albums."""
    await make_available(edge, studio, catalog_rows, studio.album)
    make = CreateAlbumRequest(album=Album(artist=studio.artist, title="T", release_date=LONG_AGO))
    change = UpdateAlbumRequest(album=Album(name=studio.album, title="Mine"))
    orphan = CreateAlbumRequest(album=Album(artist=no_artist(), title="T", release_date=LONG_AGO))

    assert await refused(edge.albums.CreateAlbum(make, metadata=stranger.metadata)) == "PERMISSION_MISSING"
    assert await refused(edge.albums.UpdateAlbum(change, metadata=stranger.metadata)) == "PERMISSION_MISSING"
    assert await refused(edge.albums.CreateAlbum(make)) == "TOKEN_MISSING"
    assert await refused(edge.albums.UpdateAlbum(change)) == "TOKEN_MISSING"
    assert await refused(edge.albums.CreateAlbum(orphan, metadata=studio.account.metadata)) == "ARTIST_NOT_FOUND"


async def test_an_album_is_hidden_until_one_of_its_tracks_can_be_played(edge, studio, stranger, catalog_rows):
    """From nobody and from others; whoever manages the artist sees it."""
    request = GetAlbumRequest(name=studio.album)
    change = UpdateAlbumRequest(album=Album(name=studio.album, title="Mine"))

    async def hidden_from(metadata):
        listed = await edge.albums.ListAlbums(ListAlbumsRequest(artist=studio.artist), metadata=metadata)
        reason = await refused(edge.albums.GetAlbum(request, metadata=metadata))
        return (list(listed.albums), reason) == ([], "ALBUM_NOT_FOUND")

    assert await hidden_from(None)
    assert await hidden_from(stranger.metadata)
    assert await refused(edge.albums.UpdateAlbum(change, metadata=stranger.metadata)) == "ALBUM_NOT_FOUND"
    assert (await edge.albums.GetAlbum(request, metadata=studio.account.metadata)).name == studio.album

    track = await make_available(edge, studio, catalog_rows, studio.album)
    assert (await edge.albums.GetAlbum(request)).name == studio.album
    assert len((await edge.albums.ListAlbums(ListAlbumsRequest(artist=studio.artist))).albums) == 1

    await catalog_rows("UPDATE tracks SET deleted_at = now() WHERE id = :id", id=track.split("/")[1])
    assert await hidden_from(None)


@pytest.mark.parametrize(("days", "shown"), [(-1, True), (0, True), (1, False), (2, False)])
async def test_an_album_comes_out_at_the_beginning_of_its_day_in_utc(edge, studio, catalog_rows, days, shown):
    """By the database's clock, to which no zone of a session matters."""
    [(today,)] = await catalog_rows("SELECT (now() AT TIME ZONE 'UTC')::date")
    day = today + timedelta(days=days)
    album = await edge.album(studio.account, studio.artist, Date(year=day.year, month=day.month, day=day.day))
    await make_available(edge, studio, catalog_rows, album)

    listed = await edge.albums.ListAlbums(ListAlbumsRequest(artist=studio.artist))

    assert (album in {row.name for row in listed.albums}) is shown
    assert today == datetime.now(UTC).date()


async def test_albums_are_listed_the_newest_first_each_exactly_once(edge, studio):
    """Also those of one day; managers see what is not out."""
    days = [Date(year=2001, month=1, day=1)] * 3 + [FAR_OFF, Date(year=1969, month=12, day=31)]
    made = [await edge.album(studio.account, studio.artist, day) for day in days]

    request = ListAlbumsRequest(artist=studio.artist, page_size=2)
    listed = await read_all(edge.albums.ListAlbums, request, "albums", studio.account.metadata)

    dates = [(row.release_date.year, row.release_date.month, row.release_date.day) for row in listed]
    assert dates == sorted(dates, reverse=True)
    assert sorted(row.name for row in listed) == sorted([*made, studio.album])


async def test_a_page_token_belongs_to_its_list(edge, studio, owner):
    """Of another artist, or damaged, it is refused."""
    await edge.album(studio.account, studio.artist)
    page = await edge.albums.ListAlbums(
        ListAlbumsRequest(artist=studio.artist, page_size=1), metadata=studio.account.metadata
    )
    strange = ListAlbumsRequest(artist=await edge.artist(owner), page_token=page.next_page_token)
    damaged = ListAlbumsRequest(artist=studio.artist, page_token="x" + page.next_page_token)

    assert await refused(edge.albums.ListAlbums(strange)) == "PAGE_TOKEN_INVALID"
    assert await refused(edge.albums.ListAlbums(damaged)) == "PAGE_TOKEN_INVALID"
    assert await refused(edge.albums.ListAlbums(ListAlbumsRequest(artist=no_artist()))) == "ARTIST_NOT_FOUND"


async def test_an_update_changes_what_its_mask_names_but_never_the_owner(edge, studio, owner):
    """The artist of an album is fixed."""
    other = await edge.artist(owner)

    async def update(*paths, **fields):
        request = UpdateAlbumRequest(album=Album(name=studio.album, artist=other, **fields))
        request.update_mask.paths.extend(paths)
        changed = await edge.albums.UpdateAlbum(request, metadata=studio.account.metadata)
        assert changed.artist == studio.artist
        return changed.title, changed.type, changed.release_date

    assert await update(title="A", type=Album.EP) == ("A", Album.EP, LONG_AGO)
    assert await update("releaseDate", title="B", release_date=FAR_OFF) == ("A", Album.EP, FAR_OFF)
    assert await update("*", title="C", release_date=LONG_AGO) == ("C", Album.ALBUM, LONG_AGO)
    assert await update("artist") == ("C", Album.ALBUM, LONG_AGO)


@pytest.mark.parametrize(
    ("path", "field"), [("title", "album.title"), ("release_date", "album.release_date"), ("*", "album.title")]
)
async def test_what_an_album_needs_cannot_be_cleared(edge, studio, path, field):
    """The field is named as in the request."""
    request = UpdateAlbumRequest(album=Album(name=studio.album))
    request.update_mask.paths.append(path)

    call = edge.albums.UpdateAlbum(request, metadata=studio.account.metadata)

    assert await refused_fields(call) == {field}
