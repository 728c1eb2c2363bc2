"""Which access tokens pass the edge, on every protocol."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import grpc
import jwt
import pytest
from google.rpc import status_pb2

from tests.edge.conftest import USER
from tests.support.echo_services import EchoServices, Signer, method_descriptors
from tests.support.edge import RunningEdge, contract, running
from tests.support.engines import Engines

NEEDS_TOKEN = ("GET", "/v1/users/me", "/spotilike.user.v1.UserService/GetUser")
NEEDS_NONE = ("GET", "/v1/tracks", "/spotilike.catalog.v1.TrackService/ListTracks")

YEAR_9999 = 253_402_300_000


def part(content: object) -> str:
    """Write one part of a token by hand."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def by_hand(services: EchoServices, algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    """Make a token which a decent library would refuse to make."""
    now = int(time.time())
    claims = {"iss": services.access.issuer, "aud": services.access.audience, "sub": USER, "iat": now, "exp": now + 600}
    signed = f"{part({'alg': algorithm, 'kid': services.access.kid, 'typ': 'at+jwt'})}.{part(claims)}"
    return f"{signed}.{base64.urlsafe_b64encode(sign(signed.encode())).decode().rstrip('=')}"


def public_bytes(services: EchoServices) -> bytes:
    """Return the public key as an attacker has it, who hopes that it is taken for a shared secret."""
    return services.access.jwks().keys[0].x.encode()


def stranger(services: EchoServices) -> Signer:
    """Return somebody with a key of their own under the right name."""
    return Signer(services.access.issuer, services.access.audience, "at+jwt", kid=services.access.kid)


BAD: dict[str, Callable[[EchoServices], str]] = {
    "expired": lambda services: services.access.token(sub=USER, exp=int(time.time()) - 30),
    "without end": lambda services: services.access.token(sub=USER, exp=None),
    "end in 9999": lambda services: services.access.token(sub=USER, exp=YEAR_9999),
    "an hour long": lambda services: services.access.token(sub=USER, exp=int(time.time()) + 3600),
    "not valid yet": lambda services: services.access.token(sub=USER, nbf=int(time.time()) + 60),
    "another audience": lambda services: services.access.token(sub=USER, aud="spotilike-media"),
    "no audience": lambda services: services.access.token(sub=USER, aud=None),
    "another issuer": lambda services: services.access.token(sub=USER, iss="https://spotilike.dev/streaming"),
    "no issuer": lambda services: services.access.token(sub=USER, iss=None),
    "media token": lambda services: services.media.token(pfx="audio/tracks/a/b/"),
    "another key": lambda services: stranger(services).token(sub=USER),
    "unknown kid": lambda services: services.access.token(sub=USER, header={"kid": "other"}),
    "alg none": lambda services: by_hand(services, "none", lambda _: b""),
    "alg none, signed": lambda services: by_hand(services, "none", services.access.key.sign),
    "HS256 by the public key": lambda services: by_hand(
        services, "HS256", lambda text: hmac.digest(public_bytes(services), text, hashlib.sha256)
    ),
    "RS256 in name": lambda services: by_hand(services, "RS256", services.access.key.sign),
    "no signature": lambda services: services.access.token(sub=USER).rpartition(".")[0] + ".",
    "signature cut": lambda services: services.access.token(sub=USER)[:-4],
    "two parts": lambda services: services.access.token(sub=USER).rpartition(".")[0],
    "four parts": lambda services: services.access.token(sub=USER) + ".e30",
    "claims changed": lambda services: ".".join(
        [part({"sub": "admin"}) if place == 1 else text for place, text in enumerate(good(services).split("."))]
    ),
    "claims are no object": lambda services: ".".join(
        [part("text") if place == 1 else text for place, text in enumerate(good(services).split("."))]
    ),
    "refresh token": lambda _: "rt_" + base64.urlsafe_b64encode(bytes(32)).decode(),
    "a word": lambda _: "token",
    "huge": lambda services: services.access.token(sub=USER)[:-2] + "A" * 9000,
}


def good(services: EchoServices) -> str:
    """Sign a token which passes."""
    return services.access.token(sub=USER)


bad_tokens = pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
both_kinds = pytest.mark.parametrize("rpc", [NEEDS_TOKEN, NEEDS_NONE], ids=["needs a token", "needs none"])


@bad_tokens
@both_kinds
async def test_a_bad_token_is_refused_in_every_protocol(edge: RunningEdge, echo: EchoServices, make, rpc):
    """Also where no token is needed: whoever sends one means it."""
    method, path, grpc_path = rpc
    mark = uuid4().hex
    headers = {"authorization": f"Bearer {make(echo)}", "x-mark": mark}
    answer = await edge.ask(method, path, headers=headers)
    assert (answer.status, answer.reason) == (401, "TOKEN_INVALID")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.grpc(grpc_path, headers)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    _, trailers = await edge.grpc_web(grpc_path, status_pb2.Status(), headers)
    assert trailers["grpc-status"] == "16"
    assert echo.seen(mark) == []


async def test_a_good_token_passes_with_what_it_says(edge: RunningEdge, echo: EchoServices):
    """Services get the token as it is and verify it again."""
    mark = uuid4().hex
    token = good(echo)
    assert (
        await edge.ask("GET", "/v1/users/me", headers={"authorization": f"Bearer {token}", "x-mark": mark})
    ).status == 200
    [call] = echo.seen(mark)
    assert call.metadata["authorization"] == f"Bearer {token}"
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == USER


async def test_a_few_seconds_between_two_clocks_do_not_matter(edge: RunningEdge, echo: EchoServices):
    """Five seconds are forgiven."""
    headers = {"authorization": f"Bearer {echo.access.token(sub=USER, exp=int(time.time()) - 2)}"}
    assert (await edge.ask("GET", "/v1/users/me", headers=headers)).status == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/users/me", {}),
        ("/v1/users/me", {"authorization": ""}),
        ("/v1/users/me", {"authorization": "Basic dXNlcjpwYXNz"}),
        ("/v1/users/me", {"cookie": "access_token={token}; spotilike_at={token}"}),
        ("/v1/users/me", {"x-media-token": "{token}"}),
        ("/v1/users/me", {"proxy-authorization": "Bearer {token}"}),
    ],
)
async def test_a_token_counts_in_the_authorization_header_only(edge: RunningEdge, echo: EchoServices, path, headers):
    """Cookies would be sent by other people's pages."""
    token = good(echo)
    sent = {name: value.replace("{token}", token) for name, value in headers.items()}
    answer = await edge.ask("GET", path, headers=sent)
    assert (answer.status, answer.reason) == (401, "TOKEN_MISSING")


async def test_a_token_in_the_query_is_refused(edge: RunningEdge, echo: EchoServices):
    """Queries end up in logs and histories."""
    answer = await edge.ask("GET", f"/v1/users/me?access_token={good(echo)}")
    assert answer.status in (400, 401)


@pytest.fixture
async def rotating(engines: Engines, tmp_path: Path) -> AsyncIterator[tuple[RunningEdge, EchoServices]]:
    """Return an edge and services of their own, so that keys may change."""
    services = EchoServices()
    await services.start(engines.tls_dir, method_descriptors(contract()))
    async with running(engines, services, tmp_path / "edge") as edge:
        yield edge, services
    await services.stop()


async def test_a_new_key_is_known_soon_and_nobody_is_refused_meanwhile(rotating):
    """A key is published beside the old one first; Envoy asks every ten seconds."""
    edge, services = rotating
    old = good(services)
    added = Signer(services.access.issuer, services.access.audience, "at+jwt", kid="key-2")
    services.access.others.append(added)
    async with asyncio.timeout(20):
        while True:
            assert (await edge.ask("GET", "/v1/users/me", headers={"authorization": f"Bearer {old}"})).status == 200
            token = added.token(sub=USER)
            if (await edge.ask("GET", "/v1/users/me", headers={"authorization": f"Bearer {token}"})).status == 200:
                break
            await asyncio.sleep(0.1)


async def test_tokens_are_verified_while_the_user_service_is_away(rotating):
    """The keys that Envoy has stay good; another service goes on."""
    edge, services = rotating
    await services.stop_one("user")
    token = good(services)
    async with asyncio.timeout(20):
        while (await edge.ask("GET", "/healthz")).status == 200:
            await asyncio.sleep(0.1)
    headers = {"authorization": f"Bearer {token}"}
    assert (await edge.ask("GET", "/v1/users/me/artists", headers=headers)).status == 200
    answer = await edge.ask("GET", "/v1/users/me", headers=headers)
    assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    bad = {"authorization": f"Bearer {stranger(services).token(sub=USER)}"}
    assert (await edge.ask("GET", "/v1/users/me/artists", headers=bad)).status == 401
