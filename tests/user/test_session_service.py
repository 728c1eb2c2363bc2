"""Signing in and out, through a real client."""

import asyncio
import time

import grpc
import jwt
import pytest

from services.common.keys import public_key
from services.user.domain import GRACE
from spotilike.user.v1.key_service_pb2 import GetJwksRequest
from spotilike.user.v1.key_service_pb2_grpc import KeyServiceStub
from spotilike.user.v1.session_service_pb2 import (
    CreateSessionRequest,
    ListSessionsRequest,
    RefreshSessionRequest,
    RevokeSessionRequest,
)
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from tests.support.rows import rows_of
from tests.support.services import PASSWORD, bearer, error_info


@pytest.fixture
def sessions(user):
    """Return a client as the edge is one."""
    return user.public(SessionServiceStub)


@pytest.fixture
async def rows(databases):
    """Return a function that runs SQL as the owner of the tables."""
    async with rows_of(databases, "user") as execute:
        yield execute


async def refused_reason(call):
    """Return the reason with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return error_info(refused.value)[0]


async def test_an_access_token_is_signed_for_this_api_and_short(user, sign_up):
    """The published key verifies it; type, issuer, audience and life are as documented."""
    account = await sign_up()
    jwks = await user.public(KeyServiceStub).GetJwks(GetJwksRequest())

    header = jwt.get_unverified_header(account.credentials.access_token)
    claims = jwt.decode(
        account.credentials.access_token,
        public_key(next(key for key in jwks.keys if key.kid == header["kid"])),
        algorithms=["EdDSA"],
        audience="spotilike",
        issuer="https://spotilike.dev/user",
    )

    assert header["typ"] == "at+jwt"
    assert claims["sub"] == str(account.id)
    assert 0 < claims["exp"] - time.time() <= 900


async def test_the_database_knows_refresh_tokens_only_by_their_hash(rows, sign_up):
    """Who reads the table cannot sign in."""
    account = await sign_up()

    stored = await rows("SELECT t::text AS row FROM refresh_tokens t WHERE user_id = :id", id=account.id)

    assert len(stored) == 1
    assert account.credentials.refresh_token not in stored[0].row


async def test_address_and_device_are_what_the_edge_saw(sessions, sign_up):
    """A long User-Agent is cut, not refused."""
    account = await sign_up()
    metadata = (("x-spotilike-client-address", "2001:db8::7"), ("x-user-agent", "Radio/" + "9" * 300))

    made = await sessions.CreateSession(CreateSessionRequest(email=account.email, password=PASSWORD), metadata=metadata)

    assert made.session.ip_address == "2001:db8::7"
    assert made.session.device_info == ("Radio/" + "9" * 300)[:255]


async def test_wrong_password_and_unknown_address_are_refused_alike(sessions, sign_up):
    """Nobody learns which addresses have accounts."""
    account = await sign_up()

    answers = set()
    for request in (
        CreateSessionRequest(email=account.email, password="not the password"),
        CreateSessionRequest(email=f"nobody-{account.email}", password=PASSWORD),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sessions.CreateSession(request)
        answers.add((refused.value.code(), refused.value.details(), error_info(refused.value)[0]))

    assert len(answers) == 1
    assert answers.pop()[2] == "CREDENTIALS_INVALID"


async def test_a_refresh_token_is_exchanged_for_another_one(sessions, sign_up):
    """The session goes on under new tokens."""
    account = await sign_up()

    fresh = await sessions.RefreshSession(RefreshSessionRequest(refresh_token=account.credentials.refresh_token))

    assert fresh.refresh_token != account.credentials.refresh_token
    assert fresh.session.name == account.credentials.session.name
    assert fresh.user.name == account.name


async def test_twenty_tabs_that_refresh_at_once_share_one_live_token(sessions, rows, sign_up):
    """All get the same child and nobody is signed out."""
    account = await sign_up()
    request = RefreshSessionRequest(refresh_token=account.credentials.refresh_token)

    answers = await asyncio.gather(*(sessions.RefreshSession(request) for _ in range(20)))

    alive = await rows("SELECT 1 FROM refresh_tokens WHERE user_id = :id AND NOT revoked", id=account.id)
    assert len({answer.refresh_token for answer in answers}) == 1
    assert len(alive) == 1


async def test_a_refresh_token_used_again_after_the_grace_ends_its_session_alone(sessions, rows, sign_up):
    """A copy in other hands ends the session on both sides; other devices go on."""
    account = await sign_up()
    other_device = await sessions.CreateSession(CreateSessionRequest(email=account.email, password=PASSWORD))
    fresh = await sessions.RefreshSession(RefreshSessionRequest(refresh_token=account.credentials.refresh_token))
    await rows(
        "UPDATE refresh_tokens SET replaced_at = now() - :grace WHERE user_id = :id AND replaced_at IS NOT NULL",
        grace=GRACE * 1.1,
        id=account.id,
    )

    first = sessions.RefreshSession(RefreshSessionRequest(refresh_token=account.credentials.refresh_token))
    assert await refused_reason(first) == "REFRESH_TOKEN_INVALID"
    child = sessions.RefreshSession(RefreshSessionRequest(refresh_token=fresh.refresh_token))
    assert await refused_reason(child) == "REFRESH_TOKEN_INVALID"
    goes_on = await sessions.RefreshSession(RefreshSessionRequest(refresh_token=other_device.refresh_token))
    assert goes_on.session.name == other_device.session.name


async def test_a_session_ends_when_it_was_not_used_for_its_time(sessions, rows, sign_up):
    """An expired refresh token is worth nothing."""
    account = await sign_up()
    await rows("UPDATE refresh_tokens SET expires_at = now() WHERE user_id = :id", id=account.id)

    call = sessions.RefreshSession(RefreshSessionRequest(refresh_token=account.credentials.refresh_token))

    assert await refused_reason(call) == "REFRESH_TOKEN_INVALID"


async def test_sessions_are_listed_page_by_page_the_last_used_first(sessions, sign_up):
    """Every device once, and the calling one marked."""
    account = await sign_up()
    again = CreateSessionRequest(email=account.email, password=PASSWORD)
    made = [account.credentials, *[await sessions.CreateSession(again) for _ in range(4)]]

    seen, token = [], ""
    while True:
        page = await sessions.ListSessions(
            ListSessionsRequest(parent="users/me", page_size=2, page_token=token), metadata=account.metadata
        )
        seen += page.sessions
        token = page.next_page_token
        if not token:
            break

    assert [session.name for session in seen] == [credentials.session.name for credentials in reversed(made)]
    assert [session.current for session in seen] == [False] * 4 + [True]


async def test_a_revoked_device_cannot_refresh_and_is_not_listed(sessions, sign_up):
    """Signing out is final."""
    account = await sign_up()
    other = await sessions.CreateSession(CreateSessionRequest(email=account.email, password=PASSWORD))

    await sessions.RevokeSession(RevokeSessionRequest(name=other.session.name), metadata=account.metadata)

    refresh = sessions.RefreshSession(RefreshSessionRequest(refresh_token=other.refresh_token))
    assert await refused_reason(refresh) == "REFRESH_TOKEN_INVALID"
    left = await sessions.ListSessions(ListSessionsRequest(parent=account.name), metadata=account.metadata)
    assert [session.name for session in left.sessions] == [account.credentials.session.name]
    again = sessions.RevokeSession(RevokeSessionRequest(name=other.session.name), metadata=account.metadata)
    assert await refused_reason(again) == "SESSION_NOT_FOUND"


async def test_sessions_of_others_are_out_of_reach(sessions, sign_up):
    """Neither seen nor ended."""
    account, other = await sign_up(), await sign_up()

    listing = sessions.ListSessions(ListSessionsRequest(parent=account.name), metadata=other.metadata)
    assert await refused_reason(listing) == "PERMISSION_MISSING"
    ending = sessions.RevokeSession(
        RevokeSessionRequest(name=account.credentials.session.name), metadata=other.metadata
    )
    assert await refused_reason(ending) == "PERMISSION_MISSING"


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"], ids=["empty", "word", "dots"])
async def test_a_damaged_token_is_refused_and_never_taken_for_nobody(sessions, token):
    """A call with a bad token is not an anonymous call."""
    metadata = bearer(token)

    assert await refused_reason(
        sessions.CreateSession(CreateSessionRequest(email="a@b.cd", password=PASSWORD), metadata=metadata)
    ) in {"TOKEN_INVALID", "TOKEN_MISSING"}
