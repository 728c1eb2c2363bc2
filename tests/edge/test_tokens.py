"""Which access tokens pass the edge, on every protocol."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest
from google.rpc import status_pb2

from tests.edge.conftest import USER
from tests.support.bad_tokens import BAD, ONLY_IN_HTTP, Mint
from tests.support.echo_services import EchoServices, Signer, method_descriptors
from tests.support.edge import RunningEdge, contract, running
from tests.support.engines import Engines

NEEDS_TOKEN = ("GET", "/v1/users/me", "/spotilike.user.v1.UserService/GetUser")
NEEDS_NONE = ("GET", "/v1/tracks", "/spotilike.catalog.v1.TrackService/ListTracks")

KEYS_KEPT_SECONDS = 15

both_kinds = pytest.mark.parametrize("rpc", [NEEDS_TOKEN, NEEDS_NONE], ids=["needs a token", "needs none"])


def good(services: EchoServices) -> str:
    """Sign a token which passes."""
    return services.access.token(sub=USER)


def stranger(services: EchoServices) -> Signer:
    """Return somebody with a key of their own under the right name."""
    return Signer(services.access.issuer, services.access.audience, "at+jwt", kid=services.access.kid)


def sent(services: EchoServices, name: str, mark: str) -> dict[str, Any]:
    """Write the headers that carry a bad token."""
    mint = Mint(services.access, services.media, retired=replace(stranger(services), kid="retired"))
    value = f"Bearer {BAD[name].make(mint)}"
    return {"authorization": value.encode() if name in ONLY_IN_HTTP else value, "x-mark": mark}


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if bad.seen_at_edge])
@both_kinds
async def test_a_bad_token_is_refused_in_every_protocol(edge: RunningEdge, echo: EchoServices, name: str, rpc):
    """Also where no token is needed: whoever sends one means it. No service hears of it."""
    method, path, grpc_path = rpc
    mark = uuid4().hex
    headers = sent(echo, name, mark)
    answer = await edge.ask(method, path, headers=headers)
    assert (answer.status, answer.reason) == (401, "TOKEN_INVALID")
    _, trailers = await edge.grpc_web(grpc_path, status_pb2.Status(), headers)
    assert trailers["grpc-status"] == "16"
    if name not in ONLY_IN_HTTP:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.grpc(grpc_path, headers)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert echo.seen(mark) == []


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if not bad.seen_at_edge])
async def test_what_the_edge_does_not_look_at_is_left_to_the_services(edge: RunningEdge, echo: EchoServices, name: str):
    """It forwards the token as it came; that the services refuse it is shown where they are real."""
    mark = uuid4().hex
    headers = sent(echo, name, mark)
    assert (await edge.ask("GET", "/v1/users/me", headers=headers)).status == 200
    [call] = echo.seen(mark)
    assert call.metadata["authorization"] == headers["authorization"]


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


async def audio_refused(edge: RunningEdge, token: str) -> str:
    """Ask for audio that is not there; answer why it is refused."""
    answer = await edge.ask("GET", "/media/audio/tracks/a/b/x", headers={"x-media-token": token})
    return answer.reason


async def test_a_media_token_of_a_withdrawn_key_opens_nothing_soon(rotating):
    """The edge alone verifies it, so it remembers no verdict: when it reads the keys again, the token is done."""
    edge, services = rotating
    token = services.media.token(pfx="audio/tracks/a/b/")
    assert await audio_refused(edge, token) == "MEDIA_NOT_FOUND"

    services.media = Signer(services.media.issuer, services.media.audience, "media+jwt", kid="key-2")
    withdrawn_at = time.monotonic()
    async with asyncio.timeout(2 * KEYS_KEPT_SECONDS):
        while await audio_refused(edge, token) == "MEDIA_NOT_FOUND":  # all the time, as a player does
            await asyncio.sleep(0.1)

    assert await audio_refused(edge, token) == "MEDIA_TOKEN_INVALID"
    assert time.monotonic() - withdrawn_at < KEYS_KEPT_SECONDS + 1
    assert await audio_refused(edge, services.media.token(pfx="audio/tracks/a/b/")) == "MEDIA_NOT_FOUND"


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
