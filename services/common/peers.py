"""Calls to other services over mTLS, and the keys that come from one of them."""

import asyncio
import json
import math
import time
from pathlib import Path
from typing import Any

import grpc
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from opentelemetry.trace import SpanKind

from services.common import tracing
from services.common.keys import public_key
from spotilike.user.v1.key_service_pb2 import GetJwksRequest
from spotilike.user.v1.key_service_pb2_grpc import KeyServiceStub

CALL_SECONDS = 2.0
"""How long another service may take to answer."""
REFETCH_SECONDS = 5.0
"""How long a withdrawn key is good at most, beside the time that its own service needs to notice."""
PING_MS = 20_000
"""How often a service asks whether a quiet connection still lives; the other end must allow it (server.PINGS_MS)."""
REPLICAS = {
    # They take turns, and one that says it is about to stop is left out before it refuses anything.
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
    # Services only read from each other, so what one replica did not answer may be asked of the next.
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.1s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
"""How the replicas of another service are called (gRFC A6, A17)."""
UNKNOWN_KID_SECONDS = 5.0
"""How often, at most, an unknown key id makes us ask; a flood of forged tokens must not become a flood of calls."""

log = structlog.get_logger("peers")


def credentials(tls_dir: Path) -> grpc.ChannelCredentials:
    """Read the certificate by which others know this service, and the authority by which it knows them."""
    return grpc.ssl_channel_credentials(
        root_certificates=(tls_dir / "ca.crt").read_bytes(),
        private_key=(tls_dir / "tls.key").read_bytes(),
        certificate_chain=(tls_dir / "tls.crt").read_bytes(),
    )


def channel(target: str, tls_dir: Path) -> grpc.aio.Channel:
    """Open a channel to the internal listeners at `target` with the certificate in `tls_dir`.

    The target is host:port, where a name may stand for several replicas, or several IPv4 addresses between commas.
    """
    first, *others = target.split(",")
    options = [
        ("grpc.service_config", json.dumps(REPLICAS)),
        ("grpc.default_authority", first),
        ("grpc.keepalive_time_ms", PING_MS),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.initial_reconnect_backoff_ms", 100),
    ]
    interceptors: list[Any] = [TracedCalls()] if tracing.is_on() else []
    address = f"ipv4:{target}" if others else target
    return grpc.aio.secure_channel(address, credentials(tls_dir), options=options, interceptors=interceptors)


class TracedCalls(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """Makes calls to other services steps of the running trace."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401 (grpcio's)
        """Send along where the trace is; the step ends with the call."""
        if not tracing.traceparent():
            return await continuation(details, request)
        path = details.method if isinstance(details.method, str) else details.method.decode()
        with tracing.step(path[1:], SpanKind.CLIENT, **tracing.rpc(path)) as span:
            metadata = grpc.aio.Metadata(*(details.metadata or ()), (tracing.HEADER, tracing.traceparent()))
            call = await continuation(details._replace(metadata=metadata), request)
            tracing.answered(span, (await call.code()).name)
            return call


class RemoteKeys:
    """The public keys of access tokens, asked of the user service and kept while it is away."""

    def __init__(self, user: grpc.aio.Channel) -> None:
        """Ask over the channel to the user service."""
        self._stub = KeyServiceStub(user)
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._asked_at = -math.inf
        self._asking = asyncio.Lock()

    async def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """Find a key by its id, asking again for an unknown one."""
        if kid not in self._keys and self._age() > UNKNOWN_KID_SECONDS:
            async with self._asking:
                if self._age() > UNKNOWN_KID_SECONDS:
                    await self._ask()
            if not self._keys:
                raise ConnectionError("the keys of access tokens cannot be had")
        return self._keys.get(kid)

    async def run(self) -> None:
        """Follow the published keys until cancelled, so that a withdrawn one stops being good."""
        while True:
            async with self._asking:
                await self._ask()
            await asyncio.sleep(REFETCH_SECONDS)

    def _age(self) -> float:
        return time.monotonic() - self._asked_at

    async def _ask(self) -> None:
        try:
            jwks = await self._stub.GetJwks(GetJwksRequest(), timeout=CALL_SECONDS, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            log.warning("keys_not_refreshed", code=error.code().name)
        else:
            self._keys = {jwk.kid: public_key(jwk) for jwk in jwks.keys}
        self._asked_at = time.monotonic()
