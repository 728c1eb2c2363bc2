"""Stand-ins for the four services: real gRPC servers over mTLS that note what arrives and answer empty messages.

They let the edge's tests see what a service would see. Keys and tokens are real; a client may send the header
`x-answer` to be refused (`refuse`, `exhausted`), given cookies (`cookies`, `cookies and refuse`), kept waiting
(`wait`), answered after a second (`slow`), turned away twice (`unavailable`) or met with an error that nobody explains
(`crash`).
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from envoy.contract import Contract
from services.common import errors, status
from services.common.server import OPTIONS
from spotilike.auth.v1.jwks_pb2 import Jwk, Jwks

CONTEXTS = ("user", "catalog", "processing", "streaming")
COOKIES = ("spotilike_rt=a.b-c; Path=/v1/sessions; HttpOnly; Secure; SameSite=Strict", "second=2; Max-Age=0")
SECRET = "postgresql://catalog_app:hunter2@10.0.0.1/catalog_db"


@dataclass
class Signer:
    """A key of a service that signs tokens."""

    issuer: str
    audience: str
    token_type: str
    kid: str = "key-1"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    others: list["Signer"] = field(default_factory=list)
    """Keys that are published beside this one."""

    def token(self, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Sign a good token for 10 minutes; `claims` and `header` change it, None removes a claim."""
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": self.audience, "iat": now, "exp": now + 600}
        payload = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(
            payload, self.key, algorithm="EdDSA", headers={"kid": self.kid, "typ": self.token_type, **(header or {})}
        )

    def jwks(self) -> Jwks:
        """Publish the keys."""
        return Jwks(keys=[signer.jwk() for signer in (self, *self.others)])

    def jwk(self) -> Jwk:
        """Write the public half of this key."""
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        return Jwk(kty="OKP", crv="Ed25519", x=x, kid=self.kid, use="sig", alg="EdDSA")


@dataclass(frozen=True)
class Call:
    """What a service saw."""

    method: str
    request: Any
    metadata: dict[str, str]
    pairs: list[tuple[str, str]]
    """The metadata as they came, also what came twice."""
    remaining: float | None
    """Seconds until the call's deadline."""


class EchoServices:
    """The servers of all contexts in this process."""

    def __init__(self) -> None:
        self.access = Signer("https://spotilike.dev/user", "spotilike", "at+jwt")
        self.media = Signer("https://spotilike.dev/streaming", "spotilike-media", "media+jwt")
        self.calls: list[Call] = []
        self.ports: dict[str, int] = {}
        self._servers: dict[str, grpc.aio.Server] = {}

    async def start(self, tls_dir: Callable[[str], Path], methods: Sequence[MethodDescriptor]) -> None:
        """Serve `methods`, each at its context; `tls_dir` finds the certificates of a context."""
        for context in CONTEXTS:
            server = grpc.aio.server(options=OPTIONS)
            mine = [method for method in methods if method.full_name.startswith(f"spotilike.{context}.")]
            for method in mine:
                server.add_generic_rpc_handlers([self._handler(method)])
            health = HealthServicer()
            await health.set("", health_pb2.HealthCheckResponse.SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(health, server)
            self.ports[context] = server.add_secure_port("127.0.0.1:0", _credentials(tls_dir(context)))
            await server.start()
            self._servers[context] = server

    async def stop(self) -> None:
        """End every server."""
        await asyncio.gather(*(self.stop_one(context) for context in list(self._servers)))

    async def stop_one(self, context: str) -> None:
        """End the server of a context."""
        await self._servers.pop(context).stop(None)

    def seen(self, mark: str) -> list[Call]:
        """Find the calls that carried the header `x-mark: mark`."""
        return [call for call in self.calls if call.metadata.get("x-mark") == mark]

    def _handler(self, method: MethodDescriptor) -> Any:
        request_class = message_factory.GetMessageClass(method.input_type)
        answer_class = message_factory.GetMessageClass(method.output_type)

        async def answer(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                request = request_class.FromString(data)
            except DecodeError:
                await _refuse(context, errors.InvalidArgument("REQUEST_MALFORMED", "This is no message."))
            pairs = [(key, value) for key, value in context.invocation_metadata() or () if isinstance(value, str)]
            self.calls.append(Call(method.full_name, request, dict(pairs), pairs, context.time_remaining()))
            await self._misbehave(dict(pairs), context)
            if method.name == "GetJwks":
                return self.access.jwks()
            if method.name == "GetMediaJwks":
                return self.media.jwks()
            return answer_class()

        async def stream(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            yield await answer(request, context)
            seconds = dict(context.invocation_metadata() or ()).get("x-goes-on")
            if seconds:
                await asyncio.sleep(float(seconds))
                yield answer_class()
                await asyncio.sleep(60)

        serialize = answer_class.SerializeToString
        handler = (
            grpc.unary_stream_rpc_method_handler(stream, response_serializer=serialize)
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler(answer, response_serializer=serialize)
        )
        return grpc.method_handlers_generic_handler(method.containing_service.full_name, {method.name: handler})

    async def _misbehave(self, metadata: Mapping[str, str], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        wish = metadata.get("x-answer", "")
        if "cookies" in wish:
            await context.send_initial_metadata(tuple(("set-cookie", cookie) for cookie in COOKIES))
        if "refuse" in wish:
            await _refuse(context, errors.NotFound("TRACK_NOT_FOUND", "no such track — ничего"))
        match wish:
            case "exhausted":
                await _refuse(context, errors.ResourceExhausted("OVERLOADED", "too much", retry_seconds=7))
            case "slow":
                await asyncio.sleep(1)
            case "wait":
                await asyncio.sleep(60)
            case "crash":
                raise RuntimeError(SECRET)
            case "unavailable" if len(self.seen(metadata["x-mark"])) < 3:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")


async def _refuse(context: grpc.aio.ServicerContext[Any, Any], refusal: errors.Refusal) -> None:
    details = status.details(refusal)
    trailers = [("grpc-status-details-bin", details.SerializeToString())]
    if refusal.retry_seconds:
        trailers.append(("retry-after", str(refusal.retry_seconds)))
    await context.abort(status.code(refusal), details.message, trailing_metadata=tuple(trailers))


def _credentials(folder: Path) -> grpc.ServerCredentials:
    pair = ((folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes())
    return grpc.ssl_server_credentials([pair], (folder / "ca.crt").read_bytes(), require_client_auth=True)


def method_descriptors(contract: Contract) -> list[MethodDescriptor]:
    """Find the public RPCs in a pool of their own."""
    pool = descriptor_pool.DescriptorPool()
    for file in FileDescriptorSet.FromString(contract.descriptors).file:
        pool.Add(file)
    return [pool.FindMethodByName(method.path.lstrip("/").replace("/", ".")) for method in contract.methods]
