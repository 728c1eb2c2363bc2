"""What happens around every call: peer, deadline, place, token, field rules, decision, errors, one log line."""

from __future__ import annotations  # grpcio's classes are generic in the stubs alone

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from services.common import auth, deadlines, errors, fields, metrics, status, tracing
from services.common.contract import Method

SPIFFE = "spiffe://spotilike.local/"
CLIENT_ADDRESS_HEADER = "x-spotilike-client-address"
ANSWER_MARGIN_SECONDS = 0.05
"""Kept back from the client's deadline, so that the answer still arrives."""
CONFLICT_TRIES = 3

RPC = ("grpc_type", "grpc_service", "grpc_method")
STARTED = metrics.Counter("grpc_server_started_total", "Calls that have arrived.", RPC)
HANDLED = metrics.Counter("grpc_server_handled_total", "Calls that have ended, by their status.", (*RPC, "grpc_code"))
SECONDS = metrics.Histogram("grpc_server_handling_seconds", "How long calls took.", RPC)
IN_FLIGHT = metrics.Gauge("grpc_server_in_flight_calls", "Calls that are running.", RPC[:1])

RpcContext = grpc.aio.ServicerContext[Any, Any]
RpcHandler = Any
"""grpc.RpcMethodHandler; the stubs know those of threads alone."""
Metadata = Sequence[tuple[str, str | bytes]]

log = structlog.get_logger("rpc")


class Limits:
    """How many calls may run at once in a process, and for how long."""

    def __init__(self, calls: int, seconds: float) -> None:
        """Allow `calls` at once, each for `seconds` at most."""
        self._free = calls
        self.seconds = seconds

    def __enter__(self) -> None:
        """Take a place or refuse at once; a queue would only make everybody late."""
        if self._free <= 0:
            raise errors.ResourceExhausted("OVERLOADED", "Too many calls at once. Try again.", retry_seconds=1.0)
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        """Give the place back."""
        self._free += 1


class Context(Protocol):
    """What a handler may know of its call, and say beside its answer."""

    def invocation_metadata(self) -> Any:  # noqa: ANN401 (the stubs of grpcio have two types for it)
        """Answer the headers of the call."""

    def send_initial_metadata(self, initial_metadata: Any) -> Any:  # noqa: ANN401
        """Send headers before the answer or the refusal; an awaitable."""


class _Exchange:
    """A Context that outlives its call; grpcio's own reads freed memory once the client has gone."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self.headers: Metadata = ()

    def invocation_metadata(self) -> Metadata:
        """Answer the headers of the call."""
        return self._metadata

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        """Keep headers until the answer leaves."""
        self.headers = initial_metadata


Work = Callable[[auth.Call, Message, Context], Awaitable[Message | None]]
"""Runs a handler; what a stream answers is sent on the way, and None returned."""


@dataclass(frozen=True)
class _Rpc:
    """One call that has arrived."""

    method: Method
    metadata: Metadata
    parse: Callable[[bytes], Message]
    limits: Limits


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # see above
    """Wraps the RPCs of the contract; health and reflection only have their peer checked."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        verifier: auth.TokenVerifier | None,
        peers: Collection[str],
        limits: Limits,
        stream_limits: Limits,
    ) -> None:
        """Serve `methods` to the mTLS `peers`, unless the contract names others.

        Without a verifier no access token is read.
        """
        self._methods = methods
        self._verifier = verifier
        self._peers = tuple(peers)
        self._limits = limits
        self._stream_limits = stream_limits

    async def intercept_service(  # type: ignore[override]  # None means unknown; the stubs forget it
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[RpcHandler | None]],
        details: grpc.HandlerCallDetails,
    ) -> RpcHandler | None:
        """Put the pipeline around the handler of a call; what cannot be wrapped is unknown."""
        handler = await continuation(details)
        if handler is None:
            return None
        method = self._methods.get(details.method)
        if method is None:
            return self._guarded(handler)
        metadata = tuple(details.invocation_metadata or ())
        limits = self._limits if handler.unary_unary else self._stream_limits
        rpc = _Rpc(method, metadata, handler.request_deserializer, limits)
        if handler.unary_unary:
            return self._unary(rpc, handler)
        return self._stream(rpc, handler) if handler.unary_stream else None

    def _unary(self, rpc: _Rpc, handler: RpcHandler) -> RpcHandler:
        async def work(call: auth.Call, request: Message, exchange: Context) -> Message:
            response = await _retried(handler.unary_unary, request, exchange)
            _demand_decision(call)
            return response

        async def answer(data: bytes, context: RpcContext) -> Message | None:
            await self._admit(context, rpc.method.permission.peers or self._peers)
            exchange = _Exchange(rpc.metadata)
            # A client that hangs up must not tear a transaction apart: the unit of work ends by itself, at the latest
            # at its deadline, and keeps its place until then.
            outcome = await asyncio.shield(self._outcome(rpc, data, exchange, _seconds(rpc, context), work))
            if exchange.headers:
                await context.send_initial_metadata(exchange.headers)
            if isinstance(outcome, errors.Refusal):
                await _refuse(context, outcome)
            return outcome

        return grpc.unary_unary_rpc_method_handler(answer, response_serializer=handler.response_serializer)

    def _stream(self, rpc: _Rpc, handler: RpcHandler) -> RpcHandler:
        async def answer(data: bytes, context: RpcContext) -> None:
            async def work(call: auth.Call, request: Message, exchange: Context) -> None:
                async with _while_valid(call.identity), aclosing(handler.unary_stream(request, exchange)) as messages:
                    async for message in messages:
                        _demand_decision(call)
                        # Meanwhile the session may have ended, or the key may have been withdrawn.
                        await self._identity(_headers(rpc.metadata))
                        await context.write(message)
                _demand_decision(call)

            await self._admit(context, rpc.method.permission.peers or self._peers)
            outcome = await self._outcome(rpc, data, _Exchange(rpc.metadata), _seconds(rpc, context), work)
            if isinstance(outcome, errors.Refusal):
                await _refuse(context, outcome)

        return grpc.unary_stream_rpc_method_handler(answer, response_serializer=handler.response_serializer)

    async def _outcome(
        self, rpc: _Rpc, data: bytes, exchange: Context, seconds: float, work: Work
    ) -> Message | errors.Refusal | None:
        """Run a call to its end, whatever that is, log it and record it."""
        with tracing.serving(rpc.method.path, rpc.metadata) as span:
            started = time.perf_counter()
            code, reason = "CANCELLED", None
            labels = rpc.method.labels
            STARTED.add(*labels)
            IN_FLIGHT.add(1, *labels[:1])
            try:
                with rpc.limits:
                    response = await self._run(rpc, data, exchange, seconds, work)
            except Exception as error:  # noqa: BLE001 (the one place that turns errors into statuses)
                refusal = status.refusal_of(error, rpc.method.path)
                code, reason = status.code(refusal).name, refusal.reason
                return refusal
            else:
                code = "OK"
                return response
            finally:
                seconds_taken = time.perf_counter() - started
                tracing.answered(span, code)
                IN_FLIGHT.add(-1, *labels[:1])
                HANDLED.add(*labels, code)
                SECONDS.observe(seconds_taken, *labels)
                milliseconds = round(seconds_taken * 1000, 2)
                log.info("call", method=rpc.method.path, code=code, reason=reason, ms=milliseconds)

    async def _run(self, rpc: _Rpc, data: bytes, exchange: Context, seconds: float, work: Work) -> Message | None:
        deadlines.begin(seconds)
        async with asyncio.timeout(seconds):
            call = await self._identify(rpc.method, _headers(rpc.metadata))
            request = _parsed(rpc, data)
            fields.check(request)
            auth.begin(call)
            return await work(call, request, exchange)

    async def _admit(self, context: RpcContext, peers: Collection[str]) -> None:
        """Refuse everybody but the peers."""
        try:
            self._check_peer(context, peers)
        except errors.PermissionDenied as refusal:
            log.warning("peer_refused", reason=refusal.reason)
            await _refuse(context, refusal)

    @staticmethod
    def _check_peer(context: RpcContext, peers: Collection[str]) -> None:
        names = context.auth_context().get("x509_subject_alternative_name", [])
        if not any(f"{SPIFFE}{peer}".encode() in names for peer in peers):
            raise errors.PermissionDenied("PEER_NOT_ALLOWED", "This certificate may not call here.")

    async def _identify(self, method: Method, metadata: Mapping[str, str]) -> auth.Call:
        call = auth.Call(
            method=method,
            identity=await self._identity(metadata),
            address=metadata.get(CLIENT_ADDRESS_HEADER, "127.0.0.1"),
            device=metadata.get("x-user-agent") or metadata.get("user-agent"),
        )
        call.start()
        return call

    async def _identity(self, metadata: Mapping[str, str]) -> auth.Identity | None:
        authorization = metadata.get("authorization")
        if authorization is None or self._verifier is None:
            return None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise auth.missing()
        return await self._verifier.verify(token.strip())

    def _guarded(self, handler: RpcHandler) -> RpcHandler | None:
        """Check the peer of what the contract does not name: health, and reflection in development."""

        async def unary(request: Message, context: RpcContext) -> Message:
            await self._admit(context, self._peers)
            answer: Message = await handler.unary_unary(request, context)
            return answer

        async def stream(request: Message, context: RpcContext) -> None:
            await self._admit(context, self._peers)
            await handler.unary_stream(request, context)

        async def conversation(requests: AsyncIterator[Message], context: RpcContext) -> AsyncIterator[Message]:
            await self._admit(context, self._peers)
            async for answer in handler.stream_stream(requests, context):
                yield answer

        codec = (handler.request_deserializer, handler.response_serializer)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(unary, *codec)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(stream, *codec)
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(conversation, *codec)
        return None


def _seconds(rpc: _Rpc, context: RpcContext) -> float:
    """Answer how long a call may take: as long as its limit, and its client's deadline, allow."""
    remaining = context.time_remaining()
    return rpc.limits.seconds if remaining is None else min(rpc.limits.seconds, remaining - ANSWER_MARGIN_SECONDS)


@asynccontextmanager
async def _while_valid(identity: auth.Identity | None) -> AsyncIterator[None]:
    """Refuse what still runs when its caller's access token expires."""
    left = identity.seconds_left if identity else None
    try:
        async with asyncio.timeout(left) as life:
            yield
    except TimeoutError:
        if life.expired():
            raise auth.invalid() from None
        raise


def _headers(metadata: Metadata) -> dict[str, str]:
    """Read the texts that came with a call; what comes twice is one list (RFC 9110, 5.3), so two tokens are none."""
    headers: dict[str, str] = {}
    for key, value in metadata:
        if isinstance(value, str):
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _demand_decision(call: auth.Call) -> None:
    if not call.decided:
        raise RuntimeError(f"{call.method.path} answered without an authorization decision")


async def _retried(
    handler: Callable[[Message, Context], Awaitable[Message]], request: Message, context: Context
) -> Message:
    """Run a handler again when its transaction lost against another one; nothing of it was kept."""
    for _ in range(CONFLICT_TRIES - 1):
        try:
            return await handler(request, context)
        except Exception as error:
            if not status.is_conflict(error):
                raise
    return await handler(request, context)


def _parsed(rpc: _Rpc, data: bytes) -> Message:
    try:
        return rpc.parse(data)
    except DecodeError as damaged:
        raise errors.InvalidArgument("REQUEST_MALFORMED", "The request is not well formed.") from damaged


async def _refuse(context: RpcContext, refusal: errors.Refusal) -> NoReturn:
    """End a call with its status. `retry-after` says to HTTP what RetryInfo says to gRPC."""
    details = status.details(refusal)
    trailers = [("grpc-status-details-bin", details.SerializeToString())]
    if refusal.retry_seconds is not None:
        trailers.append(("retry-after", str(math.ceil(refusal.retry_seconds))))
    await context.abort(status.code(refusal), details.message, trailing_metadata=tuple(trailers))
