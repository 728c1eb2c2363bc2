"""Refresh tokens: each is exchanged once, and a copy in other hands ends the session."""

import asyncio
from datetime import timedelta

import pytest

from services.common import keys
from services.user.domain import GRACE
from spotilike.user.v1.account_event_pb2 import AccountEvent
from spotilike.user.v1.session_pb2 import SessionCredentials
from tests.support.figures import show
from tests.user.desk import Desk, at, refused

THIEF = at("203.0.113.66", "Thief/6.6")


@pytest.fixture
def let_pass(rows):
    """Return a function that makes every exchange of an account's tokens so much older."""

    async def age(account, time):
        await rows(
            "UPDATE refresh_tokens SET replaced_at = replaced_at - :time WHERE user_id = :id", time=time, id=account.id
        )

    return age


async def alive(rows, account):
    """Return how many refresh tokens of an account are good."""
    found = await rows(
        "SELECT count(*) AS n FROM refresh_tokens WHERE user_id = :id AND NOT revoked AND expires_at > now()",
        id=account.id,
    )
    return found[0].n


async def test_a_lost_answer_is_asked_for_again_within_the_grace(desk):
    """The same token gets the same child, whoever asks."""
    account = await desk.sign_up()

    first = await desk.refresh(account.credentials)
    again = await desk.refresh(account.credentials)

    assert again.refresh_token == first.refresh_token
    assert await desk.refresh(again)


async def test_the_grace_is_for_the_direct_parent_alone(desk):
    """A token from before that is refused; it is no theft yet, so the session goes on."""
    account = await desk.sign_up()
    child = await desk.refresh(account.credentials)
    grandchild = await desk.refresh(child)

    assert await refused(desk.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"
    assert (await desk.refresh(child)).refresh_token == grandchild.refresh_token
    assert await desk.refresh(grandchild)


async def test_a_copy_that_is_used_after_the_grace_ends_its_session_and_no_other(desk, rows, let_pass):
    """The thief, the owner's next refresh, and the trail that says from where; other devices go on."""
    account = await desk.sign_up()
    phone = await desk.sign_in(account.email)
    child = await desk.refresh(account.credentials)
    await let_pass(account, GRACE + timedelta(seconds=1))

    assert await refused(desk.refresh(account.credentials, THIEF)) == "REFRESH_TOKEN_INVALID"
    assert await refused(desk.refresh(child)) == "REFRESH_TOKEN_INVALID"

    assert await alive(rows, account) == 1
    goes_on = await desk.refresh(phone)
    assert goes_on.session.name == phone.session.name
    reuses = [event for event in await _events(desk, account, goes_on) if event.type == _REUSED]
    assert len(reuses) == 1
    assert (reuses[0].ip_address, reuses[0].device_info) == ("203.0.113.66", "Thief/6.6")
    assert reuses[0].session == account.credentials.session.name


async def test_a_dead_token_that_is_tried_again_and_again_is_told_once(desk, let_pass):
    """A thief cannot fill the trail."""
    account = await desk.sign_up()
    phone = await desk.sign_in(account.email)
    await desk.refresh(account.credentials)
    await let_pass(account, GRACE + timedelta(seconds=1))

    for _ in range(5):
        assert await refused(desk.refresh(account.credentials, THIEF)) == "REFRESH_TOKEN_INVALID"

    events = await _events(desk, account, phone)
    assert [event.type for event in events].count(_REUSED) == 1


async def test_twenty_refreshes_at_once_leave_one_live_token_and_kill_nothing(desk, rows):
    """Tabs that wake up together share the next token."""
    account = await desk.sign_up()
    credentials = account.credentials

    for _ in range(3):
        answers = await asyncio.gather(*(desk.refresh(credentials) for _ in range(20)))
        assert len({answer.refresh_token for answer in answers}) == 1
        credentials = answers[0]

    assert await alive(rows, account) == 1
    assert _REUSED not in [event.type for event in await _events(desk, account, credentials)]
    show("tokens alive after three times 20 refreshes at once", await alive(rows, account))


async def test_refreshes_at_once_wait_for_each_other_and_for_no_second_connection(another, monkeypatch):
    """The keys are read again at every call; a call that holds a connection must not need one more for that."""
    monkeypatch.setattr(keys, "REREAD_SECONDS", 0.0)
    desk = Desk(await another(database_pool=2))
    account = await desk.sign_up()

    answers = await asyncio.gather(*(desk.refresh(account.credentials) for _ in range(8)))

    assert len({answer.refresh_token for answer in answers}) == 1


async def test_a_session_ends_after_its_time_without_use_and_each_refresh_renews_that(desk, rows):
    """A device that is used stays signed in."""
    account = await desk.sign_up()
    await rows("UPDATE refresh_tokens SET expires_at = now() + interval '1 min' WHERE user_id = :id", id=account.id)

    fresh = await desk.refresh(account.credentials)
    idle = fresh.refresh_token_expire_time.seconds - fresh.session.last_use_time.seconds
    assert timedelta(days=29) < timedelta(seconds=idle) <= timedelta(days=30)

    await rows("UPDATE refresh_tokens SET expires_at = now() WHERE user_id = :id", id=account.id)
    assert await refused(desk.refresh(fresh)) == "REFRESH_TOKEN_INVALID"


async def test_a_session_ends_after_its_longest_time_however_much_it_is_used(desk, rows):
    """The last tokens end with it, and are refused afterwards."""
    account = await desk.sign_up()
    made = "UPDATE refresh_tokens SET family_created_at = now() - :age WHERE user_id = :id"
    await rows(made, age=timedelta(days=180) - timedelta(minutes=5), id=account.id)

    last = await desk.refresh(account.credentials)
    left = last.refresh_token_expire_time.seconds - last.session.last_use_time.seconds
    assert 0 < left <= 300

    await rows(
        "UPDATE refresh_tokens SET expires_at = expires_at - :past, family_created_at = family_created_at - :past"
        " WHERE user_id = :id",
        past=timedelta(minutes=6),
        id=account.id,
    )
    assert await refused(desk.refresh(last)) == "REFRESH_TOKEN_INVALID"


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "\u00e9" * 20], ids=["none", "short", "unknown", "other letters"])
async def test_what_is_no_refresh_token_is_refused(desk, token):
    """Without a word about why."""
    assert await refused(desk.refresh(SessionCredentials(refresh_token=token))) == "REFRESH_TOKEN_INVALID"


async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(desk):
    """Each opens its own door only."""
    account = await desk.sign_up()

    swapped = SessionCredentials(refresh_token=account.credentials.access_token[:512])
    assert await refused(desk.refresh(swapped)) == "REFRESH_TOKEN_INVALID"
    bearer = (("authorization", f"Bearer {account.credentials.refresh_token}"),)
    assert await refused(desk.refresh(account.credentials, bearer)) == "TOKEN_INVALID"


async def test_a_refresh_notes_where_the_device_is_now(desk):
    """The list of devices shows where each was last seen."""
    account = await desk.sign_up(at("198.51.100.7", "Radio/1.0"))

    fresh = await desk.refresh(account.credentials, at("2001:db8::9", "Radio/2.0"))

    assert (fresh.session.ip_address, fresh.session.device_info) == ("2001:db8::9", "Radio/2.0")
    assert [device.ip_address for device in await desk.devices(account)] == ["2001:db8::9"]
    assert fresh.session.create_time == account.credentials.session.create_time


_REUSED = AccountEvent.REFRESH_TOKEN_REUSED


async def _events(desk, account, credentials):
    """List the trail with the access token of a session that goes on."""
    return await desk.events(type(account)(account.id, account.email, account.username, credentials))
