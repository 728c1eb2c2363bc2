"""Passwords: what is taken, how it is kept, and what it costs."""

import asyncio
import unicodedata
from uuid import uuid4

import pytest

from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.user_service_pb2 import ChangePasswordRequest, EraseUserRequest, ResetPasswordRequest
from tests.support.services import PASSWORD, error_info, violated_fields
from tests.user.desk import Desk, newcomer, refusal, refused

LONGEST = "\u00e9" * 511 + "ab"
"""1024 bytes."""


@pytest.mark.parametrize(
    "password",
    ["s9-Kq!vz", "\U0001f525\U0001f98a", "надёжный пароль", "  blanks count  ", "q" * 100, LONGEST],
    ids=["8 bytes", "two emoji", "Cyrillic", "blanks", "repeated", "1024 bytes"],
)
async def test_a_password_may_be_any_text_of_8_to_1024_bytes(desk, password):
    """What was chosen signs in, exactly as it was written."""
    who = newcomer(password=password)
    await desk.make(who)

    credentials = await desk.sign_in(who.email, password)

    assert credentials.user.email == who.email


async def test_every_byte_of_the_longest_password_counts(desk):
    """Nothing is cut: neither at 72 bytes nor before the last one."""
    who = newcomer(password=LONGEST)
    await desk.make(who)

    assert len(LONGEST.encode()) == 1024
    for wrong in (LONGEST[:-1] + "c", LONGEST[:-1], "E" + LONGEST[1:]):
        assert await refused(desk.sign_in(who.email, wrong)) == "CREDENTIALS_INVALID"
    assert await desk.sign_in(who.email, LONGEST)


@pytest.mark.parametrize(("chosen", "typed"), [("NFC", "NFD"), ("NFD", "NFC")])
async def test_a_password_is_the_same_however_a_keyboard_composes_it(desk, chosen, typed):
    """é is one character on one device and two on another."""
    password = "caf\u00e9 cr\u00e8me br\u00fbl\u00e9e"
    who = newcomer(password=unicodedata.normalize(chosen, password))
    await desk.make(who)

    assert await desk.sign_in(who.email, unicodedata.normalize(typed, password))


async def test_case_and_blanks_of_a_password_count(desk):
    """Only the composition does not."""
    account = await desk.sign_up()

    for wrong in (PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} ", PASSWORD.replace(" ", "")):
        assert await refused(desk.sign_in(account.email, wrong)) == "CREDENTIALS_INVALID"


async def test_a_password_of_a_wrong_length_is_refused_before_it_is_hashed(another, desk):
    """A service that cannot hash anything still refuses it, and says which field it is."""
    account = await desk.sign_up()
    no_room = Desk(await another(password_threads=1, password_queue=-1))

    long, short = "x" * 1025, "x" * 7
    calls = {
        "longest": (no_room.make(newcomer(password="x" * 1024)), "OVERLOADED"),
        "password": (no_room.make(newcomer(password=long)), {"password"}),
        "short": (no_room.make(newcomer(password=short)), {"password"}),
        "sign in": (no_room.sign_in(account.email, long), {"password"}),
        "change": (_change(no_room, account, PASSWORD, long), {"new_password"}),
        "reset": (no_room.users.ResetPassword(ResetPasswordRequest(token="t", new_password=short)), {"new_password"}),
        "erase": (_erase(no_room, account, long), {"password"}),
    }
    for name, (call, expected) in calls.items():
        error = await refusal(call)
        seen = error_info(error)[0] if isinstance(expected, str) else violated_fields(error)
        assert seen == expected, name


@pytest.mark.parametrize("password", ["password1", "PassWord1", "qwertyuiop", "1234567890", "ILOVEYOU"])
async def test_passwords_that_everybody_tries_first_are_refused_in_any_case(desk, password):
    """At sign-up, at a change and after a forgotten one."""
    account = await desk.sign_up()

    for call in (desk.make(newcomer(password=password)), _change(desk, account, PASSWORD, password)):
        error = await refusal(call)
        assert error_info(error)[0] == "INVALID_FIELDS"
        assert violated_fields(error) <= {"password", "new_password"}
        assert "everybody tries first" in str(error.details())


async def test_an_account_is_not_protected_by_its_own_name(desk):
    """Neither the address, nor what stands before the @, nor the username, at sign-up or later."""
    account = await desk.sign_up()
    who = newcomer(email=f"fan-of-queen-{uuid4().hex[:8]}@example.org")

    for password in (who.email, who.email.partition("@")[0].upper(), who.username):
        error = await refusal(desk.make(newcomer(email=who.email, username=who.username, password=password)))
        assert violated_fields(error) == {"password"}
    for password in (account.email, account.username.upper()):
        error = await refusal(_change(desk, account, PASSWORD, password))
        assert violated_fields(error) == {"new_password"}


async def test_passwords_are_kept_as_argon2id_hashes_of_owasp_strength(rows, desk):
    """19 MiB, two passes, one lane, a salt of their own."""
    accounts = [await desk.sign_up() for _ in range(2)]

    hashes = [await _hash(rows, account) for account in accounts]

    assert all(known.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for known in hashes)
    assert hashes[0] != hashes[1]


async def test_a_password_is_hashed_again_at_sign_in_when_the_strength_has_risen(another, desk, rows):
    """Only by the right password; and the sessions go on, for it is the same password."""
    account = await desk.sign_up()
    before = await _hash(rows, account)
    stronger = Desk(await another(password_passes=3))

    await refused(stronger.sign_in(account.email, "not the password"))
    assert await _hash(rows, account) == before

    await asyncio.gather(*(stronger.sign_in(account.email) for _ in range(4)))
    after = await _hash(rows, account)
    assert ",t=3," in after
    await stronger.sign_in(account.email)
    assert await _hash(rows, account) == after
    assert await desk.refresh(account.credentials)


async def test_a_changed_password_replaces_the_old_one_and_signs_every_device_out(desk):
    """The one that changed it as well."""
    account = await desk.sign_up()
    other_device = await desk.sign_in(account.email)

    await _change(desk, account, PASSWORD, "a better password")

    for credentials in (account.credentials, other_device):
        assert await refused(desk.refresh(credentials)) == "REFRESH_TOKEN_INVALID"
    assert await refused(desk.sign_in(account.email)) == "CREDENTIALS_INVALID"
    assert await desk.sign_in(account.email, "a better password")


async def test_a_password_is_changed_only_by_who_knows_it_and_only_ones_own(desk):
    """An access token alone is not enough."""
    account, other = await desk.sign_up(), await desk.sign_up()

    assert await refused(_change(desk, account, "not the password", "a better password")) == "PASSWORD_WRONG"
    request = ChangePasswordRequest(name=other.name, password=PASSWORD, new_password="a better password")
    assert await refused(desk.users.ChangePassword(request, metadata=account.metadata)) == "PERMISSION_MISSING"
    assert await desk.sign_in(other.email)


async def test_a_sign_in_that_meets_a_change_of_the_password_does_not_outlive_it(desk):
    """The old password opens nothing from the moment at which the new one counts."""
    for _ in range(8):
        account = await desk.sign_up()

        async def late(seconds, account=account):
            await asyncio.sleep(seconds)
            return await desk.sessions.CreateSession(CreateSessionRequest(email=account.email, password=PASSWORD))

        racing = [asyncio.create_task(late(step * 0.03)) for step in range(4)]
        await _change(desk, account, PASSWORD, "a better password")
        for answer in await asyncio.gather(*racing, return_exceptions=True):
            if not isinstance(answer, BaseException):
                assert await refused(desk.refresh(answer)) == "REFRESH_TOKEN_INVALID"


def _change(desk, account, password, new_password):
    request = ChangePasswordRequest(name="users/me", password=password, new_password=new_password)
    return desk.users.ChangePassword(request, metadata=account.metadata)


def _erase(desk, account, password):
    return desk.users.EraseUser(EraseUserRequest(name="users/me", password=password), metadata=account.metadata)


async def _hash(rows, account):
    return (await rows("SELECT password_hash FROM users WHERE id = :id", id=account.id))[0].password_hash
