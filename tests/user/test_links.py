"""Links in mails: each works once, for its time, for what it was sent for, and dies with what it would change."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from services.user.domain import RESET_LIFE, VERIFICATION_LIFE, link_hash
from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    DisableUserRequest,
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
    VerifyEmailRequest,
)
from tests.support.mailbox import text
from tests.support.processing import until
from tests.support.services import PASSWORD, violated_fields
from tests.user.desk import newcomer, outcome, refusal, refused

BETTER = "a better password"


@pytest.fixture
def links(desk, mailbox):
    """Return what a person does with mails."""
    return Links(desk, mailbox)


class Links:
    """What a person does with mails."""

    def __init__(self, desk, mailbox):
        self.desk, self.mailbox = desk, mailbox

    async def confirm(self, account):
        """Return the link that came when the account was made."""
        return await self.mailbox.token(account.email, "verify-email")

    async def reset(self, account):
        """Ask for a link that sets a new password, and return it."""
        await self.desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=account.email))
        return await self.mailbox.token(account.email, "reset-password")

    async def ask_for_address(self, account, address):
        """Ask for a link to a new address."""
        request = RequestEmailVerificationRequest(email=address, password=PASSWORD)
        await self.desk.users.RequestEmailVerification(request, metadata=account.metadata)

    async def address(self, account, address):
        """Ask for a link to a new address, and return it."""
        await self.ask_for_address(account, address)
        return await self.mailbox.token(address, "verify-email")

    def use(self, token):
        """Follow a link that confirms an address."""
        return self.desk.users.VerifyEmail(VerifyEmailRequest(token=token))

    def set_password(self, token, password=BETTER):
        """Follow a link that sets a password."""
        return self.desk.users.ResetPassword(ResetPasswordRequest(token=token, new_password=password))


async def test_a_link_confirms_the_address_once(desk, links):
    """Whoever finds it later gets nothing."""
    account = await desk.sign_up()
    token = await links.confirm(account)

    await links.use(token)

    assert (await desk.shown(account)).is_verified
    assert await refused(links.use(token)) == "LINK_INVALID"


async def test_a_link_sets_a_password_once_and_signs_every_device_out(desk, links):
    """It proves the address as well."""
    account = await desk.sign_up()
    phone = await desk.sign_in(account.email)
    token = await links.reset(account)

    await links.set_password(token)

    assert await refused(links.set_password(token, "another password")) == "LINK_INVALID"
    for credentials in (account.credentials, phone):
        assert await refused(desk.refresh(credentials)) == "REFRESH_TOKEN_INVALID"
    assert await refused(desk.sign_in(account.email)) == "CREDENTIALS_INVALID"
    signed_in = await desk.sign_in(account.email, BETTER)
    assert signed_in.user.is_verified


async def test_of_those_who_use_a_link_at_once_one_wins(desk, links):
    """For both kinds of links."""
    account = await desk.sign_up()
    confirm, reset = await links.confirm(account), await links.reset(account)

    uses = Counter(await asyncio.gather(*(outcome(links.use(confirm)) for _ in range(6))))
    passwords = [f"better password {number}" for number in range(6)]
    resets = await asyncio.gather(*(outcome(links.set_password(reset, password)) for password in passwords))

    assert uses == Counter(resets) == {"OK": 1, "LINK_INVALID": 5}
    assert await desk.sign_in(account.email, passwords[resets.index("OK")])


async def test_a_link_to_confirm_works_for_a_day_and_one_to_reset_for_an_hour(desk, links, rows):
    """Afterwards another mail has to be asked for."""
    account = await desk.sign_up()
    lives = {await links.confirm(account): VERIFICATION_LIFE, await links.reset(account): RESET_LIFE}
    for token, life in lives.items():
        found = await rows("SELECT expires_at - now() AS left FROM links WHERE token_hash = :h", h=link_hash(token))
        assert life - timedelta(minutes=1) < found[0].left <= life

    await rows("UPDATE links SET expires_at = now() WHERE user_id = :id", id=account.id)

    confirm, reset = lives
    assert await refused(links.use(confirm)) == "LINK_INVALID"
    assert await refused(links.set_password(reset)) == "LINK_INVALID"
    assert await desk.sign_in(account.email)


async def test_a_link_is_good_for_nothing_but_what_it_was_sent_for(desk, links):
    """Who may confirm an address may not set a password, nor the other way round."""
    account = await desk.sign_up()
    confirm, reset = await links.confirm(account), await links.reset(account)

    assert await refused(links.set_password(confirm)) == "LINK_INVALID"
    assert await refused(links.use(reset)) == "LINK_INVALID"
    assert await refused(links.use("x" * 43)) == "LINK_INVALID"
    await links.use(confirm)
    await links.set_password(reset)


async def test_a_password_that_is_refused_costs_no_link(desk, links):
    """The person chooses another one."""
    account = await desk.sign_up()
    token = await links.reset(account)

    for weak in ("password1", account.email, "short"):
        assert violated_fields(await refusal(links.set_password(token, weak))) == {"new_password"}

    await links.set_password(token)


async def test_an_address_is_changed_by_the_link_that_went_to_it(desk, links, mailbox):
    """The old one signs in no more and is told; sessions go on."""
    account, address = await desk.sign_up(), newcomer().email
    token = await links.address(account, address)
    assert (await desk.shown(account)).email == account.email

    await links.use(token)

    shown = await desk.shown(account)
    assert (shown.email, shown.is_verified) == (address, True)
    assert await refused(desk.sign_in(account.email)) == "CREDENTIALS_INVALID"
    assert await desk.sign_in(address)
    assert await desk.refresh(account.credentials)
    assert await mailbox.letter(account.email, lambda letter: "does not sign in any more" in text(letter))


async def test_a_new_address_needs_the_password(desk):
    """A stolen access token does not move the account away from its owner."""
    account = await desk.sign_up()

    for password in ("", "not the password"):
        request = RequestEmailVerificationRequest(email=newcomer().email, password=password)
        call = desk.users.RequestEmailVerification(request, metadata=account.metadata)
        assert await refused(call) == "PASSWORD_WRONG"


async def test_links_to_the_old_address_die_when_the_address_changes(desk, links):
    """Whoever reads the old mailbox has nothing in hand."""
    account, address = await desk.sign_up(), newcomer().email
    confirm, reset = await links.confirm(account), await links.reset(account)

    await links.use(await links.address(account, address))

    assert await refused(links.use(confirm)) == "LINK_INVALID"
    assert await refused(links.set_password(reset)) == "LINK_INVALID"


async def test_links_die_when_the_password_changes(desk, links):
    """A thief who asked for a link to an address of theirs is out with all the rest."""
    account, address = await desk.sign_up(), newcomer().email
    stolen, reset = await links.address(account, address), await links.reset(account)

    change = ChangePasswordRequest(name="users/me", password=PASSWORD, new_password=BETTER)
    await desk.users.ChangePassword(change, metadata=account.metadata)

    assert await refused(links.use(stolen)) == "LINK_INVALID"
    assert await refused(links.set_password(reset, "another password")) == "LINK_INVALID"


async def test_a_link_that_was_not_sent_before_the_password_changed_is_not_sent_afterwards(desk, links, mailbox, rows):
    """Also when the mail server was away in between."""
    account, address = await desk.sign_up(), newcomer().email
    await mailbox.letter(account.email)
    mailbox.is_away = True

    async def tried():
        return await rows("SELECT 1 FROM mails WHERE address = :address AND tries > 0", address=address)

    try:
        await links.ask_for_address(account, address)
        await until(tried)
        change = ChangePasswordRequest(name="users/me", password=PASSWORD, new_password=BETTER)
        await desk.users.ChangePassword(change, metadata=account.metadata)
    finally:
        mailbox.is_away = False
        await rows("UPDATE mails SET next_try_at = now() WHERE done_at IS NULL")

    await mailbox.letter(account.email, lambda letter: "was changed" in text(letter))
    assert mailbox.to(address) == []
    assert await rows("SELECT 1 FROM links WHERE user_id = :id", id=account.id) == []


async def test_links_of_a_disabled_account_are_worth_nothing(desk, links, admin):
    """What was sent before, as well."""
    account = await desk.sign_up()
    confirm, reset = await links.confirm(account), await links.reset(account)

    await desk.users.DisableUser(DisableUserRequest(name=account.name), metadata=admin.metadata)

    assert await refused(links.use(confirm)) == "LINK_INVALID"
    assert await refused(links.set_password(reset)) == "LINK_INVALID"


async def test_an_address_that_somebody_else_took_meanwhile_is_theirs(desk, links):
    """The link says so, and changes nothing."""
    account, address = await desk.sign_up(), newcomer().email
    token = await links.address(account, address)
    await desk.make(newcomer(email=address.upper()))

    for _ in range(2):
        assert await refused(links.use(token)) == "EMAIL_TAKEN"

    assert (await desk.shown(account)).email == account.email


async def test_asking_for_an_address_does_not_tell_whether_it_has_an_account(desk, links):
    """The answer is the same; the mail goes to whoever reads it."""
    account, other = await desk.sign_up(), await desk.sign_up()
    await links.confirm(other)

    await links.ask_for_address(account, other.email)
    await links.ask_for_address(account, newcomer().email)

    assert (await desk.shown(account)).email == account.email
    assert (await desk.shown(other)).email == other.email
