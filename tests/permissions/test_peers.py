"""Services talk to services, and the edge alone speaks for clients."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from cli.engines.certificates import CertificateAuthority
from tests.permissions.callers import CALLERS
from tests.permissions.world import World
from tests.support.channels import channel
from tests.support.edge import RunningEdge
from tests.support.engines import Engines
from tests.support.rpcs import INTERNAL, PROTOCOLS, PUBLIC, Outcome, Rpc, directly
from tests.support.services import RunningService, bearer

SERVICES = ("user", "catalog", "processing", "streaming")
EVERY_PEER = (*SERVICES, "edge", "cli")
NOT_ALLOWED = Outcome("PERMISSION_DENIED", "PEER_NOT_ALLOWED")
LISTENERS = {"public": PUBLIC, "internal": INTERNAL}

every_context = pytest.mark.parametrize("context", SERVICES)
every_listener = pytest.mark.parametrize(
    ("context", "listener"),
    sorted({(rpc.context, listener) for listener, rpcs in LISTENERS.items() for rpc in rpcs}),
)
every_internal_rpc = pytest.mark.parametrize("rpc", INTERNAL, ids=str)


async def fields_of(rpc: Rpc, world: World) -> Mapping[str, str]:
    """Fill in what an internal RPC asks for: the owner, the artist and a track that can be heard."""
    track = await world.shared("track", world.track)
    known = {
        "user": str(world.owner.id),
        "id": str(world.owner.id),
        "artist": _id(world.artist),
        "track": _id(track),
        "permission": "UPLOAD",
    }
    return {field.name: known[field.name] for field in rpc.method.input_type.fields if field.name in known}


def _id(name: str) -> str:
    return str(UUID(name.split("/")[1]))


@every_internal_rpc
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_edge_does_not_know_an_internal_rpc(front: RunningEdge, world: World, rpc: Rpc, protocol: str):
    """Whoever asks, also with a token that is good for everything else."""
    request = rpc.request(**await fields_of(rpc, world))
    outcomes: dict[str, tuple[int | str, str | None]] = {}
    for caller in CALLERS:
        token = await world.token_of(caller)
        headers = dict(bearer(token)) if token else {}
        if protocol == "JSON":
            answer = await front.ask("POST", rpc.path, headers=headers, json={})
            outcomes[caller.name] = (answer.status, answer.reason)
        else:
            outcome = await PROTOCOLS[protocol](front, rpc, request, headers)
            outcomes[caller.name] = (outcome.code, outcome.reason)
    unknown = (404 if protocol == "JSON" else "UNIMPLEMENTED", "PATH_UNKNOWN")
    assert outcomes == dict.fromkeys((caller.name for caller in CALLERS), unknown)


@every_internal_rpc
@pytest.mark.parametrize("peer", EVERY_PEER)
async def test_an_internal_rpc_is_served_to_the_peers_that_may_call_it(
    engines: Engines, world: World, rpc: Rpc, peer: str
):
    """Known by their certificates."""
    service = world.services[rpc.context]
    request = rpc.request(**await fields_of(rpc, world))

    async with channel(service.internal_address, engines.tls_dir(peer)) as caller:
        outcome = await directly(caller, rpc, request, {})

    if peer in rpc.permission.peers:
        # A key may have been published too lately to sign; whoever learns that was served.
        assert outcome in (Outcome("OK"), Outcome("FAILED_PRECONDITION", "KEY_TOO_YOUNG"))
    else:
        assert outcome == NOT_ALLOWED


def test_every_internal_rpc_names_its_peers():
    """Nobody is served because nobody was named."""
    assert {str(rpc) for rpc in INTERNAL if not rpc.permission.peers} == set()
    assert {peer for rpc in INTERNAL for peer in rpc.permission.peers} <= set(EVERY_PEER) - {"edge"}


@every_internal_rpc
async def test_an_access_token_opens_no_internal_rpc(engines: Engines, world: World, rpc: Rpc):
    """Nor does the public listener serve one to the edge."""
    service = world.services[rpc.context]
    request = rpc.request(**await fields_of(rpc, world))
    headers = dict(bearer(world.owner.credentials.access_token))

    async with channel(service.internal_address, engines.tls_dir("edge")) as caller:
        assert await directly(caller, rpc, request, headers) == NOT_ALLOWED
    async with channel(service.public_address, engines.tls_dir("edge")) as caller:
        assert (await directly(caller, rpc, request, headers)).code == "UNIMPLEMENTED"


@every_context
async def test_the_public_listener_serves_the_edge_alone(engines: Engines, world: World, context: str):
    """Every RPC of the context, to every certificate of the mesh."""
    service = world.services[context]
    served = {}
    for peer in EVERY_PEER:
        async with channel(service.public_address, engines.tls_dir(peer)) as caller:
            outcomes = [await directly(caller, rpc, rpc.request(), {}) for rpc in PUBLIC if rpc.context == context]
        served[peer] = [outcome for outcome in outcomes if outcome != NOT_ALLOWED]
        assert peer == "edge" or served[peer] == []
    assert len(served["edge"]) == sum(rpc.context == context for rpc in PUBLIC)


@pytest.fixture
def odd_identities(engines: Engines, tmp_path: Path) -> dict[str, Path]:
    """Return certificates that are nobody's here, by what is wrong with them."""
    shutil.copytree(engines.tls_dir("ca"), tmp_path / "ours" / "ca")
    ours, theirs = CertificateAuthority(tmp_path / "ours"), CertificateAuthority(tmp_path / "theirs")
    forged = theirs.service("catalog")
    # What it trusts is ours, so that it is the service that refuses.
    (forged / "ca.crt").write_bytes(ours.certificate_file.read_bytes())
    return {
        "another name": ours.service("catalog2"),
        "a name below": ours.service("catalog/edge"),
        "no name of ours": ours.public("127.0.0.1"),
        "another authority": forged,
    }


@every_listener
async def test_a_certificate_that_is_nobodys_opens_nothing(
    odd_identities: dict[str, Path], world: World, context: str, listener: str
):
    """An authority vouches for a name; the name decides."""
    for oddity, folder in odd_identities.items():
        async with channel(address(world.services[context], listener), folder) as caller:
            outcomes = {(await directly(caller, rpc, rpc.request(), {})).code for rpc in served(context, listener)}
        assert outcomes == {"UNAVAILABLE" if oddity == "another authority" else "PERMISSION_DENIED"}, oddity


@every_listener
async def test_whoever_shows_no_certificate_is_not_heard(engines: Engines, world: World, context: str, listener: str):
    """Neither without TLS, nor with TLS that names the server alone."""
    target = address(world.services[context], listener)
    trust = (engines.tls_dir("edge") / "ca.crt").read_bytes()
    anonymous = grpc.ssl_channel_credentials(root_certificates=trust)
    for caller in (grpc.aio.insecure_channel(target), grpc.aio.secure_channel(target, anonymous)):
        async with caller:
            outcomes = {(await directly(caller, rpc, rpc.request(), {})).code for rpc in served(context, listener)}
        assert outcomes == {"UNAVAILABLE"}


def address(service: RunningService, listener: str) -> str:
    """Find a listener of a service."""
    return service.public_address if listener == "public" else service.internal_address


def served(context: str, listener: str) -> list[Rpc]:
    """List what a listener of a context serves."""
    return [rpc for rpc in LISTENERS[listener] if rpc.context == context]
