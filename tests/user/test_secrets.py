"""What the database holds opens nothing: no password, no token, no link, in no table and no form."""

import asyncio
import base64
from urllib.parse import quote
from uuid import uuid4

import pytest

from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.user_service_pb2 import (
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
    VerifyEmailRequest,
)
from tests.support.rows import holders
from tests.user.desk import newcomer

SESSIONS, AT_ONCE = 100, 4
PAGE = (("origin", "http://player.test"), ("x-spotilike-authority", "player.test"))


def forms(secret):
    """Write a secret in every form in which it might have been kept; bytes are looked for in hexadecimal as well."""
    raw = secret.encode()
    return {secret, quote(secret, safe=""), base64.b64encode(raw).decode().rstrip("="), base64.b16encode(raw).decode()}


async def found(rows, secrets):
    """Name the tables in which one of the secrets is found."""
    return {
        (what, table)
        for what, secret in secrets.items()
        for form in forms(secret)
        for table in await holders(rows, form)
    }


async def test_a_dump_of_the_database_after_a_hundred_sessions_opens_nothing(desk, mailbox, rows):
    """Everything that people and browsers got is looked for; so is one that was planted, to show that it is found."""
    secrets = {"password": f"very secret {uuid4()}", "new password": f"quite secret \u00e9 {uuid4()}"}
    who = newcomer(password=secrets["password"])
    await desk.make(who)
    signed_in = [await desk.sign_in(who.email, who.password)]
    for batch in range(SESSIONS // AT_ONCE):
        answers = await asyncio.gather(*(desk.sign_in(who.email, who.password) for _ in range(AT_ONCE)))
        signed_in += answers
        secrets |= {f"refresh {batch}": answers[0].refresh_token, f"access {batch}": answers[0].access_token}
    for number, credentials in enumerate(signed_in[:10]):
        secrets[f"refreshed {number}"] = (await desk.refresh(credentials)).refresh_token
    cookie = desk.sessions.CreateSession(
        CreateSessionRequest(email=who.email, password=who.password, use_cookie=True), metadata=PAGE
    )
    await cookie
    header = next(value for name, value in await cookie.initial_metadata() if name == "set-cookie")
    secrets["cookie"] = header.partition("=")[2].partition(";")[0]
    address = newcomer().email
    bearer = (("authorization", f"Bearer {signed_in[0].access_token}"),)
    ask = RequestEmailVerificationRequest(email=address, password=who.password)
    await desk.users.RequestEmailVerification(ask, metadata=bearer)
    await desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=who.email))
    secrets["link"] = await mailbox.token(who.email, "verify-email")
    secrets["unused link"] = await mailbox.token(address, "verify-email")
    secrets["reset link"] = await mailbox.token(who.email, "reset-password")
    await desk.users.VerifyEmail(VerifyEmailRequest(token=secrets["link"]))
    reset = ResetPasswordRequest(token=secrets["reset link"], new_password=secrets["new password"])
    await desk.users.ResetPassword(reset)

    assert await found(rows, secrets) == set()
    await rows(
        "UPDATE users SET disabled_reason = :planted WHERE email = :email",
        planted=base64.b64encode(secrets["cookie"].encode()).decode(),
        email=who.email,
    )
    assert await found(rows, secrets) == {("cookie", "users")}
    await rows("UPDATE users SET disabled_reason = NULL WHERE email = :email", email=who.email)


@pytest.mark.parametrize("kind", ["VERIFY_EMAIL", "RESET_PASSWORD"])
async def test_a_mail_that_waits_holds_no_link(desk, mailbox, rows, kind):
    """It is made when the mail is written."""
    mailbox.is_away = True
    try:
        who = newcomer()
        await desk.make(who)
        await desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=who.email))
        waiting = await rows("SELECT t::text AS row FROM mails t WHERE address = :a AND kind = :k", a=who.email, k=kind)
    finally:
        mailbox.is_away = False

    assert len(waiting) == 1
    assert all(len(part) <= 40 for part in waiting[0].row.strip("()").split(","))
