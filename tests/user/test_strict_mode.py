"""The strict mode: nobody learns by signing up which addresses have an account."""

import asyncio
from datetime import timedelta
from email.header import decode_header, make_header

import pytest

from spotilike.user.v1.user_service_pb2 import (
    GetUserRequest,
    LookupUserRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
    VerifyEmailRequest,
)
from tests.support.mailbox import text
from tests.support.processing import until
from tests.support.services import PASSWORD
from tests.user.desk import Desk, newcomer, outcome, refused

BETTER = "a better password"


@pytest.fixture
async def strict(another):
    """Return a service in the strict mode."""
    return Desk(await another(sign_up="strict"))


async def everything_seen(desk, searcher, email):
    """Sign up with an address and collect all that the person who did so can learn afterwards."""
    who = newcomer(email=email)
    made = await desk.make(who)
    seen = [sorted(field.name for field, _ in made.ListFields()), made.email == email, list(made.roles)]
    looked_up = await desk.users.LookupUser(LookupUserRequest(username=who.username), metadata=searcher.metadata)
    shown = await desk.users.GetUser(GetUserRequest(name=made.name), metadata=searcher.metadata)
    seen += [looked_up == shown, shown.name == made.name, shown.create_time == made.create_time]
    seen.append(await outcome(desk.make(newcomer(username=who.username.upper()))))
    seen.append(await outcome(desk.make(newcomer(email=email))))
    seen += [await outcome(desk.sign_in(email, password)) for password in (who.password, "not the password")]
    together = [desk.make(newcomer(email=email)) for _ in range(3)]
    return [*seen, sorted(await asyncio.gather(*map(outcome, together)))]


async def test_whoever_signs_up_learns_nothing_of_the_address_then_or_later(desk, strict):
    """The answer, the account that it names, the name that is taken now, signing in, signing up again and at once."""
    searcher, known = await desk.sign_up(), await desk.sign_up()

    of_known = await everything_seen(strict, searcher, known.email.upper())
    of_new = await everything_seen(strict, searcher, newcomer().email.upper())

    assert of_known == of_new
    assert of_new[6:8] == ["USERNAME_TAKEN", "OK"]


async def test_the_owner_of_the_address_gets_a_mail_and_keeps_the_account(desk, strict, mailbox):
    """It says what happened, and how to get in."""
    owner = await desk.sign_up()

    await strict.make(newcomer(email=owner.email, password=BETTER))

    letter = await mailbox.letter(owner.email, lambda letter: "forgot-password" in text(letter))
    assert str(make_header(decode_header(letter["Subject"]))) == "You have an account already"
    assert "token=" not in text(letter)
    assert await refused(desk.sign_in(owner.email, BETTER)) == "CREDENTIALS_INVALID"
    assert await desk.sign_in(owner.email)
    assert (await desk.shown(owner)).username == owner.username


@pytest.mark.parametrize("way", ["link", "new password"])
async def test_nobody_signs_in_before_the_address_is_confirmed(strict, mailbox, way):
    """By the link of the first mail, or by one that sets a new password."""
    who = newcomer()
    await strict.make(who)
    assert await refused(strict.sign_in(who.email)) == "CREDENTIALS_INVALID"

    if way == "link":
        verify = VerifyEmailRequest(token=await mailbox.token(who.email, "verify-email"))
        await strict.users.VerifyEmail(verify)
        signed_in = await strict.sign_in(who.email)
    else:
        await strict.users.RequestPasswordReset(RequestPasswordResetRequest(email=who.email))
        token = await mailbox.token(who.email, "reset-password")
        await strict.users.ResetPassword(ResetPasswordRequest(token=token, new_password=BETTER))
        signed_in = await strict.sign_in(who.email, BETTER)

    assert signed_in.user.is_verified


async def test_trying_to_sign_in_sends_another_link_to_an_address_that_is_not_confirmed(strict, mailbox, rows):
    """Only with the right password."""
    who = newcomer()
    await strict.make(who)
    await mailbox.token(who.email, "verify-email")
    await rows("UPDATE mails SET created_at = now() - interval '61 s' WHERE address = :address", address=who.email)

    await refused(strict.sign_in(who.email, "not the password"))
    await refused(strict.sign_in(who.email, PASSWORD))

    async def sent_twice():
        return len(mailbox.to(who.email)) == 2

    await until(sent_twice)


async def test_accounts_that_nobody_confirms_are_removed_after_a_week_and_no_others(
    desk, strict, another, rows, mailbox
):
    """Those behind a taken address as well; their names are free again."""
    owner, who, confirmed = await desk.sign_up(), newcomer(), newcomer()
    behind = newcomer(email=owner.email)
    for person in (who, confirmed, behind):
        await strict.make(person)
    verify = VerifyEmailRequest(token=await mailbox.token(confirmed.email, "verify-email"))
    await strict.users.VerifyEmail(verify)
    await rows("UPDATE users SET unconfirmed_since = unconfirmed_since - :week", week=timedelta(days=7))

    await another(sign_up="strict")  # a service sweeps when it starts

    async def gone():
        return not await rows("SELECT 1 FROM users WHERE username = ANY(:names)", names=[who.username, behind.username])

    await until(gone)
    assert await desk.refresh(owner.credentials)
    assert await strict.sign_in(confirmed.email)
    assert await strict.make(newcomer(username=who.username))


async def test_an_account_that_signed_in_while_the_mode_was_another_stays(desk, strict, another, rows):
    """Somebody uses it."""
    who = newcomer()
    await strict.make(who)
    signed_in = await desk.sign_in(who.email)
    other = newcomer()
    await strict.make(other)
    await rows("UPDATE users SET unconfirmed_since = unconfirmed_since - :week", week=timedelta(days=7))

    await another(sign_up="strict")

    async def gone():
        return not await rows("SELECT 1 FROM users WHERE username = :name", name=other.username)

    await until(gone)
    assert await desk.refresh(signed_in)
