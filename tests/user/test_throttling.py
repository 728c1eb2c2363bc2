"""Guessing passwords: slow for whoever guesses, and no way to lock the owner out."""

import asyncio
import math
import random
import time
from collections import Counter
from datetime import timedelta

import pytest

from services.user.domain import FREE_ATTEMPTS, LONGEST_PAUSE, account_subject, sign_up_subject
from services.user.handlers.user_service import FREE_SIGN_UPS
from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    EraseUserRequest,
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
)
from tests.support.figures import show
from tests.support.services import PASSWORD, error_info, retry_seconds
from tests.user.desk import at, newcomer, outcome, refusal, refused

BUSY = {"DEPENDENCY_UNAVAILABLE"}
"""What a call is answered that waited too long for a connection; it was not looked at either."""
LONG_DOUBLINGS = 6
"""After so many further guesses a pause outlasts the test, however busy the machine is."""
HOME, ELSEWHERE = at("198.51.100.7"), at("203.0.113.9")


def forged():
    """Return an address that an attacker made up."""
    return at(f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}")  # noqa: S311


async def guess(desk, email, metadata=ELSEWHERE):
    """Try a wrong password and return the error."""
    return await refusal(desk.sign_in(email, "not the password", metadata))


def most_looked_at(free, began):
    """Return how many attempts are looked at since `began`: the free ones, and one after each pause of 1, 2, 4 … s."""
    return free + 1 + math.log2(time.monotonic() - began + 1)


@pytest.fixture
def let_pass(rows):
    """Return a function that lets the pause of a subject's attempts pass."""

    async def skip(subject):
        passed = "UPDATE attempts SET blocked_until = now() - interval '1 ms' WHERE subject = :subject RETURNING 1"
        assert await rows(passed, subject=subject)

    return skip


@pytest.fixture
def throttle(desk, let_pass):
    """Return a function that guesses until a pause begins that outlasts the test."""

    async def attack(email, metadata=ELSEWHERE, own_network=None):
        for _ in range(FREE_ATTEMPTS + 1):
            await guess(desk, email, metadata)
        for _ in range(LONG_DOUBLINGS):
            await let_pass(account_subject(email, own_network))
            error = await guess(desk, email, metadata)
            assert error_info(error)[0] == "CREDENTIALS_INVALID"
        error = await guess(desk, email, metadata)
        assert error_info(error)[0] == "ATTEMPTS_THROTTLED"
        return error

    return attack


async def test_fifty_wrong_passwords_from_fifty_forged_addresses_throttle_that_account_alone(desk):
    """An address that the attacker chooses does not make a guess free."""
    victim, other = await desk.sign_up(HOME), await desk.sign_up(HOME)

    began = time.monotonic()
    seen = Counter([error_info(await guess(desk, victim.email, forged()))[0] for _ in range(50)])

    assert seen.keys() == {"CREDENTIALS_INVALID", "ATTEMPTS_THROTTLED"}
    assert FREE_ATTEMPTS < seen["CREDENTIALS_INVALID"] <= most_looked_at(FREE_ATTEMPTS, began)
    assert await desk.sign_in(other.email, metadata=ELSEWHERE)
    show("50 guesses from 50 addresses", dict(seen))


async def test_fifty_guesses_at_once_are_no_cheaper_than_one_after_the_other(desk):
    """An attempt is counted before the password is looked at."""
    victim = await desk.sign_up(HOME)

    began = time.monotonic()
    errors = await asyncio.gather(*(guess(desk, victim.email, forged()) for _ in range(50)))

    seen = Counter(error_info(error)[0] for error in errors)
    assert seen.keys() - BUSY == {"CREDENTIALS_INVALID", "ATTEMPTS_THROTTLED"}
    assert 0 < seen["CREDENTIALS_INVALID"] <= most_looked_at(FREE_ATTEMPTS, began)
    show("50 guesses at once", dict(seen))


async def test_spelling_the_address_otherwise_is_no_way_around(desk, throttle):
    """Case does not make another account of it, and what is no address is refused as such."""
    victim = await desk.sign_up(HOME)
    await throttle(victim.email)

    assert await refused(desk.sign_in(victim.email.upper(), metadata=ELSEWHERE)) == "ATTEMPTS_THROTTLED"
    assert await refused(desk.sign_in(f"\u0130{victim.email}", metadata=ELSEWHERE)) == "INVALID_FIELDS"


async def test_the_right_password_is_not_looked_at_during_a_pause_either(desk, throttle):
    """Otherwise a pause would tell the attacker nothing less than an answer."""
    victim = await desk.sign_up(HOME)
    await throttle(victim.email)

    assert await refused(desk.sign_in(victim.email, metadata=ELSEWHERE)) == "ATTEMPTS_THROTTLED"


async def test_the_owner_gets_in_from_where_they_were_before_whatever_strangers_do(desk, throttle):
    """Growing pauses, not a lock that anybody can close."""
    owner = await desk.sign_up(HOME)
    await throttle(owner.email)

    assert await desk.sign_in(owner.email, metadata=HOME)
    assert await refused(desk.sign_in(owner.email, metadata=ELSEWHERE)) == "ATTEMPTS_THROTTLED"


async def test_a_home_network_of_ipv6_is_known_by_its_64_bits(desk, throttle):
    """Devices change the rest daily; the network beside it is somebody else's."""
    owner = await desk.sign_up(at("2001:db8:1:2::7"))
    await throttle(owner.email, at("2001:db8:1:3::7"))

    assert await desk.sign_in(owner.email, metadata=at("2001:db8:1:2:3:4:5:6"))
    assert await refused(desk.sign_in(owner.email, metadata=at("2001:db8:1:4::1"))) == "ATTEMPTS_THROTTLED"


async def test_guesses_from_the_owners_place_are_throttled_apart_from_those_of_strangers(desk, throttle):
    """Who sits beside the owner may not guess freely either, and stops nobody else."""
    owner = await desk.sign_up(HOME)
    await throttle(owner.email, HOME, "198.51.100.7/32")

    assert await refused(desk.sign_in(owner.email, metadata=HOME)) == "ATTEMPTS_THROTTLED"
    assert await desk.sign_in(owner.email, metadata=ELSEWHERE)


async def test_a_failed_attempt_does_not_make_a_place_the_owners(desk, throttle):
    """Only signing in, signing up and a link in a mail do."""
    owner = await desk.sign_up(HOME)
    await throttle(owner.email, at("203.0.113.1"))

    assert await refused(desk.sign_in(owner.email, metadata=at("203.0.113.1"))) == "ATTEMPTS_THROTTLED"


async def test_a_new_password_by_mail_opens_the_way_at_once(desk, mailbox, throttle):
    """Who reads the owner's mail is the owner."""
    owner = await desk.sign_up(HOME)
    await throttle(owner.email)

    await desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=owner.email))
    token = await mailbox.token(owner.email, "reset-password")
    reset = ResetPasswordRequest(token=token, new_password="a better password")
    await desk.users.ResetPassword(reset, metadata=ELSEWHERE)

    assert await desk.sign_in(owner.email, "a better password", ELSEWHERE)


async def test_each_further_guess_doubles_the_pause_up_to_a_quarter_of_an_hour(desk, let_pass):
    """RetryInfo tells how long it is."""
    victim = await desk.sign_up(HOME)
    for _ in range(FREE_ATTEMPTS):
        await guess(desk, victim.email)

    pauses = []
    for _ in range(13):
        assert error_info(await guess(desk, victim.email))[0] == "CREDENTIALS_INVALID"
        pauses.append(retry_seconds(await guess(desk, victim.email)))
        await let_pass(account_subject(victim.email, None))

    wanted = [min(2.0**step, LONGEST_PAUSE.total_seconds()) for step in range(13)]
    assert all(want - 0.9 < pause <= want for pause, want in zip(pauses, wanted, strict=True)), pauses
    show("pauses after wrong passwords, in seconds", pauses)


async def test_attempts_during_a_pause_do_not_make_it_longer(desk, let_pass, throttle):
    """Whoever keeps trying cannot keep the owner out for longer."""
    victim = await desk.sign_up(HOME)
    await throttle(victim.email)
    before = retry_seconds(await guess(desk, victim.email))
    for _ in range(20):
        assert retry_seconds(await guess(desk, victim.email)) < before

    await let_pass(account_subject(victim.email, None))

    assert await desk.sign_in(victim.email, metadata=ELSEWHERE)


async def test_the_right_password_forgets_the_wrong_ones_before_it(desk):
    """Somebody who mistypes now and then is never slowed down."""
    account = await desk.sign_up(HOME)

    for _ in range(3):
        for _ in range(FREE_ATTEMPTS):
            assert error_info(await guess(desk, account.email))[0] == "CREDENTIALS_INVALID"
        assert await desk.sign_in(account.email, metadata=ELSEWHERE)


async def test_wrong_passwords_are_forgotten_after_a_day_without_one(desk, rows, throttle):
    """The next one is the first again."""
    victim = await desk.sign_up(HOME)
    await throttle(victim.email)
    await rows(
        "UPDATE attempts SET last_at = now() - :day, blocked_until = now() - :day WHERE subject = :subject",
        day=timedelta(hours=25),
        subject=account_subject(victim.email, None),
    )

    for _ in range(FREE_ATTEMPTS):
        assert error_info(await guess(desk, victim.email))[0] == "CREDENTIALS_INVALID"


async def test_an_address_without_an_account_is_throttled_like_one_with_an_account(desk, throttle):
    """The pause does not tell either."""
    known, unknown = (await desk.sign_up(HOME)).email, newcomer().email

    errors = [await throttle(email) for email in (known, unknown)]

    assert len({(error.code(), error.details(), error_info(error)[0]) for error in errors}) == 1
    longest = 2.0**LONG_DOUBLINGS
    assert all(longest - 5 < retry_seconds(error) <= longest for error in errors)


@pytest.mark.parametrize("confirm", ["ChangePassword", "EraseUser", "RequestEmailVerification"])
async def test_passwords_that_confirm_a_change_are_throttled_too(desk, let_pass, confirm):
    """A stolen access token is no way to guess the password."""
    account = await desk.sign_up(HOME)
    requests = {
        "ChangePassword": lambda password: ChangePasswordRequest(
            name="users/me", password=password, new_password="a better password"
        ),
        "EraseUser": lambda password: EraseUserRequest(name="users/me", password=password),
        "RequestEmailVerification": lambda password: RequestEmailVerificationRequest(
            email=newcomer().email, password=password
        ),
    }

    async def call(password):
        metadata = (*account.metadata, *ELSEWHERE)
        return await getattr(desk.users, confirm)(requests[confirm](password), metadata=metadata)

    for _ in range(FREE_ATTEMPTS + 1):
        assert await refused(call("not the password")) == "PASSWORD_WRONG"
    for _ in range(LONG_DOUBLINGS):
        await let_pass(account_subject(account.email, None))
        assert await refused(call("not the password")) == "PASSWORD_WRONG"

    assert await refused(call("not the password")) == "ATTEMPTS_THROTTLED"
    assert await refused(call(PASSWORD)) == "ATTEMPTS_THROTTLED"
    assert await refused(desk.sign_in(account.email, metadata=ELSEWHERE)) == "ATTEMPTS_THROTTLED"


async def test_searching_for_accounts_by_signing_up_is_throttled_by_network(desk, let_pass):
    """Whatever the addresses are; elsewhere people sign up as ever."""
    known = await desk.sign_up(HOME)
    searching, subject = at("192.0.2.44"), sign_up_subject("192.0.2.44/32")

    async def search():
        return await refusal(desk.make(newcomer(email=known.email), searching))

    for _ in range(FREE_SIGN_UPS + 1):
        assert error_info(await search())[0] == "EMAIL_TAKEN"
    for _ in range(LONG_DOUBLINGS):
        await let_pass(subject)
        assert error_info(await search())[0] == "EMAIL_TAKEN"
    error = await search()

    assert error_info(error)[0] == "ATTEMPTS_THROTTLED"
    assert 2.0**LONG_DOUBLINGS - 5 < retry_seconds(error) <= 2.0**LONG_DOUBLINGS
    assert await refused(desk.make(newcomer(), searching)) == "ATTEMPTS_THROTTLED"
    assert await desk.make(newcomer(), forged())


async def test_searching_at_once_is_no_cheaper(desk):
    """Every search is counted before the next one from the same network is answered."""
    known = await desk.sign_up(HOME)
    searching = forged()

    began = time.monotonic()
    calls = (outcome(desk.make(newcomer(email=known.email), searching)) for _ in range(60))
    seen = Counter(await asyncio.gather(*calls))

    assert seen.keys() - BUSY == {"EMAIL_TAKEN", "ATTEMPTS_THROTTLED"}
    assert 0 < seen["EMAIL_TAKEN"] <= most_looked_at(FREE_SIGN_UPS, began)


async def test_people_behind_one_address_may_sign_up_as_they_like(desk):
    """Only those who meet accounts of others are counted."""
    school = forged()

    for _ in range(FREE_SIGN_UPS + 5):
        assert await desk.make(newcomer(), school)
