"""Tracks, through a real client."""

import asyncio
from uuid import uuid4

import pytest

from spotilike.catalog.v1.genre_service_pb2 import ListGenresRequest
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.track_pb2 import Track
from spotilike.catalog.v1.track_service_pb2 import (
    CreateTrackRequest,
    DeleteTrackRequest,
    GetTrackRequest,
    ListTracksRequest,
    UpdateTrackRequest,
)
from tests.catalog.lists import read_all
from tests.catalog.refusals import no_artist, refused, refused_fields, refused_with
from tests.support.catalog import FAR_OFF

Credit = Track.Credit


@pytest.fixture
def make_available(catalog_rows):
    """Return a function that lets a track be played."""

    async def make(track):
        await catalog_rows("UPDATE tracks SET is_available = true WHERE id = :id", id=track.name.split("/")[1])

    return make


async def test_a_track_begins_as_a_draft_of_its_albums_artist(edge, studio):
    """Without a duration, after the last one on the album."""
    first = await edge.track(studio.account, studio.album)
    second = await edge.track(studio.account, studio.album, track_number=7)
    third = await edge.track(studio.account, studio.album)

    assert await edge.shown(studio.account, first.name) == first
    assert (first.album, first.state, first.is_available, first.job) == (studio.album, Track.DRAFT, False, "")
    assert not first.HasField("duration")
    assert not first.HasField("failure")
    assert [track.track_number for track in (first, second, third)] == [1, 7, 8]
    assert list(first.artists) == [
        Credit(artist=studio.artist, type=Credit.MAIN, display_order=1, display_name="Queen")
    ]


async def test_tracks_that_are_added_at_once_get_a_place_each(edge, studio):
    """The album is locked for that."""
    made = await asyncio.gather(*(edge.track(studio.account, studio.album) for _ in range(8)))

    assert sorted(track.track_number for track in made) == list(range(1, 9))


async def test_several_artists_are_named_in_their_order_and_role(edge, studio, owner):
    """An order of 0 is the place in the list; no role is the main one."""
    guest, remixer = await edge.artist(owner, "Guest"), await edge.artist(owner, "Remixer")
    named = [
        Credit(artist=remixer, type=Credit.REMIXER),
        Credit(artist=studio.artist, display_order=1),
        Credit(artist=guest, type=Credit.FEATURED, display_order=9),
    ]

    track = await edge.track(studio.account, studio.album, artists=named)

    shown = [(credit.display_name, credit.type, credit.display_order) for credit in track.artists]
    assert sorted(shown) == [
        ("Guest", Credit.FEATURED, 9),
        ("Queen", Credit.MAIN, 1),
        ("Remixer", Credit.REMIXER, 1),
    ]
    assert [order for _, _, order in shown] == [1, 1, 9]


async def test_whoever_is_named_has_to_exist(edge, studio):
    """The refusal says which one does not; nothing is kept."""
    nobody = no_artist()
    wanted = Track(album=studio.album, title="T", artists=[Credit(artist=studio.artist), Credit(artist=nobody)])

    call = edge.tracks.CreateTrack(CreateTrackRequest(track=wanted), metadata=studio.account.metadata)

    assert await refused_with(call) == ("ARTIST_NOT_FOUND", {"name": nobody, "field": "track.artists[1].artist"})
    request = ListTracksRequest(album=studio.album)
    assert not (await edge.tracks.ListTracks(request, metadata=studio.account.metadata)).tracks


async def test_genres_are_of_the_list(edge, studio):
    """Every listed one can be given, another one cannot."""
    listed = await read_all(edge.genres.ListGenres, ListGenresRequest(page_size=7), "genres")
    names = [genre.display_name for genre in listed]
    assert names == sorted(names)
    assert {"Rock", "Hip-Hop"} < set(names)
    assert len(set(names)) == len(names) > 30
    chosen = sorted(genre.name for genre in listed[:5])

    track = await edge.track(studio.account, studio.album, genres=chosen)

    assert sorted(track.genres) == chosen
    unknown = Track(album=studio.album, title="T", genres=["genres/999999999"])
    call = edge.tracks.CreateTrack(CreateTrackRequest(track=unknown), metadata=studio.account.metadata)
    assert await refused_with(call) == ("GENRE_NOT_FOUND", {"name": "genres/999999999"})


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"title": ""}, {"track"}),
        ({"title": "\u00a0"}, {"track.title"}),
        ({"title": "x" * 151}, {"track.title"}),
        ({"album": "albums/1"}, {"track.album"}),
        ({"album": ""}, {"track"}),
        ({"track_number": 1000}, {"track.track_number"}),
        ({"genres": ["genres/x"]}, {"track.genres[0]"}),
        ({"artists": [Credit(artist=f"artists/{uuid4()}")] * 2}, {"track.artists"}),
    ],
    ids=["no title", "blank title", "long title", "odd album", "no album", "far", "odd genre", "named twice"],
)
async def test_a_track_that_makes_no_sense_is_not_made(edge, studio, fields, wrong):
    """And the field is named."""
    track = Track(**{"album": studio.album, "title": "T", **fields})

    call = edge.tracks.CreateTrack(CreateTrackRequest(track=track), metadata=studio.account.metadata)

    assert await refused_fields(call) == wrong


async def test_a_request_that_arrives_twice_makes_one_track(edge, studio):
    """AIP-155."""
    request = CreateTrackRequest(track=Track(album=studio.album, title="T"), request_id=str(uuid4()))

    first = await edge.tracks.CreateTrack(request, metadata=studio.account.metadata)
    second = await edge.tracks.CreateTrack(request, metadata=studio.account.metadata)

    assert first == second


async def test_a_track_is_hidden_until_it_can_be_played_and_is_out(edge, studio, sign_up, stranger, make_available):
    """From nobody and from others; any manager sees it, whatever the permission."""
    analyst = await sign_up()
    await edge.manager(studio.artist, studio.account, analyst, Manager.VIEW_ANALYTICS)
    future = await edge.album(studio.account, studio.artist, FAR_OFF)
    shown, draft = [await edge.track(studio.account, studio.album) for _ in range(2)]
    early = await edge.track(studio.account, future)
    for track in (shown, early):
        await make_available(track)

    async def seen(metadata):
        request = ListTracksRequest(artist=studio.artist, page_size=100)
        listed = {track.name for track in (await edge.tracks.ListTracks(request, metadata=metadata)).tracks}
        for track in (shown, draft, early):
            look = edge.tracks.GetTrack(GetTrackRequest(name=track.name), metadata=metadata)
            if track.name in listed:
                assert (await look).name == track.name
            else:
                assert await refused(look) == "TRACK_NOT_FOUND"
        return listed

    assert await seen(None) == {shown.name}
    assert await seen(stranger.metadata) == {shown.name}
    assert await seen(analyst.metadata) == {shown.name, draft.name, early.name}
    listing = edge.tracks.ListTracks(ListTracksRequest(album=future), metadata=stranger.metadata)
    assert await refused(listing) == "ALBUM_NOT_FOUND"


async def test_the_tracks_of_an_album_are_listed_by_number_each_exactly_once(edge, studio):
    """Also those of one number."""
    numbers = [3, 1, 2, 2, 2]
    made = [await edge.track(studio.account, studio.album, track_number=number) for number in numbers]

    request = ListTracksRequest(album=studio.album, page_size=2)
    listed = await read_all(edge.tracks.ListTracks, request, "tracks", studio.account.metadata)

    assert [track.track_number for track in listed] == sorted(numbers)
    assert sorted(track.name for track in listed) == sorted(track.name for track in made)


async def test_tracks_are_listed_the_newest_first_where_the_artist_is_named(edge, studio, owner):
    """Guests find what they are on; page by page, each exactly once."""
    guest = await edge.artist(owner, "Guest")
    featured = [Credit(artist=studio.artist), Credit(artist=guest, type=Credit.FEATURED)]
    made = [await edge.track(studio.account, studio.album, artists=featured) for _ in range(5)]
    await edge.track(studio.account, studio.album)

    request = ListTracksRequest(artist=guest, page_size=2)
    listed = await read_all(edge.tracks.ListTracks, request, "tracks", studio.account.metadata)

    assert [track.name for track in listed] == [track.name for track in reversed(made)]


async def test_a_list_without_filter_holds_what_anybody_may_hear(edge, studio, make_available):
    """The newest first, each exactly once."""
    made = [await edge.track(studio.account, studio.album) for _ in range(3)]
    for track in made:
        await make_available(track)
    hidden = await edge.track(studio.account, studio.album)

    listed = [track.name for track in await read_all(edge.tracks.ListTracks, ListTracksRequest(page_size=2), "tracks")]

    assert [name for name in listed if name in {track.name for track in made}] == [t.name for t in reversed(made)]
    assert hidden.name not in listed
    assert len(set(listed)) == len(listed)


async def test_a_list_of_what_does_not_exist_is_refused(edge):
    """As is a token that was written by hand."""
    lists = edge.tracks.ListTracks

    assert await refused(lists(ListTracksRequest(album=f"albums/{uuid4()}"))) == "ALBUM_NOT_FOUND"
    assert await refused(lists(ListTracksRequest(artist=no_artist()))) == "ARTIST_NOT_FOUND"
    assert await refused(lists(ListTracksRequest(page_token="AAAA"))) == "PAGE_TOKEN_INVALID"


async def test_only_managers_with_the_permission_make_change_and_remove_tracks(
    edge, studio, sign_up, stranger, make_available
):
    """Who may upload may not edit; who sees nothing learns nothing."""
    uploader = await sign_up()
    await edge.manager(studio.artist, studio.account, uploader, Manager.UPLOAD)
    draft, shown = [await edge.track(studio.account, studio.album) for _ in range(2)]
    hidden_album = await edge.album(studio.account, studio.artist)
    await make_available(shown)

    async def reasons(track, album, metadata):
        change = UpdateTrackRequest(track=Track(name=track.name, title="Mine"))
        return [
            await refused(edge.tracks.UpdateTrack(change, metadata=metadata)),
            await refused(edge.tracks.DeleteTrack(DeleteTrackRequest(name=track.name), metadata=metadata)),
            await refused(
                edge.tracks.CreateTrack(CreateTrackRequest(track=Track(album=album, title="T")), metadata=metadata)
            ),
        ]

    assert await reasons(draft, studio.album, uploader.metadata) == ["PERMISSION_MISSING"] * 3
    assert await reasons(shown, studio.album, stranger.metadata) == ["PERMISSION_MISSING"] * 3
    assert await reasons(draft, hidden_album, stranger.metadata) == [
        "TRACK_NOT_FOUND",
        "TRACK_NOT_FOUND",
        "ALBUM_NOT_FOUND",
    ]
    assert await reasons(shown, studio.album, None) == ["TOKEN_MISSING"] * 3


async def test_an_update_changes_what_its_mask_names_but_never_the_album(edge, studio, owner):
    """Names and genres are replaced as a whole; nobody means the album's artist again."""
    guest, other = await edge.artist(owner, "Guest"), await edge.album(owner, studio.artist)
    track = await edge.track(studio.account, studio.album, genres=["genres/1"])

    async def update(*paths, **fields):
        request = UpdateTrackRequest(track=Track(name=track.name, album=other, is_available=True, **fields))
        request.update_mask.paths.extend(paths)
        changed = await edge.tracks.UpdateTrack(request, metadata=studio.account.metadata)
        assert (changed.album, changed.is_available) == (studio.album, False)
        names = [credit.display_name for credit in changed.artists]
        return changed.title, changed.track_number, names, list(changed.genres)

    assert await update(title="A") == ("A", 1, ["Queen"], ["genres/1"])
    assert await update(artists=[Credit(artist=guest)]) == ("A", 1, ["Guest"], ["genres/1"])
    assert await update("genres", "trackNumber", track_number=4, title="B") == ("A", 4, ["Guest"], [])
    await edge.track(studio.account, studio.album, track_number=5)
    assert await update("*", title="C", genres=["genres/2", "genres/3"]) == (
        "C",
        6,
        ["Queen"],
        ["genres/2", "genres/3"],
    )


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({}, "title", "INVALID_FIELDS"),
        ({"artists": [Credit(artist=f"artists/{uuid4()}")]}, "", "ARTIST_NOT_FOUND"),
        ({"genres": ["genres/999999999"]}, "", "GENRE_NOT_FOUND"),
        ({"title": "X"}, "album.title", "INVALID_FIELDS"),
    ],
    ids=["no title", "unknown artist", "unknown genre", "unknown field"],
)
async def test_an_update_that_cannot_be_is_refused_as_a_whole(edge, studio, fields, path, reason):
    """The title that comes with it stays as it was."""
    track = await edge.track(studio.account, studio.album)
    request = UpdateTrackRequest(track=Track(name=track.name, **fields))
    request.update_mask.paths.extend([path, "title"] if path else [])
    request.track.title = request.track.title or ("" if path else "changed")

    call = edge.tracks.UpdateTrack(request, metadata=studio.account.metadata)

    assert await refused(call) == reason
    assert (await edge.shown(studio.account, track.name)).title == "Delilah"


async def test_a_removed_track_is_gone_for_everybody(edge, studio, make_available, catalog_rows):
    """Its row stays, because plays refer to it."""
    track = await edge.track(studio.account, studio.album)
    await make_available(track)

    await edge.tracks.DeleteTrack(DeleteTrackRequest(name=track.name), metadata=studio.account.metadata)

    metadata = studio.account.metadata
    again = edge.tracks.DeleteTrack(DeleteTrackRequest(name=track.name), metadata=metadata)
    change = UpdateTrackRequest(track=Track(name=track.name, title="T"))
    assert await refused(again) == "TRACK_NOT_FOUND"
    assert await refused(edge.tracks.UpdateTrack(change, metadata=metadata)) == "TRACK_NOT_FOUND"
    assert await refused(edge.tracks.GetTrack(GetTrackRequest(name=track.name), metadata=metadata)) == "TRACK_NOT_FOUND"
    listed = await edge.tracks.ListTracks(ListTracksRequest(album=studio.album), metadata=metadata)
    assert not listed.tracks
    assert await catalog_rows("SELECT 1 FROM tracks WHERE id = :id", id=track.name.split("/")[1])
