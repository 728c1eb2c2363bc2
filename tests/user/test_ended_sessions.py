"""Access tokens of sessions that have ended: every service refuses them within seconds."""

import asyncio
import time
from uuid import uuid4

import pytest

from services.user.domain import GRACE
from spotilike.catalog.v1.manager_service_pb2 import ListMyArtistsRequest
from spotilike.catalog.v1.manager_service_pb2_grpc import ManagerServiceStub
from spotilike.processing.v1.job_service_pb2 import GetJobRequest
from spotilike.processing.v1.job_service_pb2_grpc import JobServiceStub
from spotilike.streaming.v1.history_service_pb2 import ListPlaysRequest
from spotilike.streaming.v1.history_service_pb2_grpc import HistoryServiceStub
from spotilike.user.v1.session_service_pb2 import RevokeOtherSessionsRequest, RevokeSessionRequest
from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    DisableUserRequest,
    GetUserRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
)
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.support.figures import show
from tests.support.services import PASSWORD, bearer
from tests.user.desk import outcome, refused

PROMISED_SECONDS = 5.0


@pytest.fixture
def everywhere(user, catalog, processing, streaming):
    """Return a function that shows an access token to every service and answers what each says."""
    calls = {
        "user": (user.public(UserServiceStub).GetUser, GetUserRequest(name="users/me")),
        "catalog": (catalog.public(ManagerServiceStub).ListMyArtists, ListMyArtistsRequest()),
        "processing": (processing.public(JobServiceStub).GetJob, GetJobRequest(name=f"jobs/{uuid4()}")),
        "streaming": (streaming.public(HistoryServiceStub).ListPlays, ListPlaysRequest(parent="users/me")),
    }

    async def ask(token):
        answers = await asyncio.gather(
            *(outcome(call(request, metadata=bearer(token))) for call, request in calls.values())
        )
        return dict(zip(calls, answers, strict=True))

    return ask


KNOWN = {"user": "OK", "catalog": "OK", "processing": "JOB_NOT_FOUND", "streaming": "OK"}
REFUSED = dict.fromkeys(KNOWN, "TOKEN_INVALID")


async def until_refused(everywhere, token):
    """Wait until every service refuses a token, and answer how long it took."""
    began = time.monotonic()
    async with asyncio.timeout(4 * PROMISED_SECONDS):
        while await everywhere(token) != REFUSED:
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def sign_out(desk, account, **_):
    """Sign this device out."""
    request = RevokeSessionRequest(name=account.credentials.session.name)
    await desk.sessions.RevokeSession(request, metadata=account.metadata)


async def sign_out_elsewhere(desk, account, **_):
    """Sign the others out, from another device."""
    other = await desk.sign_in_again(account)
    await desk.sessions.RevokeOtherSessions(RevokeOtherSessionsRequest(parent="users/me"), metadata=other.metadata)


async def change_password(desk, account, **_):
    """Change the password."""
    request = ChangePasswordRequest(name="users/me", password=PASSWORD, new_password="a better password")
    await desk.users.ChangePassword(request, metadata=account.metadata)


async def reset_password(desk, account, mailbox, **_):
    """Set a new password by a link."""
    await desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=account.email))
    token = await mailbox.token(account.email, "reset-password")
    await desk.users.ResetPassword(ResetPasswordRequest(token=token, new_password="a better password"))


async def disable(desk, account, admin, **_):
    """Disable the account."""
    await desk.users.DisableUser(DisableUserRequest(name=account.name), metadata=admin.metadata)


async def use_a_copy(desk, account, rows, **_):
    """Use a refresh token a second time."""
    await desk.refresh(account.credentials)
    await rows(
        "UPDATE refresh_tokens SET replaced_at = replaced_at - :time WHERE user_id = :id", time=GRACE * 2, id=account.id
    )
    await refused(desk.refresh(account.credentials))


@pytest.fixture
def means(mailbox, rows, admin):
    """Return what some of the endings need."""
    return {"mailbox": mailbox, "rows": rows, "admin": admin}


ENDINGS = [sign_out, sign_out_elsewhere, change_password, reset_password, disable, use_a_copy]


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
async def test_every_service_refuses_the_access_tokens_of_an_ended_session_within_five_seconds(
    desk, everywhere, means, end
):
    """They were good before, and no service asks the user service at each call."""
    account = await desk.sign_up()
    assert await everywhere(account.credentials.access_token) == KNOWN

    await end(desk, account, **means)
    seconds = await until_refused(everywhere, account.credentials.access_token)

    show(f"{end.__name__}: refused everywhere after", f"{seconds:.2f} s")
    assert seconds < PROMISED_SECONDS


async def test_other_sessions_of_the_same_person_go_on(desk, everywhere):
    """Signing one device out is no more than that."""
    account = await desk.sign_up()
    other = await desk.sign_in_again(account)

    await sign_out(desk, account)
    await until_refused(everywhere, account.credentials.access_token)

    assert await everywhere(other.credentials.access_token) == KNOWN
    assert (await desk.refresh(other.credentials)).session.name == other.credentials.session.name


async def test_a_service_that_starts_knows_which_sessions_have_ended(desk, another):
    """A restart forgets nothing."""
    account = await desk.sign_up()
    await sign_out(desk, account)

    started = await another()

    async def says_no():
        return await outcome(
            started.public(UserServiceStub).GetUser(GetUserRequest(name="users/me"), metadata=account.metadata)
        )

    async with asyncio.timeout(PROMISED_SECONDS):
        while await says_no() != "TOKEN_INVALID":
            await asyncio.sleep(0.05)
