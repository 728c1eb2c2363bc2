"""Bad tokens are refused by every service that is called directly, and behind the edge on every protocol."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

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
from services.common.peers import channel
from services.streaming import media
from spotilike.auth.v1.permission_pb2 import Permission
from tests.permissions.conftest import Mesh
from tests.support.bad_tokens import BAD, Mint
from tests.support.databases import Databases
from tests.support.echo_services import Signer
from tests.support.edge import RunningEdge
from tests.support.engines import Engines
from tests.support.rows import Rows, rows_of
from tests.support.rpcs import PROTOCOLS, PUBLIC, Outcome, Rpc, directly

REFUSED = Outcome("UNAUTHENTICATED", "TOKEN_INVALID")

bad_tokens = pytest.mark.parametrize("name", BAD)


@dataclass(frozen=True)
class Seal:
    """Opens and closes the keys that services keep in their databases."""

    fernet: Fernet

    async def open(self, rows: Rows, issuer: str, audience: str, token_type: str) -> Signer:
        """Read the key that signs now."""
        [row] = await rows(
            "SELECT kid, sealed_key FROM signing_keys WHERE retired_at IS NULL ORDER BY created_at DESC LIMIT 1"
        )
        key = load_der_private_key(self.fernet.decrypt(bytes(row.sealed_key)), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return Signer(issuer, audience, token_type, row.kid, key)

    async def retire(self, rows: Rows, signer: Signer) -> None:
        """Keep a key that signs no more."""
        private = signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        await rows(
            "INSERT INTO signing_keys (kid, sealed_key, created_at, retired_at)"
            " VALUES (:kid, :sealed, now() - interval '1 day', now() - interval '1 hour')",
            kid=signer.kid,
            sealed=self.fernet.encrypt(private),
        )


@pytest.fixture(scope="session")
async def mint(mesh: Mesh, databases: Databases, key_secret: str) -> Mint:
    """Return the keys of the real services, as if somebody had stolen them."""
    assert mesh.services
    seal = Seal(Fernet(key_secret))
    async with rows_of(databases, "user") as user_rows, rows_of(databases, "streaming") as streaming_rows:
        access = await seal.open(user_rows, auth.ISSUER, auth.AUDIENCE, auth.TOKEN_TYPE)
        retired = Signer(auth.ISSUER, auth.AUDIENCE, auth.TOKEN_TYPE, kid="retired-long-ago")
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
    assert "UNAUTHENTICATED" not in {outcome.code for outcome in outcomes}
    assert len(at_the_edge()) >= 7


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if not bad.only_in_http])
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


@bad_tokens
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_bad_token_is_refused_behind_the_edge_on_every_protocol(
    front: RunningEdge, mint: Mint, name: str, protocol: str
):
    """Also where no token is needed: whoever sends one means it."""
    bad = BAD[name]
    if bad.only_in_http and protocol == "gRPC":
        pytest.skip("metadata of gRPC cannot carry it")
    value = f"Bearer {bad.make(mint)}"
    headers: Any = {"authorization": value.encode() if bad.only_in_http else value}
    accepted = {}
    for rpc in at_the_edge():
        outcome = await PROTOCOLS[protocol](front, rpc, rpc.request(), headers)
        if outcome != REFUSED:
            accepted[str(rpc)] = str(outcome)
    assert accepted == {}
