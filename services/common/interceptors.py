"""What happens around every call: peer, token, limits, field rules, deadline, decision, errors, one log line."""

from __future__ import annotations  # grpcio's classes are generic in the stubs alone

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import Any

import grpc
import protovalidate
import structlog
from google.protobuf.message import Message

from services.common import auth, errors, status
from services.common.contract import Method

SPIFFE = "spiffe://spotilike.local/"
CLIENT_ADDRESS_HEADER = "x-spotilike-client-address"
ANSWER_MARGIN_SECONDS = 0.05
"""Kept back from the client's deadline, so that the answer still arrives."""
CONFLICT_TRIES = 3

Handler = Callable[[Any, Any], Awaitable[Any]]
Context = grpc.aio.ServicerContext[Any, Any]

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


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # see above
    """Wraps the RPCs of the contract; health and reflection only have their peer checked."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        verifier: auth.TokenVerifier | None,
        peers: Collection[str],
        limits: Limits,
    ) -> None:
        """Serve `methods` to the mTLS `peers`, unless the contract names others.

        Without a verifier no access token is read.
        """
        self._methods = methods
        self._verifier = verifier
        self._peers = tuple(peers)
        self._limits = limits

    async def intercept_service(  # type: ignore[override]  # None means unknown; the stubs forget it
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Put the pipeline around the handler of a call."""
        handler = await continuation(details)
        method = self._methods.get(details.method)
        if handler is None or method is None or handler.unary_unary is None:
            return handler
        inner = handler.unary_unary
        metadata = {key: value for key, value in details.invocation_metadata or () if isinstance(value, str)}

        async def answer(request: Message, context: Context) -> Message:
            return await self._answer(method, metadata, request, context, inner)

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _answer(
        self, method: Method, metadata: Mapping[str, str], request: Message, context: Context, handler: Handler
    ) -> Message:
        started = time.perf_counter()
        refusal: errors.Refusal | None = None
        try:
            with self._limits:
                self._check_peer(method, context)
                call = await self._identify(method, metadata)
                _check_fields(request)
                return await self._run(call, request, context, handler)
        except Exception as error:  # noqa: BLE001 (the one place that turns errors into statuses)
            refusal = status.refusal_of(error, method.path)
        finally:
            _log(method, refusal, started)
        details = status.details(refusal)
        return await context.abort(
            status.code(refusal),
            details.message,
            trailing_metadata=(("grpc-status-details-bin", details.SerializeToString()),),
        )

    def _check_peer(self, method: Method, context: Context) -> None:
        """Pass the peers that the contract names, or those of the listener where it names none."""
        names = context.auth_context().get("x509_subject_alternative_name", [])
        if not any(f"{SPIFFE}{peer}".encode() in names for peer in method.permission.peers or self._peers):
            raise errors.PermissionDenied("PEER_NOT_ALLOWED", "This certificate may not call here.")

    async def _identify(self, method: Method, metadata: Mapping[str, str]) -> auth.Call:
        identity = None
        authorization = metadata.get("authorization")
        if authorization is not None and self._verifier is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise auth.missing()
            identity = await self._verifier.verify(token.strip())
        call = auth.Call(
            method=method,
            identity=identity,
            address=metadata.get(CLIENT_ADDRESS_HEADER, "127.0.0.1"),
            device=metadata.get("x-user-agent") or metadata.get("user-agent"),
        )
        call.start()
        return call

    async def _run(self, call: auth.Call, request: Message, context: Context, handler: Handler) -> Message:
        remaining = context.time_remaining()
        seconds = self._limits.seconds
        if remaining is not None:
            seconds = min(seconds, remaining - ANSWER_MARGIN_SECONDS)
        # A client that hangs up must not tear a transaction apart: the unit of work ends by itself,
        # at the latest at its deadline.
        work: Message = await asyncio.shield(_unit_of_work(call, request, context, handler, seconds))
        return work


async def _unit_of_work(
    call: auth.Call, request: Message, context: Context, handler: Handler, seconds: float
) -> Message:
    auth.begin(call)
    async with asyncio.timeout(seconds):
        response = await _retried(request, context, handler)
    if not call.decided:
        raise RuntimeError(f"{call.method.path} answered without an authorization decision")
    return response


async def _retried(request: Message, context: Context, handler: Handler) -> Message:
    """Run a handler again when its transaction lost against another one; nothing of it was kept."""
    for _ in range(CONFLICT_TRIES - 1):
        try:
            response: Message = await handler(request, context)
        except Exception as error:
            if not status.is_conflict(error):
                raise
        else:
            return response
    last: Message = await handler(request, context)
    return last


def _check_fields(request: Message) -> None:
    found = [
        errors.Violation(_path(violation), _words(violation)) for violation in protovalidate.collect_violations(request)
    ]
    found += [errors.Violation(path, "may not contain the character U+0000") for path in _unstorable(request, "")]
    if found:
        raise errors.InvalidFields(*found)


def _words(violation: protovalidate.Violation) -> str:
    """Say what a field has to be; the pattern of a resource name would tell a person nothing."""
    name = re.match(r"\^([A-Za-z]+)/", str(violation.rule_value))
    if violation.proto.rule_id == "string.pattern" and name:
        return f"has to be the name of a resource in {name[1]}/, as the API answered it"
    return violation.proto.message or "is not valid"


def _unstorable(message: Message, prefix: str) -> Iterator[str]:
    """Find texts with a NUL, which protobuf carries and PostgreSQL cannot keep."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        items = (
            [(f"{path}[{place}]", item) for place, item in enumerate(value)] if field.is_repeated else [(path, value)]
        )
        for name, item in items:
            if isinstance(item, str) and "\0" in item:
                yield name
            elif isinstance(item, Message):
                yield from _unstorable(item, f"{name}.")


def _path(violation: protovalidate.Violation) -> str:
    path = ""
    if violation.proto.field is None:
        return path
    for element in violation.proto.field.elements:
        path += f".{element.field_name}" if path else f"{element.field_name}"
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return path


def _log(method: Method, refusal: errors.Refusal | None, started: float) -> None:
    outcome = status.code(refusal).name if refusal else "OK"
    milliseconds = round((time.perf_counter() - started) * 1000, 2)
    log.info("call", method=method.path, code=outcome, reason=refusal.reason if refusal else None, ms=milliseconds)
