"""The end of an account: the person is gone everywhere, what was played stays counted."""

import asyncio
from contextlib import asynccontextmanager
from uuid import UUID

import grpc
import pytest

from services.common import events
from services.common.settings import NatsSettings
from spotilike.catalog.v1.artist_pb2 import Artist
from spotilike.catalog.v1.artist_service_pb2 import UpdateArtistRequest
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.manager_service_pb2 import CreateManagerRequest
from spotilike.events.v1.user_events_pb2 import UserDeleted
from spotilike.streaming.v1.history_service_pb2_grpc import HistoryServiceStub
from spotilike.streaming.v1.playback_service_pb2_grpc import PlaybackServiceStub
from spotilike.user.v1.session_service_pb2 import RevokeOtherSessionsRequest
from spotilike.user.v1.user_service_pb2 import (
    DeleteUserRequest,
    EraseUserRequest,
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
    VerifyEmailRequest,
)
from tests.streaming.listener import Listener
from tests.streaming.shelf import Shelf
from tests.support.processing import until
from tests.support.rows import holders, rows_of
from tests.support.services import PASSWORD, Account, error_info
from tests.user.desk import Desk, at, newcomer, outcome, refusal, refused

pytestmark = pytest.mark.usefixtures("catalog", "streaming")  # they hear that accounts are erased


@pytest.fixture(scope="session")
async def streaming_rows(databases):
    """Return a function that runs SQL as the owner of the streaming context's tables."""
    async with rows_of(databases, "streaming") as execute:
        yield execute


@pytest.fixture
async def shelf(edge, catalog_rows, sign_up):
    """Return the tracks that can be heard."""
    account = await sign_up()
    artist = await edge.artist(account)
    return Shelf(edge, catalog_rows, account, artist, await edge.album(account, artist))


@pytest.fixture
async def listener(desk, streaming, streaming_rows):
    """Return somebody who listens."""
    playbacks, history = streaming.public(PlaybackServiceStub), streaming.public(HistoryServiceStub)
    return Listener(await desk.sign_up(), playbacks, history, streaming_rows)


def erase(desk, account):
    """Erase the caller's account."""
    return desk.users.EraseUser(EraseUserRequest(name="users/me", password=PASSWORD), metadata=account.metadata)


@pytest.fixture
def heard_everywhere(streams, rows):
    """Return a function that waits until catalog and streaming have heard everything that the user context tells."""

    async def wait():
        async def told():
            return not await rows("SELECT 1 FROM outbox WHERE published_at IS NULL")

        await until(told)
        async with _broker(streams) as jetstream:
            for context in ("catalog", "streaming"):

                async def heard(context=context):
                    state = await jetstream.consumer_info("USER", context)
                    return state.num_pending == 0 and state.num_ack_pending == 0

                await until(heard)

    return wait


@pytest.fixture
def tell_again(streams, heard_everywhere):
    """Return a function that tells once more that an account was erased, as a broker may."""

    async def tell(account):
        event = events.new(account.name, UserDeleted(user=str(account.id)))
        async with _broker(streams) as jetstream:
            await jetstream.publish("spotilike.user.user_deleted", event.SerializeToString())
        await heard_everywhere()

    return tell


@asynccontextmanager
async def _broker(streams):
    settings = NatsSettings(nats_url=streams.nats_url, nats_seed_file=streams.nats_seed_file("admin"))
    connection = await events.connect(settings, "admin")
    yield connection.jetstream()
    await connection.close()


async def play(listener, track):
    """Hear a track for a minute, and close the playback."""
    playback = await listener.start(track)
    await listener.let_pass(70)
    await listener.report(playback, 1, (0, 60), ended=True)


async def test_nothing_personal_is_left_in_the_user_context(desk, mailbox, rows):
    """Neither the addresses of now and before, nor name, places and devices; the id only in the fact itself."""
    account = await desk.sign_up(at("198.51.100.201", "Personal/1.0"))
    address = newcomer().email
    request = RequestEmailVerificationRequest(email=address, password=PASSWORD)
    await desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=account.email.upper()))
    await mailbox.token(account.email, "reset-password")
    await desk.users.RequestEmailVerification(request, metadata=account.metadata)
    await desk.users.VerifyEmail(VerifyEmailRequest(token=await mailbox.token(address, "verify-email")))
    moved = Account(account.id, address, account.username, account.credentials)
    await desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=address))
    await mailbox.token(address, "reset-password")
    await refused(desk.sign_in(address, "not the password", at("198.51.100.202")))
    traces = [account.email, address, account.username, "198.51.100.201", "198.51.100.202", "Personal/1.0"]
    assert all([await holders(rows, trace) for trace in traces])

    await erase(desk, moved)

    assert {trace: await holders(rows, trace) for trace in traces} == {trace: set() for trace in traces}
    assert await holders(rows, str(account.id)) == {"outbox"}


async def test_an_erased_account_is_gone_at_once_and_its_names_are_free(desk):
    """Sessions as well; and nothing of ours fails while its last access token lives."""
    account = await desk.sign_up()
    await erase(desk, account)

    others = RevokeOtherSessionsRequest(parent="users/me")
    late = [outcome(desk.sessions.RevokeOtherSessions(others, metadata=account.metadata)) for _ in range(3)]
    late += [outcome(erase(desk, account)), outcome(desk.shown(account))]
    assert set(await asyncio.gather(*late)) <= {"USER_NOT_FOUND", "TOKEN_INVALID", "PASSWORD_WRONG"}
    assert await refused(desk.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"
    assert await refused(desk.sign_in(account.email)) == "CREDENTIALS_INVALID"
    again = await desk.make(newcomer(email=account.email, username=account.username))
    assert again.name != account.name


async def test_an_account_is_erased_only_with_the_password(desk):
    """A stolen access token is not enough."""
    account = await desk.sign_up()
    request = EraseUserRequest(name="users/me", password="not the password")

    assert await refused(desk.users.EraseUser(request, metadata=account.metadata)) == "PASSWORD_WRONG"
    assert await desk.refresh(account.credentials)


async def test_nobody_leaves_an_artist_alone(desk, edge, catalog_rows, heard_everywhere):
    """First somebody else has to have ALL; then the rows of the team go with the account."""
    account, heir = await desk.sign_up(), await desk.sign_up()
    artist = await edge.artist(account)

    error = await refusal(erase(desk, account))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error_info(error) == ("LAST_MANAGER", {"artist": artist})
    assert await desk.refresh(account.credentials)

    await edge.manager(artist, account, heir, Manager.ALL)
    await erase(desk, account)
    await heard_everywhere()

    team = await catalog_rows("SELECT user_id FROM artist_managers WHERE artist_id = :id", id=artist.split("/")[1])
    assert [row.user_id for row in team] == [heir.id]
    assert await holders(catalog_rows, str(account.id)) == set()


async def test_an_account_stays_while_the_catalog_cannot_be_asked(desk, another):
    """Nobody can say whose artists would be left alone."""
    account = await desk.sign_up()
    cut_off = Desk(await another(catalog_internal="127.0.0.1:1"))

    assert await refused(erase(cut_off, account)) == "DEPENDENCY_UNAVAILABLE"
    assert await desk.refresh(account.credentials)


async def test_an_artist_whose_last_manager_was_deleted_is_frozen_until_an_administrator_names_another(
    desk, edge, admin, heard_everywhere
):
    """Managers with less than ALL wait; strangers are refused as ever."""
    account, helper, heir, stranger = [await desk.sign_up() for _ in range(4)]
    artist = await edge.artist(account)
    await edge.manager(artist, account, helper, Manager.EDIT_PROFILE)

    def rename(caller):
        request = UpdateArtistRequest(artist=Artist(name=artist, display_name="Queen, again"))
        return outcome(edge.artists.UpdateArtist(request, metadata=caller.metadata))

    async def name_heir(caller):
        manager = Manager(user=heir.name, permissions=[Manager.ALL])
        request = CreateManagerRequest(parent=artist, manager=manager)
        return await outcome(edge.managers.CreateManager(request, metadata=caller.metadata))

    await desk.users.DeleteUser(DeleteUserRequest(name=account.name), metadata=admin.metadata)
    await heard_everywhere()

    assert await rename(helper) == await name_heir(helper) == "ARTIST_FROZEN"
    assert await rename(stranger) == await name_heir(stranger) == "PERMISSION_MISSING"
    assert await name_heir(admin) == "OK"
    assert await rename(helper) == await rename(heir) == "OK"


async def test_what_was_played_stays_under_one_name_that_belongs_to_nobody(
    desk, shelf, listener, streaming_rows, tell_again
):
    """Without the address; what is open at that moment is closed; and however often the fact is told."""
    person, track = listener.account, await shelf.add()
    for _ in range(3):
        await play(listener, track)
    left_open = await listener.start(track)
    await listener.let_pass(70)
    await listener.report(left_open, 1, (0, 40))
    before = await _plays(streaming_rows, track)
    assert {row.user_id for row in before} == {person.id}
    assert {str(row.ip_address) for row in before} == {"198.51.100.7"}

    await erase(desk, person)
    await tell_again(person)
    after = await _plays(streaming_rows, track)
    await tell_again(person)
    again = await _plays(streaming_rows, track)

    assert [row.listened_sec for row in before] == [60, 60, 60]
    assert [row.listened_sec for row in after] == [60, 60, 60, 40]
    tombstones = {row.user_id for row in after}
    assert len(tombstones) == 1
    assert person.id not in tombstones
    assert {row.ip_address for row in after} == {None}
    assert again == after
    assert await holders(streaming_rows, str(person.id)) == {"erased_listeners"}


async def test_playbacks_that_start_while_a_person_is_erased_leave_no_trace(
    desk, shelf, listener, streaming_rows, heard_everywhere
):
    """Access tokens live for some seconds more; a minute later the rest is gone as well."""
    person, track = listener.account, await shelf.add()

    async def keep_starting():
        started = 0
        while await outcome(listener.start(track)) == "OK":
            started += 1
        return started

    starting = [asyncio.create_task(keep_starting()) for _ in range(3)]
    await erase(desk, person)
    assert sum(await asyncio.gather(*starting)) > 0
    await heard_everywhere()
    assert await holders(streaming_rows, str(person.id)) >= {"erased_listeners"}
    await streaming_rows(
        "UPDATE erased_listeners SET erased_at = now() - interval '61 s' WHERE user_id = :id", id=person.id
    )

    async def finished():
        return not await streaming_rows("SELECT 1 FROM erased_listeners WHERE user_id = :id", id=person.id)

    await until(finished)
    assert await holders(streaming_rows, str(person.id)) == set()


async def _plays(rows, track):
    statement = (
        "SELECT user_id, listened_sec, ip_address, counted FROM playback_history WHERE track_id = :track ORDER BY id"
    )
    return await rows(statement, track=UUID(track.split("/")[1]))
