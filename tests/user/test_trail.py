"""The trail of an account: each thing that happens is told once, to its owner and to administrators."""

from datetime import timedelta
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from services.user.domain import EventType
from spotilike.user.v1.account_event_pb2 import AccountEvent
from spotilike.user.v1.account_event_service_pb2 import ListAccountEventsRequest
from spotilike.user.v1.session_service_pb2 import RevokeOtherSessionsRequest, RevokeSessionRequest
from spotilike.user.v1.user_pb2 import User
from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    DisableUserRequest,
    EnableUserRequest,
    GrantRoleRequest,
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
    RevokeRoleRequest,
    UpdateUserRequest,
    VerifyEmailRequest,
)
from tests.support.processing import until
from tests.support.services import PASSWORD, Account
from tests.user.desk import at, newcomer, outcome, refused

HOME = at("198.51.100.7", "Radio/1.0")


def events_of(desk, parent, caller, **page):
    """List the trail of an account as `caller`."""
    request = ListAccountEventsRequest(parent=parent, **page)
    return desk.trail.ListAccountEvents(request, metadata=caller.metadata)


async def test_every_kind_of_thing_is_told_once(desk, mailbox, admin, rows):
    """With the place it came from; for what administrators do, without one."""
    account = await desk.sign_up(HOME)
    mine = (*account.metadata, *HOME)
    first = account.credentials.session.name
    verify = VerifyEmailRequest(token=await mailbox.token(account.email, "verify-email"))
    await desk.users.VerifyEmail(verify, metadata=HOME)
    name = User(name="users/me", username=newcomer().username)
    await desk.users.UpdateUser(UpdateUserRequest(user=name), metadata=mine)
    await refused(desk.sign_in(account.email, "not the password", at("203.0.113.9", "Thief/6.6")))
    second = await desk.sign_in(account.email, metadata=HOME)
    await desk.sessions.RevokeSession(RevokeSessionRequest(name=second.session.name), metadata=mine)
    await desk.sessions.RevokeOtherSessions(RevokeOtherSessionsRequest(parent="users/me"), metadata=mine)
    address = newcomer().email
    request = RequestEmailVerificationRequest(email=address, password=PASSWORD)
    await desk.users.RequestEmailVerification(request, metadata=mine)
    verify = VerifyEmailRequest(token=await mailbox.token(address, "verify-email"))
    await desk.users.VerifyEmail(verify, metadata=HOME)
    for call, change in (
        (desk.users.GrantRole, GrantRoleRequest(name=account.name, role="ROLE_ADMIN")),
        (desk.users.RevokeRole, RevokeRoleRequest(name=account.name, role="ROLE_ADMIN")),
        (desk.users.DisableUser, DisableUserRequest(name=account.name)),
        (desk.users.EnableUser, EnableUserRequest(name=account.name)),
    ):
        await call(change, metadata=admin.metadata)
    await desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=address))
    reset = ResetPasswordRequest(token=await mailbox.token(address, "reset-password"), new_password="a better one")
    await desk.users.ResetPassword(reset, metadata=HOME)
    third = await desk.sign_in(address, "a better one", HOME)
    last = Account(account.id, address, name.username, third)
    renew = ChangePasswordRequest(name="users/me", password="a better one", new_password=PASSWORD)
    await desk.users.ChangePassword(renew, metadata=(*last.metadata, *HOME))
    fourth = await desk.sign_in(address, metadata=HOME)
    await desk.refresh(fourth)
    await rows("UPDATE refresh_tokens SET replaced_at = replaced_at - interval '11 s' WHERE user_id = :i", i=account.id)
    await refused(desk.refresh(fourth, HOME))
    reader = await desk.sign_in_again(last)

    told = list(reversed(await desk.events(reader)))[:-1]

    kinds = [AccountEvent.Type.Name(event.type) for event in told]
    assert kinds == [
        "SIGNED_UP", "SIGNED_IN", "EMAIL_VERIFIED", "USERNAME_CHANGED", "SIGN_IN_FAILED", "SIGNED_IN", "SIGNED_OUT",
        "OTHERS_SIGNED_OUT", "EMAIL_CHANGED", "ROLE_GRANTED", "ROLE_REVOKED", "DISABLED", "ENABLED", "PASSWORD_RESET",
        "SIGNED_IN", "PASSWORD_CHANGED", "SIGNED_IN", "REFRESH_TOKEN_REUSED",
    ]  # fmt: skip
    assert set(kinds) == set(EventType) == set(AccountEvent.Type.keys()) - {"TYPE_UNSPECIFIED"}
    by_admins = {"ROLE_GRANTED", "ROLE_REVOKED", "DISABLED", "ENABLED"}
    for event, kind in zip(told, kinds, strict=True):
        place = (event.ip_address, event.device_info)
        if kind == "SIGN_IN_FAILED":
            assert place == ("203.0.113.9", "Thief/6.6")
        else:
            assert place == (("", "") if kind in by_admins else ("198.51.100.7", "Radio/1.0")), kind
    assert told[1].session == first
    assert [told[5].session, told[6].session] == [second.session.name] * 2
    assert told[-1].session == fourth.session.name
    assert [event.session for event in told if event.type == AccountEvent.SIGN_IN_FAILED] == [""]
    assert all(event.HasField("create_time") for event in told)


async def test_what_fails_or_changes_nothing_is_not_told(desk):
    """Only a wrong password is, for it is somebody at the door."""
    account = await desk.sign_up()
    same = User(name="users/me", username=account.username)
    await desk.users.UpdateUser(UpdateUserRequest(user=same), metadata=account.metadata)
    revoke = RevokeSessionRequest(name=f"{account.name}/sessions/{account.id}")
    await refused(desk.sessions.RevokeSession(revoke, metadata=account.metadata))
    await refused(desk.users.VerifyEmail(VerifyEmailRequest(token="x")))

    assert await desk.event_types(account) == ["SIGNED_UP", "SIGNED_IN"]


async def test_a_password_that_confirms_a_change_is_told_only_when_it_is_wrong(desk):
    """The change itself is told."""
    account = await desk.sign_up()
    for password in ("not the password", PASSWORD):
        request = RequestEmailVerificationRequest(email=newcomer().email, password=password)
        await outcome(desk.users.RequestEmailVerification(request, metadata=account.metadata))

    assert await desk.event_types(account) == ["SIGNED_UP", "SIGNED_IN", "SIGN_IN_FAILED"]


async def test_only_the_owner_and_administrators_read_a_trail(desk, admin):
    """It says where people are."""
    account, other = await desk.sign_up(), await desk.sign_up()

    assert await refused(events_of(desk, account.name, other)) == "PERMISSION_MISSING"
    assert await refused(desk.trail.ListAccountEvents(ListAccountEventsRequest(parent=account.name))) == "TOKEN_MISSING"
    own = await events_of(desk, account.name, account)
    assert (await events_of(desk, account.name, admin)).account_events == own.account_events
    assert {event.name.rsplit("/", 2)[0] for event in own.account_events} == {account.name}
    assert all(UUID(event.name.rsplit("/", 1)[1]) for event in own.account_events)


async def test_a_trail_is_read_page_by_page_the_newest_first(desk):
    """A page token belongs to its list."""
    account, other = await desk.sign_up(), await desk.sign_up()
    for _ in range(5):
        await desk.sign_in(account.email)
    whole = await desk.events(account)

    seen, token = [], ""
    while True:
        page = await events_of(desk, "users/me", account, page_size=3, page_token=token)
        seen += page.account_events
        if not page.next_page_token:
            break
        token = page.next_page_token

    assert seen == whole
    assert len(seen) == 7
    moments = [event.create_time.ToNanoseconds() for event in seen]
    assert moments == sorted(moments, reverse=True)
    for foreign in (token, "x"):
        call = events_of(desk, other.name, other, page_token=foreign)
        assert await refused(call) == "PAGE_TOKEN_INVALID"


async def test_a_trail_is_kept_for_ninety_days(desk, another, rows):
    """Addresses are personal; older lines go."""
    account = await desk.sign_up()
    old = "UPDATE account_events SET created_at = now() - :age WHERE user_id = :id AND type = :type"
    await rows(old, age=timedelta(days=91), id=account.id, type="SIGNED_UP")
    await rows(old, age=timedelta(days=89), id=account.id, type="SIGNED_IN")

    await another()  # a service sweeps when it starts

    async def swept():
        return await desk.event_types(account) == ["SIGNED_IN"]

    await until(swept)


@pytest.mark.parametrize("kind", ["mails", "links", "attempts", "refresh_tokens"])
async def test_what_is_needed_no_more_is_swept(desk, another, rows, kind):
    """Mails after two days, links at their end, attempts after a day, refresh tokens a month after theirs."""
    account = await desk.sign_up()
    await refused(desk.sign_in(account.email, "not the password"))
    statements = {
        "mails": "UPDATE mails SET created_at = now() - interval '49 h' WHERE address = :email RETURNING id",
        "links": "INSERT INTO links VALUES ('\\x00', 'VERIFY_EMAIL', :id, :email, now()) RETURNING token_hash",
        "attempts": "UPDATE attempts SET last_at = now() - interval '25 h' RETURNING subject",
        "refresh_tokens": "UPDATE refresh_tokens SET expires_at = now() - interval '31 days' WHERE user_id = :id"
        " RETURNING id",
    }
    values = {"id": account.id, "email": account.email}
    statement = statements[kind]
    old = await rows(statement, **{name: value for name, value in values.items() if f":{name}" in statement})
    assert old

    await another()  # a service sweeps when it starts

    key = {"mails": "id", "links": "token_hash", "attempts": "subject", "refresh_tokens": "id"}[kind]

    async def swept():
        return not await rows(f"SELECT 1 FROM {kind} WHERE {key} = ANY(:old)", old=[row[0] for row in old])  # noqa: S608 (words of this test)

    await until(swept)


async def test_a_mask_without_a_change_is_not_told(desk):
    """The name stays, so nothing happened."""
    account = await desk.sign_up()
    request = UpdateUserRequest(
        user=User(name=account.name, username=account.username), update_mask=FieldMask(paths=["username"])
    )

    await desk.users.UpdateUser(request, metadata=account.metadata)

    assert "USERNAME_CHANGED" not in await desk.event_types(account)
