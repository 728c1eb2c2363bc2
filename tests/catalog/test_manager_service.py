"""The teams of artists, through a real client."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from spotilike.catalog.v1.artist_pb2 import Artist
from spotilike.catalog.v1.artist_service_pb2 import UpdateArtistRequest
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.manager_service_pb2 import (
    CreateManagerRequest,
    DeleteManagerRequest,
    ListManagersRequest,
    ListMyArtistsRequest,
)
from tests.catalog.lists import read_all
from tests.catalog.refusals import no_artist, refused, refused_fields, refused_with


def invitation(artist, account, *permissions, **fields):
    """Ask for a manager with permissions."""
    manager = Manager(user=account.name, permissions=permissions or [Manager.UPLOAD])
    return CreateManagerRequest(parent=artist, manager=manager, **fields)


def dismissal(artist, account):
    """Ask for a manager's end."""
    return DeleteManagerRequest(name=f"{artist}/managers/{account.id}")


async def test_a_manager_gets_what_was_granted_and_loses_it(edge, studio, sign_up):
    """From the invitation to the dismissal."""
    guest = await sign_up()
    edit = UpdateArtistRequest(artist=Artist(name=studio.artist, bio="new"))
    assert await refused(edge.artists.UpdateArtist(edit, metadata=guest.metadata)) == "PERMISSION_MISSING"

    made = await edge.managers.CreateManager(
        invitation(studio.artist, guest, Manager.UPLOAD, Manager.EDIT_PROFILE), metadata=studio.account.metadata
    )
    assert (made.name, made.user) == (f"{studio.artist}/managers/{guest.id}", guest.name)
    assert list(made.permissions) == [Manager.UPLOAD, Manager.EDIT_PROFILE]
    await edge.artists.UpdateArtist(edit, metadata=guest.metadata)

    await edge.managers.DeleteManager(dismissal(studio.artist, guest), metadata=studio.account.metadata)
    assert await refused(edge.artists.UpdateArtist(edit, metadata=guest.metadata)) == "PERMISSION_MISSING"
    again = edge.managers.DeleteManager(dismissal(studio.artist, guest), metadata=studio.account.metadata)
    assert await refused(again) == "MANAGER_NOT_FOUND"


async def test_a_user_manages_an_artist_once(edge, studio, sign_up):
    """The second invitation is told so, and a repeated request is no second one."""
    guest, request_id = await sign_up(), str(uuid4())
    metadata = studio.account.metadata

    first = await edge.managers.CreateManager(
        invitation(studio.artist, guest, request_id=request_id), metadata=metadata
    )
    repeated = await edge.managers.CreateManager(
        invitation(studio.artist, guest, request_id=request_id), metadata=metadata
    )
    second = edge.managers.CreateManager(invitation(studio.artist, guest), metadata=metadata)

    assert first == repeated
    assert await refused_with(second) == ("MANAGER_EXISTS", {"name": first.name})


async def test_nobody_manages_who_has_no_account(edge, studio):
    """The user service is asked."""
    nobody = f"users/{uuid4()}"
    manager = Manager(user=nobody, permissions=[Manager.UPLOAD])

    call = edge.managers.CreateManager(
        CreateManagerRequest(parent=studio.artist, manager=manager), metadata=studio.account.metadata
    )

    assert await refused_with(call) == ("USER_NOT_FOUND", {"name": nobody})


@pytest.mark.parametrize(
    ("permissions", "fields"),
    [
        ([], {"manager"}),
        ([Manager.PERMISSION_UNSPECIFIED], {"manager.permissions[0]"}),
        ([99], {"manager.permissions[0]"}),
        ([Manager.ALL, Manager.ALL], {"manager.permissions"}),
    ],
    ids=["none", "unspecified", "unknown", "twice"],
)
async def test_permissions_are_named_one_by_one(edge, studio, permissions, fields):
    """The default of the table is never what somebody gets by accident."""
    manager = Manager(user=studio.account.name, permissions=permissions)

    call = edge.managers.CreateManager(
        CreateManagerRequest(parent=studio.artist, manager=manager), metadata=studio.account.metadata
    )

    assert await refused_fields(call) == fields


async def test_nobody_gives_a_permission_that_they_do_not_have(edge, studio, sign_up):
    """Who manages the team gives what they have, and cannot make a second self with more."""
    lead, guest = await sign_up(), await sign_up()
    await edge.managers.CreateManager(
        invitation(studio.artist, lead, Manager.MANAGE_TEAM, Manager.UPLOAD), metadata=studio.account.metadata
    )

    for beyond in (Manager.ALL, Manager.EDIT_RELEASES):
        call = edge.managers.CreateManager(invitation(studio.artist, guest, beyond), metadata=lead.metadata)
        assert await refused(call) == "PERMISSION_MISSING"
    made = await edge.managers.CreateManager(invitation(studio.artist, guest, Manager.UPLOAD), metadata=lead.metadata)

    assert list(made.permissions) == [Manager.UPLOAD]


async def test_the_last_manager_with_everything_stays(edge, studio, sign_up):
    """Until somebody else has ALL; other permissions do not count."""
    helper, heir = await sign_up(), await sign_up()
    metadata = studio.account.metadata
    await edge.managers.CreateManager(invitation(studio.artist, helper, Manager.MANAGE_TEAM), metadata=metadata)

    leave = dismissal(studio.artist, studio.account)
    assert await refused_with(edge.managers.DeleteManager(leave, metadata=metadata)) == (
        "LAST_MANAGER",
        {"artist": studio.artist},
    )
    assert await refused(edge.managers.DeleteManager(leave, metadata=helper.metadata)) == "LAST_MANAGER"

    await edge.managers.CreateManager(invitation(studio.artist, heir, Manager.ALL), metadata=metadata)
    await edge.managers.DeleteManager(leave, metadata=metadata)
    assert await refused(edge.managers.DeleteManager(leave, metadata=metadata)) == "PERMISSION_MISSING"


async def test_two_managers_cannot_remove_each_other_at_once(edge, studio, sign_up):
    """One of them stays, whoever was first."""
    other = await sign_up()
    await edge.managers.CreateManager(invitation(studio.artist, other, Manager.ALL), metadata=studio.account.metadata)

    ends = await asyncio.gather(
        edge.managers.DeleteManager(dismissal(studio.artist, other), metadata=studio.account.metadata),
        edge.managers.DeleteManager(dismissal(studio.artist, studio.account), metadata=other.metadata),
        return_exceptions=True,
    )

    assert len([end for end in ends if isinstance(end, grpc.aio.AioRpcError)]) == 1
    left = []
    for account in (studio.account, other):
        request = ListMyArtistsRequest(page_size=200)
        mine = await edge.managers.ListMyArtists(request, metadata=account.metadata)
        left += [row for row in mine.managed_artists if row.artist.name == studio.artist]
    assert len(left) == 1


async def test_a_team_is_listed_the_first_one_first(edge, studio, sign_up):
    """Page by page, each exactly once."""
    guests = [await sign_up() for _ in range(4)]
    for guest in guests:
        await edge.managers.CreateManager(invitation(studio.artist, guest), metadata=studio.account.metadata)

    request = ListManagersRequest(parent=studio.artist, page_size=2)
    team = await read_all(edge.managers.ListManagers, request, "managers", studio.account.metadata)

    assert [manager.user for manager in team] == [studio.account.name, *(guest.name for guest in guests)]
    assert all(manager.HasField("create_time") for manager in team)


async def test_only_who_manages_the_team_sees_and_changes_it(edge, studio, sign_up, stranger):
    """A stranger and an uploader may not; an unknown artist is not found."""
    uploader = await sign_up()
    await edge.managers.CreateManager(invitation(studio.artist, uploader), metadata=studio.account.metadata)

    for account in (uploader, stranger):
        calls = (
            edge.managers.ListManagers(ListManagersRequest(parent=studio.artist), metadata=account.metadata),
            edge.managers.CreateManager(invitation(studio.artist, stranger), metadata=account.metadata),
            edge.managers.DeleteManager(dismissal(studio.artist, uploader), metadata=account.metadata),
        )
        assert [await refused(call) for call in calls] == ["PERMISSION_MISSING"] * 3
    for parent, metadata, reason in (
        (studio.artist, None, "TOKEN_MISSING"),
        (no_artist(), studio.account.metadata, "ARTIST_NOT_FOUND"),
    ):
        listing = edge.managers.ListManagers(ListManagersRequest(parent=parent), metadata=metadata)
        assert await refused(listing) == reason


async def test_everybody_finds_the_artists_they_manage_by_name(edge, sign_up):
    """With the permissions, page by page; a page of somebody else's token is a page of one's own artists."""
    account, other = await sign_up(), await sign_up()
    mine = [await edge.artist(account, name) for name in ("C", "A", "b", "A")]
    theirs = await edge.artist(other, "AA")
    await edge.managers.CreateManager(
        invitation(theirs, account, Manager.UPLOAD, Manager.VIEW_ANALYTICS), metadata=other.metadata
    )

    request = ListMyArtistsRequest(page_size=2)
    listed = await read_all(edge.managers.ListMyArtists, request, "managed_artists", account.metadata)

    assert [row.artist.display_name for row in listed] == ["A", "A", "AA", "b", "C"]
    granted = {row.artist.name: list(row.permissions) for row in listed}
    assert granted == {
        **{artist: [Manager.ALL] for artist in mine},
        theirs: [Manager.UPLOAD, Manager.VIEW_ANALYTICS],
    }
    assert await refused(edge.managers.ListMyArtists(ListMyArtistsRequest())) == "TOKEN_MISSING"
