"""What a service remembers of access tokens, and for how long."""

import asyncio
import gc
import math
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from services.common import auth, peers
from services.common.errors import Unauthenticated
from services.common.peers import RemoteKeys, channel
from tests.support.bad_tokens import BAD, Mint
from tests.support.echo_services import EchoServices, Signer, method_descriptors
from tests.support.edge import contract
from tests.support.engines import Engines

GET_JWKS = "spotilike.user.v1.KeyService.GetJwks"
FLOOD = 2000


@pytest.fixture
async def publisher(engines: Engines) -> AsyncIterator[EchoServices]:
    """Return a stand-in for the user service whose keys a test may change, and which counts who asks for them."""
    services = EchoServices()
    await services.start(engines.tls_dir, method_descriptors(contract()))
    yield services
    await services.stop()


@pytest.fixture
async def keys(engines: Engines, publisher: EchoServices) -> AsyncIterator[RemoteKeys]:
    """Return its keys as another service knows them."""
    async with channel(f"127.0.0.1:{publisher.ports['user']}", engines.tls_dir("catalog")) as user:
        yield RemoteKeys(user)


@pytest.fixture
def mint(publisher: EchoServices) -> Mint:
    """Return what makes tokens."""
    return Mint(publisher.access, publisher.media, retired=new_signer("retired"))


def new_signer(kid: str) -> Signer:
    """Make a key of the user service."""
    return Signer(auth.ISSUER, auth.AUDIENCE, auth.TOKEN_TYPE, kid)


def asked(publisher: EchoServices) -> int:
    """Count how often the keys were asked for."""
    return sum(call.method == GET_JWKS for call in publisher.calls)


async def is_refused(verifier: auth.TokenVerifier, token: str) -> bool:
    """Say whether a token is refused."""
    try:
        await verifier.verify(token)
    except Unauthenticated:
        return True
    return False


async def when_refused(verifier: auth.TokenVerifier, token: str) -> float:
    """Show a token again and again, and answer when it was refused for the first time."""
    async with asyncio.timeout(20):
        while not await is_refused(verifier, token):
            await asyncio.sleep(0.01)
    return time.time()


async def test_a_token_that_is_remembered_is_refused_the_moment_it_ends(keys: RemoteKeys, mint: Mint):
    """After the five seconds that two clocks may differ; it is as good in these whether it is remembered or not."""
    exp = math.ceil(time.time()) + 2 - auth.CLOCK_SKEW_SECONDS
    token = mint.token(exp=exp, iat=exp - 600)
    verifier = auth.TokenVerifier(keys)

    refused_at = await when_refused(verifier, token)

    assert 0 <= refused_at - (exp + auth.CLOCK_SKEW_SECONDS) < 0.5
    assert await is_refused(verifier, token)


async def test_a_token_that_is_remembered_is_refused_when_its_key_is_withdrawn(
    publisher: EchoServices, keys: RemoteKeys, mint: Mint, monkeypatch: pytest.MonkeyPatch
):
    """The tokens of the key beside it go on."""
    monkeypatch.setattr(peers, "REFETCH_SECONDS", 0.05)
    added = new_signer("key-2")
    publisher.access.others.append(added)
    verifier = auth.TokenVerifier(keys)
    old, new = mint.token(), mint.token(header={"kid": added.kid}, by=added)
    assert not await is_refused(verifier, old)
    assert not await is_refused(verifier, new)
    following = asyncio.create_task(keys.run())

    publisher.access = added

    withdrawn_at = time.time()
    assert await when_refused(verifier, old) - withdrawn_at < 1
    assert await is_refused(verifier, old)
    assert not await is_refused(verifier, new)
    following.cancel()


async def test_a_token_that_is_remembered_is_refused_when_its_session_has_ended(keys: RemoteKeys, mint: Mint):
    """Other sessions of the same user go on."""
    ended: set[UUID] = set()
    verifier = auth.TokenVerifier(keys, ended)
    here, there = mint.token(), mint.token(sid=str(uuid4()))
    identity = await verifier.verify(here)
    assert not await is_refused(verifier, there)

    ended.add(identity.session_id)

    assert await is_refused(verifier, here)
    assert not await is_refused(verifier, there)


async def test_a_flood_of_forged_tokens_is_no_flood_of_calls(publisher: EchoServices, keys: RemoteKeys, mint: Mint):
    """Each names another key; the user service is asked once in five seconds, and good tokens are not held up."""
    verifier = auth.TokenVerifier(keys)
    await verifier.verify(mint.token())
    forgers = [new_signer(f"forged-{number}") for number in range(50)]
    forged = [mint.token(header={"kid": f"{number}"}, by=forgers[number % len(forgers)]) for number in range(FLOOD)]
    before, began = asked(publisher), time.monotonic()

    verdicts = await asyncio.gather(*(is_refused(verifier, token) for token in forged))
    await verifier.verify(mint.token())

    seconds = time.monotonic() - began
    assert all(verdicts)
    assert asked(publisher) - before <= 1 + seconds // peers.UNKNOWN_KID_SECONDS


async def test_good_tokens_are_not_held_up_while_a_flood_makes_a_service_ask(
    publisher: EchoServices, keys: RemoteKeys, mint: Mint, monkeypatch: pytest.MonkeyPatch
):
    """Whoever names a known key waits for nobody, not even for a user service that is away."""
    monkeypatch.setattr(peers, "UNKNOWN_KID_SECONDS", 0.0)
    verifier = auth.TokenVerifier(keys)
    await verifier.verify(mint.token())
    await publisher.stop_one("user")
    flood = asyncio.gather(*(is_refused(verifier, mint.token(header={"kid": "other"})) for _ in range(5)))

    async with asyncio.timeout(peers.CALL_SECONDS / 2):
        for _ in range(20):
            await verifier.verify(mint.token(sub=str(uuid4())))

    assert not flood.done()
    flood.cancel()


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    keys: RemoteKeys, mint: Mint, monkeypatch: pytest.MonkeyPatch
):
    """Those that are bad are not remembered at all."""
    room = 50
    monkeypatch.setattr(auth, "CACHED_TOKENS", room)
    verifier = auth.TokenVerifier(keys)
    before = remembered()

    for _ in range(room * 2):
        await verifier.verify(mint.token(sub=str(uuid4())))
    for bad in BAD.values():
        assert await is_refused(verifier, bad.make(mint))

    assert remembered() - before == room


def remembered() -> int:
    """Count the identities that this process holds."""
    gc.collect()
    return sum(isinstance(held, auth.Identity) for held in gc.get_objects())
