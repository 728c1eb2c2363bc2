"""Bad tokens are refused by every service that is called directly, and behind the edge on every protocol."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from services.common import auth
from services.streaming import media
from spotilike.auth.v1.permission_pb2 import Permission
from tests.permissions.conftest import Mesh
from tests.support.bad_tokens import BAD, ELSEWHERE, IN_AUTHORIZATION, ONLY_IN_HTTP, Mint
from tests.support.channels import channel
from tests.support.databases import Databases
from tests.support.echo_services import Signer
from tests.support.edge import RunningEdge
from tests.support.engines import Engines
from tests.support.rows import Rows, rows_of
from tests.support.rpcs import PROTOCOLS, PUBLIC, Outcome, Rpc, directly

REFUSED = Outcome("UNAUTHENTICATED", "TOKEN_INVALID")
MISSING = Outcome("UNAUTHENTICATED", "TOKEN_MISSING")
UNKNOWN = (REFUSED, MISSING)

SENDABLE = [
    (protocol, name) for protocol in PROTOCOLS for name in BAD if protocol != "gRPC" or name not in ONLY_IN_HTTP
]


@dataclass(frozen=True)
class Seal:
    """Opens and closes the keys that services keep in their databases."""

    fernet: Fernet

    async def open(self, rows: Rows, issuer: str, audience: str, token_type: str) -> Signer:
        """Read the key that signs now."""
        [row] = await rows(
            "SELECT kid, sealed_key FROM signing_keys WHERE signs_from IS NOT NULL AND retired_at IS NULL"
        )
        key = load_der_private_key(self.fernet.decrypt(bytes(row.sealed_key)), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return Signer(issuer, audience, token_type, row.kid, key)

    async def retire(self, rows: Rows, signer: Signer) -> None:
        """Keep a key that signs no more."""
        private = signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        await rows(
            "INSERT INTO signing_keys (kid, sealed_key, created_at, signs_from, retired_at)"
            " VALUES (:kid, :sealed, now() - interval '2 days', now() - interval '1 day', now() - interval '1 hour')",
            kid=signer.kid,
            sealed=self.fernet.encrypt(private),
        )


@pytest.fixture(scope="module")
async def mint(mesh: Mesh, databases: Databases, key_secret: str) -> Mint:
    """Return the keys of the real services, as if somebody had stolen them."""
    assert mesh.services
    seal = Seal(Fernet(key_secret))
    async with rows_of(databases, "user") as user_rows, rows_of(databases, "streaming") as streaming_rows:
        access = await seal.open(user_rows, auth.ISSUER, auth.AUDIENCE, auth.TOKEN_TYPE)
        retired = Signer(auth.ISSUER, auth.AUDIENCE, auth.TOKEN_TYPE, kid=f"retired-{uuid4()}")
        await seal.retire(user_rows, retired)
        return Mint(
            access=access,
            media=await seal.open(streaming_rows, media.ISSUER, media.AUDIENCE, media.TOKEN_TYPE),
            retired=retired,
        )


@pytest.fixture(scope="session")
async def direct(engines: Engines, mesh: Mesh) -> AsyncIterator[dict[str, grpc.aio.Channel]]:
    """Return a channel to each service, with the edge's certificate."""
    async with AsyncExitStack() as stack:
        yield {
            context: await stack.enter_async_context(channel(service.public_address, engines.tls_dir("edge")))
            for context, service in mesh.services.items()
        }


def at_the_edge() -> list[Rpc]:
    """Choose for each context one RPC that needs a token and one that needs none, with a path that has no variables."""
    chosen: dict[tuple[str, bool], Rpc] = {}
    for rpc in PUBLIC:
        if "{" not in rpc.http_template:
            chosen.setdefault((rpc.context, rpc.permission.kind == Permission.NONE), rpc)
    return list(chosen.values())


async def test_a_good_token_of_the_mint_passes(front: RunningEdge, direct: dict[str, grpc.aio.Channel], mint: Mint):
    """So what is refused below is refused for its fault alone."""
    headers = {"authorization": f"Bearer {mint.token()}"}
    outcomes = [await directly(direct[rpc.context], rpc, rpc.request(), headers) for rpc in PUBLIC]
    for call in PROTOCOLS.values():
        outcomes += [await call(front, rpc, rpc.request(), headers) for rpc in at_the_edge()]
    assert set(outcomes).isdisjoint(UNKNOWN)
    assert len(at_the_edge()) >= 7


@pytest.mark.parametrize("name", [name for name in BAD if name not in ONLY_IN_HTTP])
async def test_a_bad_token_is_refused_by_every_service_called_directly(
    direct: dict[str, grpc.aio.Channel], mint: Mint, name: str
):
    """By every RPC: whoever comes past the edge comes no further."""
    headers = {"authorization": f"Bearer {BAD[name].make(mint)}"}
    accepted = {}
    for rpc in PUBLIC:
        outcome = await directly(direct[rpc.context], rpc, rpc.request(), headers)
        if outcome != REFUSED:
            accepted[str(rpc)] = str(outcome)
    assert accepted == {}


@pytest.mark.parametrize(("protocol", "name"), SENDABLE)
async def test_a_bad_token_is_refused_behind_the_edge_on_every_protocol(
    front: RunningEdge, mint: Mint, protocol: str, name: str
):
    """Also where no token is needed: whoever sends one means it."""
    value = f"Bearer {BAD[name].make(mint)}"
    headers: Any = {"authorization": value.encode() if name in ONLY_IN_HTTP else value}
    accepted = {}
    for rpc in at_the_edge():
        outcome = await PROTOCOLS[protocol](front, rpc, rpc.request(), headers)
        if outcome != REFUSED:
            accepted[str(rpc)] = str(outcome)
    assert accepted == {}


@pytest.mark.parametrize("place", IN_AUTHORIZATION)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_good_token_that_is_written_wrongly_is_refused_on_every_protocol(
    front: RunningEdge, mint: Mint, place: str, protocol: str
):
    """Also where no token is needed; of two tokens, nobody could say which one counts."""
    headers = IN_AUTHORIZATION[place](mint.token())
    outcomes = {str(rpc): await PROTOCOLS[protocol](front, rpc, rpc.request(), headers) for rpc in at_the_edge()}
    assert {name: outcome for name, outcome in outcomes.items() if outcome not in UNKNOWN} == {}


@pytest.mark.parametrize("place", IN_AUTHORIZATION)
async def test_a_good_token_that_is_written_wrongly_is_refused_by_every_service_called_directly(
    direct: dict[str, grpc.aio.Channel], mint: Mint, place: str
):
    """By every RPC."""
    headers = IN_AUTHORIZATION[place](mint.token())
    outcomes = {str(rpc): await directly(direct[rpc.context], rpc, rpc.request(), headers) for rpc in PUBLIC}
    assert {name: outcome for name, outcome in outcomes.items() if outcome not in UNKNOWN} == {}


@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_token_elsewhere_is_no_token(front: RunningEdge, mint: Mint, place: str, protocol: str):
    """Cookies would be sent by other people's pages; other headers are written by who knows whom."""
    headers = ELSEWHERE[place](mint.token())
    for rpc in at_the_edge():
        outcome = await PROTOCOLS[protocol](front, rpc, rpc.request(), headers)
        assert outcome == await PROTOCOLS[protocol](front, rpc, rpc.request(), {})
        assert (outcome == MISSING) is (rpc.permission.kind != Permission.NONE)


@pytest.mark.parametrize("place", ELSEWHERE)
async def test_no_service_called_directly_looks_for_a_token_elsewhere(
    direct: dict[str, grpc.aio.Channel], mint: Mint, place: str
):
    """By any RPC."""
    headers = [*ELSEWHERE[place](mint.token()), ("authorization-bin", f"Bearer {mint.token()}".encode())]
    needing = [rpc for rpc in PUBLIC if rpc.permission.kind != Permission.NONE]
    assert {await directly(direct[rpc.context], rpc, rpc.request(), headers) for rpc in needing} == {MISSING}


async def test_a_token_in_a_query_is_refused(front: RunningEdge, mint: Mint):
    """Queries end up in logs and histories."""
    for rpc in at_the_edge():
        method, path, arguments = rpc.http(rpc.request())
        for name in ("access_token", "token", "authorization", "jwt"):
            answer = await front.ask(method, f"{path}?{name}={mint.token()}", json=arguments.get("json"))
            assert answer.status in (400, 401), f"{rpc} with {name}"


@pytest.mark.parametrize("scheme", ["bearer", "Bearer"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_scheme_may_be_in_lower_case(front: RunningEdge, mint: Mint, scheme: str, protocol: str):
    """RFC 9110, section 11.1; clients do write it so."""
    headers = {"authorization": f"{scheme} {mint.token()}"}
    outcomes = {await PROTOCOLS[protocol](front, rpc, rpc.request(), headers) for rpc in at_the_edge()}
    assert outcomes.isdisjoint(UNKNOWN)
