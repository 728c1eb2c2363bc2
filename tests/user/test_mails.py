"""Mails: sent by a real server, to the right people, in their language, and not too many."""

import asyncio
from datetime import timedelta
from email.header import decode_header, make_header
from uuid import uuid4

import pytest

from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    DisableUserRequest,
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
)
from tests.support.mailbox import text
from tests.support.processing import until
from tests.support.services import PASSWORD, violated_fields
from tests.user.desk import newcomer, refusal

MINUTE = timedelta(seconds=61)


@pytest.fixture
def sent(rows):
    """Return a function that waits until nothing more is to be sent to an address, and counts what was."""

    async def count(address):
        async def done():
            return not await rows(
                "SELECT 1 FROM mails WHERE lower(address) = lower(:address) AND done_at IS NULL", address=address
            )

        await until(done)
        found = await rows("SELECT count(*) AS n FROM mails WHERE lower(address) = lower(:address)", address=address)
        return found[0].n

    return count


@pytest.fixture
def let_pass(rows):
    """Return a function that makes the mails to an address so much older."""

    async def age(address, time):
        await rows(
            "UPDATE mails SET created_at = created_at - :time WHERE lower(address) = lower(:address)",
            time=time,
            address=address,
        )

    return age


@pytest.fixture
async def away(mailbox, rows):
    """Return a function that turns mails away until it is called with False, and then has them tried again."""

    async def change(is_away):
        mailbox.is_away = is_away
        await rows("UPDATE mails SET next_try_at = now() WHERE done_at IS NULL")

    yield change
    await change(is_away=False)


def ask_for_reset(desk, address, language=None):
    """Ask for a link that sets a new password."""
    metadata = (("accept-language", language),) if language else ()
    return desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=address), metadata=metadata)


def subject(letter):
    """Read the subject of a mail."""
    return str(make_header(decode_header(letter["Subject"])))


async def test_who_signs_up_gets_one_mail_to_confirm_the_address(desk, mailbox, sent):
    """With a link into the player, whose secret stands behind the #."""
    account = await desk.sign_up()

    letter = await mailbox.letter(account.email)

    assert await sent(account.email) == 1
    assert [letter["To"], letter["From"]] == [account.email, "Spotilike <no-reply@spotilike.dev>"]
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "http://player.test/verify-email#token=" in text(letter)


@pytest.mark.parametrize(
    ("accepted", "title"),
    [
        ("ru", "Новый пароль"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "Новый пароль"),
        ("en-GB,en", "Set a new password"),
        ("de", "Set a new password"),
        (None, "Set a new password"),
        (",;q=", "Set a new password"),
        ("r" * 4000, "Set a new password"),
    ],
)
async def test_a_mail_is_written_in_the_language_of_who_asked(desk, mailbox, accepted, title):
    """English and Russian; English for everybody else."""
    account = await desk.sign_up()

    await ask_for_reset(desk, account.email, accepted)

    assert await mailbox.letter(account.email, lambda letter: subject(letter) == title)


async def test_an_address_without_an_account_gets_no_mail(desk, mailbox, sent):
    """The call answers as ever."""
    stranger = newcomer().email

    await ask_for_reset(desk, stranger)

    assert await sent(stranger) == 1
    assert mailbox.to(stranger) == []


async def test_a_disabled_account_gets_no_link(desk, mailbox, admin, sent):
    """An administrator has shut it, and no mail opens it."""
    account = await desk.sign_up()
    await mailbox.letter(account.email)
    await desk.users.DisableUser(DisableUserRequest(name=account.name), metadata=admin.metadata)

    await ask_for_reset(desk, account.email)

    await sent(account.email)
    assert not [letter for letter in mailbox.to(account.email) if "reset-password" in text(letter)]


async def test_twenty_requests_at_once_send_one_mail(desk, mailbox, sent):
    """However the address is spelled, and however the requests meet."""
    account = await desk.sign_up()
    spellings = [account.email, account.email.upper(), account.email.title()]

    await asyncio.gather(*(ask_for_reset(desk, spellings[turn % 3]) for turn in range(20)))

    await sent(account.email)
    letters = [letter for letter in mailbox.to(account.email) if "reset-password" in text(letter)]
    assert len(letters) == 1


async def test_an_address_gets_ten_mails_of_a_kind_a_day_and_one_a_minute(desk, rows, sent, let_pass):
    """Nobody is flooded by somebody who knows the address."""
    account = await desk.sign_up()

    async def resets():
        await sent(account.email)
        found = await rows(
            "SELECT 1 FROM mails WHERE lower(address) = :address AND kind = 'RESET_PASSWORD'", address=account.email
        )
        return len(found)

    counts = []
    for _ in range(12):
        await ask_for_reset(desk, account.email)
        await ask_for_reset(desk, account.email.upper())
        counts.append(await resets())
        await let_pass(account.email, MINUTE)
    await let_pass(account.email, timedelta(days=1))
    await ask_for_reset(desk, account.email)

    assert counts == [*range(1, 11), 10, 10]
    assert await resets() == 11


async def test_mails_wait_while_the_mail_server_is_away_and_come_once_afterwards(desk, mailbox, rows, away):
    """Calls answer as ever, and nothing is lost."""
    await away(is_away=True)
    people = [await desk.sign_up() for _ in range(3)]

    async def tried():
        found = await rows(
            "SELECT 1 FROM mails WHERE address = ANY(:people) AND tries > 0 AND done_at IS NULL",
            people=[person.email for person in people],
        )
        return len(found) == 3

    await until(tried)
    assert not any(mailbox.to(person.email) for person in people)
    await away(is_away=False)

    for person in people:
        await mailbox.letter(person.email)
    assert [len(mailbox.to(person.email)) for person in people] == [1, 1, 1]


async def test_tries_get_rarer_while_the_mail_server_is_away(desk, rows, away):
    """From seconds to an hour."""
    await away(is_away=True)
    account = await desk.sign_up()
    pauses = []
    for tries in range(1, 5):

        async def tried(tries=tries):
            return await rows("SELECT 1 FROM mails WHERE address = :a AND tries = :n", a=account.email, n=tries)

        await until(tried)
        found = await rows("SELECT next_try_at - now() AS pause FROM mails WHERE address = :a", a=account.email)
        pauses.append(found[0].pause.total_seconds())
        await away(is_away=True)

    assert all(15 * 2**step - 10 < pause <= 15 * 2**step for step, pause in enumerate(pauses)), pauses


async def test_a_mail_that_cannot_be_written_stops_no_other(desk, mailbox, rows):
    """What is wrong with one mail is not everybody's problem."""
    await rows("INSERT INTO mails (kind, address, language) VALUES ('PASSWORD_CHANGED', E'a\\nb@example.org', 'en')")

    account = await desk.sign_up()

    assert await mailbox.letter(account.email)
    await rows("DELETE FROM mails WHERE address LIKE E'a\\n%'")


@pytest.mark.parametrize(
    "address",
    [
        "a@example.org\nBcc: b@example.org",
        "a@example.org\r\nSubject: hello",
        "a@example.org\n",
        "a@example.org, b@example.org",
        '"a b"@example.org',
        "A <a@example.org>",
        "a@example.org\u2028",
        "\u00e4@example.org",
        "a@",
        "@example.org",
        "a",
    ],
)
async def test_nobody_writes_headers_or_further_addresses_into_a_mail(desk, address):
    """What is no plain address is refused by every call that takes one."""
    account = await desk.sign_up()
    calls = {
        "user.email": desk.make(newcomer(email=address)),
        "email": ask_for_reset(desk, address),
        "new": desk.users.RequestEmailVerification(
            RequestEmailVerificationRequest(email=address, password=PASSWORD), metadata=account.metadata
        ),
    }

    for field, call in calls.items():
        assert violated_fields(await refusal(call)) == {"email" if field == "new" else field}


async def test_a_name_does_not_get_into_a_mail(desk, mailbox):
    """Nobody can have us send words of theirs to strangers."""
    who = newcomer(username=f"buy-now-{uuid4().hex[:8]}")
    await desk.make(who)

    assert who.username not in (await mailbox.letter(who.email)).as_string()


async def test_a_confirmed_address_is_not_asked_to_be_confirmed_again(desk, rows, sent, let_pass):
    """And one that is not confirmed gets another link when a minute has passed."""
    account = await desk.sign_up()
    again = RequestEmailVerificationRequest()

    await desk.users.RequestEmailVerification(again, metadata=account.metadata)
    assert await sent(account.email) == 1
    await let_pass(account.email, MINUTE)
    await desk.users.RequestEmailVerification(again, metadata=account.metadata)
    assert await sent(account.email) == 2
    await let_pass(account.email, MINUTE)
    await rows("UPDATE users SET is_verified = true WHERE id = :id", id=account.id)
    await desk.users.RequestEmailVerification(again, metadata=account.metadata)
    assert await sent(account.email) == 2


async def test_the_owner_is_told_of_a_new_password(desk, mailbox):
    """With a way back in, in case it was somebody else."""
    account = await desk.sign_up()

    change = ChangePasswordRequest(name="users/me", password=PASSWORD, new_password="a better password")
    await desk.users.ChangePassword(change, metadata=account.metadata)

    letter = await mailbox.letter(account.email, lambda letter: subject(letter) == "Your password was changed")
    assert "http://player.test/forgot-password" in text(letter)
    assert "token=" not in text(letter)
