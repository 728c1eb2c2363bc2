"""What other services ask the catalog."""

from uuid import uuid4

import pytest

from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.track_pb2 import Track
from spotilike.catalog.v1.track_service_pb2 import DeleteTrackRequest
from spotilike.internal.v1.catalog_service_pb2 import (
    CheckArtistPermissionRequest,
    ListArtistPermissionsRequest,
    ResolvePlaybackRequest,
)
from spotilike.internal.v1.catalog_service_pb2_grpc import AccessServiceStub
from tests.catalog.refusals import refused
from tests.support.catalog import FAR_OFF, folder_of


def question(track, account):
    """Ask what to play."""
    return ResolvePlaybackRequest(track=track.split("/")[1], user=str(account.id))


@pytest.fixture
def published(edge, studio, processing_facts):
    """Return a function that makes a track of the studio with renditions."""

    async def make(**fields):
        track = (await edge.track(studio.account, fields.pop("album", studio.album), **fields)).name
        await processing_facts.completed(await edge.upload(studio.account, track), 1)
        return track

    return make


async def test_a_listener_hears_the_folder_with_its_facts_and_artists(edge, access, studio, stranger, published):
    """The owner of the album first, then the others in their order."""
    guests = [await edge.artist(studio.account, name) for name in ("First", "Second")]
    named = [Track.Credit(artist=artist) for artist in (guests[0], guests[1], studio.artist)]
    track = await published(artists=named)

    answer = await access.ResolvePlayback(question(track, stranger))

    facts = answer.facts
    assert answer.folder == folder_of(track, 1)
    assert (facts.samples, facts.sample_rate_hz, facts.waveform) == (100_500, 1000, "waveform.json")
    assert list(answer.artists) == [name.split("/")[1] for name in (studio.artist, *guests)]


async def test_an_owner_who_is_not_named_still_comes_first(edge, access, studio, stranger, published):
    """Plays are counted for the owner of the album."""
    guest = await edge.artist(studio.account, "Guest")
    track = await published(artists=[Track.Credit(artist=guest)])

    answer = await access.ResolvePlayback(question(track, stranger))

    assert list(answer.artists) == [studio.artist.split("/")[1], guest.split("/")[1]]


async def test_nobody_hears_what_is_not_there_for_them(edge, access, studio, stranger, published):
    """A draft nobody, an early release its managers alone, a removed track nobody."""
    draft = (await edge.track(studio.account, studio.album)).name
    early = await published(album=await edge.album(studio.account, studio.artist, FAR_OFF))

    assert await refused(access.ResolvePlayback(question(draft, stranger))) == "TRACK_NOT_FOUND"
    assert await refused(access.ResolvePlayback(question(draft, studio.account))) == "TRACK_NOT_FOUND"
    assert await refused(access.ResolvePlayback(question(early, stranger))) == "TRACK_NOT_FOUND"
    assert (await access.ResolvePlayback(question(early, studio.account))).folder == folder_of(early, 1)

    await edge.tracks.DeleteTrack(DeleteTrackRequest(name=early), metadata=studio.account.metadata)
    assert await refused(access.ResolvePlayback(question(early, studio.account))) == "TRACK_NOT_FOUND"


async def test_a_permission_is_checked(edge, access, studio, sign_up, stranger):
    """ALL holds every one, and no other one holds ALL."""
    uploader = await sign_up()
    await edge.manager(studio.artist, studio.account, uploader, Manager.UPLOAD)

    async def allowed(account, permission):
        artist = studio.artist.split("/")[1]
        request = CheckArtistPermissionRequest(user=str(account.id), artist=artist, permission=permission)
        return (await access.CheckArtistPermission(request)).allowed

    asked = ("UPLOAD", "VIEW_ANALYTICS", "ALL")
    assert [await allowed(studio.account, permission) for permission in asked] == [True, True, True]
    assert [await allowed(uploader, permission) for permission in asked] == [True, False, False]
    assert [await allowed(stranger, permission) for permission in asked] == [False, False, False]


async def test_nobody_may_do_anything_for_an_artist_who_does_not_exist(access, owner):
    """That is an answer, not an error."""
    request = CheckArtistPermissionRequest(user=str(owner.id), artist=str(uuid4()), permission="UPLOAD")

    assert not (await access.CheckArtistPermission(request)).allowed


async def test_all_artists_of_a_user_are_listed_with_the_permissions(edge, catalog, studio, sign_up, stranger):
    """In one answer."""
    account = await sign_up()
    mine = await edge.artist(account)
    await edge.manager(studio.artist, studio.account, account, Manager.UPLOAD, Manager.MANAGE_TEAM)

    grants_of = catalog.internal(AccessServiceStub, peer="processing").ListArtistPermissions
    answer = await grants_of(ListArtistPermissionsRequest(user=str(account.id)))
    none = await grants_of(ListArtistPermissionsRequest(user=str(stranger.id)))

    assert {grant.artist: list(grant.permissions) for grant in answer.grants} == {
        mine.split("/")[1]: ["ALL"],
        studio.artist.split("/")[1]: ["UPLOAD", "MANAGE_TEAM"],
    }
    assert not none.grants


async def test_only_services_ask(catalog, owner):
    """The edge has no business on the internal listener."""
    request = ListArtistPermissionsRequest(user=str(owner.id))

    call = catalog.internal(AccessServiceStub, peer="edge").ListArtistPermissions(request)

    assert await refused(call) == "PEER_NOT_ALLOWED"
