"""Whatever ends a session, ends it for good: also when a refresh or a sign-in runs at the same moment."""

import asyncio
import random

import pytest

from spotilike.user.v1.session_service_pb2 import RevokeOtherSessionsRequest, RevokeSessionRequest
from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    DeleteUserRequest,
    DisableUserRequest,
    EnableUserRequest,
    EraseUserRequest,
    RevokeRoleRequest,
)
from tests.support.services import PASSWORD
from tests.user.desk import Desk, outcome, refused

ROUNDS = 12


@pytest.fixture
async def quick(another):
    """Return a service that hashes fast, so that many rounds fit."""
    return Desk(await another(password_memory_kib=64, password_passes=1))


ENDINGS = {
    "password changed": lambda desk, account, _: desk.users.ChangePassword(
        ChangePasswordRequest(name="users/me", password=PASSWORD, new_password="a better password"),
        metadata=account.metadata,
    ),
    "disabled": lambda desk, account, admin: desk.users.DisableUser(
        DisableUserRequest(name=account.name), metadata=admin.metadata
    ),
    "role taken": lambda desk, account, admin: desk.users.RevokeRole(
        RevokeRoleRequest(name=account.name, role="ROLE_ADMIN"), metadata=admin.metadata
    ),
    "revoked": lambda desk, account, _: desk.sessions.RevokeSession(
        RevokeSessionRequest(name=account.credentials.session.name), metadata=account.metadata
    ),
    "erased": lambda desk, account, _: desk.users.EraseUser(
        EraseUserRequest(name="users/me", password=PASSWORD), metadata=account.metadata
    ),
    "deleted": lambda desk, account, admin: desk.users.DeleteUser(
        DeleteUserRequest(name=account.name), metadata=admin.metadata
    ),
}


@pytest.mark.usefixtures("catalog")  # it is asked before an account is erased
@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_refresh_that_races_with_an_ending_leaves_no_live_token(quick, promote, admin, rows, ending):
    """Of the two, whichever came first: afterwards nothing of the session is good."""
    for _ in range(ROUNDS):
        account = await quick.sign_up()
        if ending == "role taken":
            account = await promote(account)
        results = await asyncio.gather(
            _late(ENDINGS[ending](quick, account, admin)),
            *(_late(_walk(quick, account.credentials)) for _ in range(3)),
            return_exceptions=True,
        )

        assert not isinstance(results[0], BaseException), results[0]
        session = account.credentials.session.name.split("/")[-1]
        alive = await rows(
            "SELECT 1 FROM refresh_tokens WHERE family_id = :family AND NOT revoked AND expires_at > now()",
            family=session,
        )
        assert alive == []
        ended = await rows("SELECT 1 FROM ended_sessions WHERE session_id = :session", session=session)
        assert len(ended) == 1


async def test_a_refresh_that_races_with_signing_the_others_out_leaves_the_callers_session_alone(quick, rows):
    """One device stays, whatever the others do meanwhile."""
    for _ in range(ROUNDS):
        account = await quick.sign_up()
        others = [await quick.sign_in(account.email) for _ in range(2)]
        request = RevokeOtherSessionsRequest(parent="users/me")
        await asyncio.gather(
            _late(quick.sessions.RevokeOtherSessions(request, metadata=account.metadata)),
            *(_late(_walk(quick, other)) for other in others),
            return_exceptions=True,
        )

        alive = await rows(
            "SELECT family_id FROM refresh_tokens WHERE user_id = :id AND NOT revoked AND expires_at > now()",
            id=account.id,
        )
        assert [str(row.family_id) for row in alive] == [account.credentials.session.name.split("/")[-1]]


async def test_sign_ins_that_race_with_a_disabling_leave_nobody_signed_in(quick, admin, rows):
    """From the moment at which the administrator is answered."""
    for _ in range(ROUNDS):
        account = await quick.sign_up()
        disable = DisableUserRequest(name=account.name)
        results = await asyncio.gather(
            _late(quick.users.DisableUser(disable, metadata=admin.metadata)),
            *(outcome(_late(quick.sign_in(account.email))) for _ in range(4)),
        )

        assert set(results[1:]) <= {"OK", "USER_DISABLED"}
        assert await rows("SELECT 1 FROM refresh_tokens WHERE user_id = :id AND NOT revoked", id=account.id) == []
        await quick.users.EnableUser(EnableUserRequest(name=account.name), metadata=admin.metadata)
        assert await refused(quick.refresh(account.credentials)) == "REFRESH_TOKEN_INVALID"


async def test_sign_ins_that_race_with_an_erasure_fail_like_those_of_strangers(quick, admin):
    """No error of ours, and no row that is left."""
    for _ in range(ROUNDS):
        account = await quick.sign_up()
        results = await asyncio.gather(
            _late(quick.users.DeleteUser(DeleteUserRequest(name=account.name), metadata=admin.metadata)),
            *(outcome(_late(quick.sign_in(account.email))) for _ in range(4)),
        )

        assert set(results[1:]) <= {"OK", "CREDENTIALS_INVALID"}
        assert await refused(quick.sign_in(account.email)) == "CREDENTIALS_INVALID"


async def _late(call):
    """Make a call a moment later, each at a moment of its own."""
    await asyncio.sleep(random.random() * 0.02)  # noqa: S311 (what matters is that rounds differ)
    return await call


async def _walk(desk, credentials):
    """Refresh a session again and again, as long as it goes on."""
    for _ in range(5):
        credentials = await desk.refresh(credentials)
