"""Whether an address has an account cannot be told by how long an answer takes.

Hashes are cheap here, so that a difference is a larger part of the whole than it is in service. A comparison fails when
a fresh sample, three times as large, fails as well: of a hundred honest comparisons one has p < 0.01. On a busy machine
medians differ by more than five per cent even when the kinds are drawn by lot; the two kinds may differ by as much.
"""

import asyncio
from uuid import uuid4

import pytest

from spotilike.user.v1.user_service_pb2 import RequestPasswordResetRequest
from tests.support.figures import show
from tests.support.services import PASSWORD
from tests.support.timing import compare
from tests.user.desk import Desk, at, newcomer, refused

TRIES = 300
LIKELY = 0.01
CLOSE = 0.05
CHEAP = {"password_memory_kib": 4096, "password_passes": 1}


@pytest.fixture
async def quick(another):
    """Return a service with cheap hashes."""
    return Desk(await another(**CHEAP))


@pytest.fixture
def crowd(quick, rows):
    """Return a function that makes as many accounts as there are tries, so that no try meets a pause of another one."""

    async def make(tries):
        account = await quick.sign_up()
        mark = uuid4().hex[:8]
        made = await rows(
            "INSERT INTO users (email, username, password_hash)"
            " SELECT n || '-' || CAST(:mark AS text) || '@example.org', CAST(:mark AS text) || '-' || n, password_hash"
            " FROM users, generate_series(1, :tries) n WHERE users.id = :id RETURNING email",
            mark=mark,
            tries=tries,
            id=account.id,
        )
        return [row.email for row in made]

    return make


def strangers(tries=TRIES):
    """Return as many addresses without an account."""
    return [newcomer().email for _ in range(tries)]


async def assert_alike(what, calls_of):
    """Compare two kinds of calls; if they differ, compare fresh ones once more."""
    for tries in (TRIES, 3 * TRIES):
        seen = await compare(*await calls_of(tries))
        show(what, seen)
        if abs(seen.difference) < max(CLOSE, seen.noise) and seen.p > LIKELY:
            return
    raise AssertionError(f"{what}: {seen}")


async def test_a_wrong_password_takes_as_long_as_an_unknown_address(quick, crowd):
    """Both are counted, both are hashed."""

    async def calls(tries):
        kinds = (await crowd(tries), strangers(tries))
        return [[_sign_in(quick, email) for email in emails] for emails in kinds]

    await assert_alike("sign-in with a wrong password, and with an unknown address", calls)


async def test_a_forgotten_password_takes_as_long_for_an_unknown_address(quick, crowd):
    """Who has the address is looked up only after the answer."""

    async def calls(tries):
        kinds = (await crowd(tries), strangers(tries))
        return [[_reset(quick, email) for email in emails] for emails in kinds]

    await assert_alike("reset for a known, and for an unknown address", calls)


async def test_in_the_strict_mode_sign_up_takes_as_long_for_a_known_address(another, crowd):
    """And answers the same."""
    strict = Desk(await another(**CHEAP, sign_up="strict"))

    async def calls(tries):
        kinds = (await crowd(tries), strangers(tries))
        return [[_sign_up(strict, email) for email in emails] for emails in kinds]

    await assert_alike("strict sign-up with a known, and with a new address", calls)


async def test_the_comparison_sees_a_difference_of_a_few_per_cent(quick):
    """The same calls, of which one kind takes a little longer."""
    emails = strangers(), strangers()
    first = await compare(*([_sign_in(quick, email) for email in kind] for kind in emails))
    extra = 0.1 * sorted(first.others)[TRIES // 2]

    def slower(call):
        async def wait_as_well():
            await call()
            await asyncio.sleep(extra)

        return wait_as_well

    calls = [[_sign_in(quick, email) for email in strangers()] for _ in range(2)]
    seen = await compare(calls[0], list(map(slower, calls[1])))

    show("a planted difference", seen)
    assert seen.p < LIKELY or abs(seen.difference) > CLOSE


def _sign_in(desk, email):
    async def call():
        assert await refused(desk.sign_in(email, "not the password", at("203.0.113.9"))) == "CREDENTIALS_INVALID"

    return call


def _reset(desk, email):
    return lambda: desk.users.RequestPasswordReset(RequestPasswordResetRequest(email=email))


def _sign_up(desk, email):
    return lambda: desk.make(newcomer(email=email, password=PASSWORD))
