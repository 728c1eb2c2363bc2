"""Every RPC of the contract, and how a client calls it by gRPC, by gRPC-Web and by JSON through the edge."""

import base64
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
from google.api import annotations_pb2
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from cli.engines.data import ROOT
from spotilike.auth.v1.permission_pb2 import Permission, permission
from tests.support.edge import Headers, RunningEdge

CALL_SECONDS = 20
HTTP_STATUSES = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The HTTP status of each code, as google/rpc/code.proto maps them."""

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class Rpc:
    """One RPC as the contract writes it."""

    method: MethodDescriptor

    def __str__(self) -> str:
        """Name it as people do."""
        return f"{self.method.containing_service.name}.{self.method.name}"

    @property
    def path(self) -> str:
        """`/package.Service/Method`, as gRPC names it."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def context(self) -> str:
        """The bounded context whose service answers it."""
        file = Path(self.method.containing_service.file.name)
        return file.stem.removesuffix("_service") if self.is_internal else file.parts[1]

    @property
    def is_internal(self) -> bool:
        """Whether it is for services alone."""
        return self.method.containing_service.file.package == "spotilike.internal.v1"

    @property
    def permission(self) -> Permission:
        """Who may call it."""
        rule: Permission = self.method.GetOptions().Extensions[permission]
        return rule

    def request(self, **fields: Any) -> Message:
        """Make a request."""
        return message_factory.GetMessageClass(self.method.input_type)(**fields)

    @property
    def streams(self) -> bool:
        """Whether its answer is a stream."""
        return bool(self.method.server_streaming)

    def call(self, channel: grpc.aio.Channel) -> Any:
        """Answer what carries it out over `channel`; of a stream it takes the first message."""
        answers = message_factory.GetMessageClass(self.method.output_type)
        if self.streams:
            return _first(channel.unary_stream(self.path, _serialized, answers.FromString))
        return channel.unary_unary(self.path, request_serializer=_serialized, response_deserializer=answers.FromString)

    @property
    def http_template(self) -> str:
        """The path of its HTTP rule, such as `/v1/{name=albums/*}`."""
        rule = self._http_rule
        return str(getattr(rule, rule.WhichOneof("pattern")))

    def http(self, request: Message) -> tuple[str, str, dict[str, Any]]:
        """Write a request as HTTP and JSON: the method, the path, and its query and body as httpx takes them."""
        rule = self._http_rule
        verb = rule.WhichOneof("pattern")
        values = MessageToDict(request)
        path = re.sub(r"\{([^=}]+)[^}]*\}", lambda variable: _take(values, variable[1]), self.http_template)
        if rule.body == "*":
            return verb.upper(), path, {"json": values}
        arguments = {"json": values.pop(rule.body, {})} if rule.body else {}
        return verb.upper(), path, {**arguments, "params": values}

    @property
    def _http_rule(self) -> Any:
        return self.method.GetOptions().Extensions[annotations_pb2.http]


def _serialized(request: Message) -> bytes:
    return request.SerializeToString()


def _first(begin: Any) -> Any:
    async def call(request: Message, **arguments: Any) -> Any:
        stream = begin(request, **arguments)
        try:
            return await anext(aiter(stream))
        finally:
            stream.cancel()

    return call


def _take(values: dict[str, Any], path: str) -> str:
    """Take the value of a path's variable out of the fields; none of ours has two words in its name."""
    *parents, last = path.split(".")
    for parent in parents:
        values = values[parent]
    return str(values.pop(last))


def _rpcs() -> Iterator[Rpc]:
    every = FileDescriptorSet.FromString((ROOT / "gen" / "spotilike.binpb").read_bytes())
    for file in every.file:
        if file.service and file.package.startswith("spotilike."):
            importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
            found = descriptor_pool.Default().FindFileByName(file.name)
            for service in found.services_by_name.values():
                yield from map(Rpc, service.methods)


RPCS = tuple(_rpcs())
PUBLIC = tuple(rpc for rpc in RPCS if not rpc.is_internal)
INTERNAL = tuple(rpc for rpc in RPCS if rpc.is_internal)


@dataclass(frozen=True)
class Outcome:
    """What became of a call, whichever protocol carried it."""

    code: str
    """Name of a gRPC status code."""
    reason: str | None = None
    """Reason of the ErrorInfo of a refusal."""

    def __str__(self) -> str:
        """Write it short."""
        return f"{self.code} ({self.reason})" if self.reason else self.code


async def by_grpc(edge: RunningEdge, rpc: Rpc, request: Message, headers: Headers) -> Outcome:
    """Call as native clients do."""
    return await directly(edge.channel, rpc, request, headers)


async def directly(channel: grpc.aio.Channel, rpc: Rpc, request: Message, headers: Headers) -> Outcome:
    """Call over a channel that is there already."""
    metadata = [*headers.items()] if isinstance(headers, Mapping) else [*headers]
    try:
        await rpc.call(channel)(request, metadata=metadata, timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        trailers: Any = error.trailing_metadata() or ()
        return Outcome(error.code().name, _reason(dict(trailers).get("grpc-status-details-bin")))
    return Outcome("OK")


async def by_grpc_web(edge: RunningEdge, rpc: Rpc, request: Message, headers: Headers) -> Outcome:
    """Call as browsers do."""
    answer, trailers = await edge.grpc_web(rpc.path, request, headers, streams=rpc.streams)
    assert answer.status == 200, f"gRPC-Web has its status in trailers, not in {answer.status} {answer.body!r}"
    details = trailers.get("grpc-status-details-bin")
    padded = base64.b64decode(details + "=" * (-len(details) % 4)) if details else None
    goes_on = rpc.streams and "grpc-status" not in trailers
    return Outcome("OK" if goes_on else _NAMES[int(trailers["grpc-status"])], _reason(padded))


async def by_json(edge: RunningEdge, rpc: Rpc, request: Message, headers: Headers) -> Outcome:
    """Call as scripts do."""
    method, path, arguments = rpc.http(request)
    ask = edge.begin if rpc.streams else edge.ask
    answer = await ask(method, path, headers=httpx.Headers(headers), **arguments)
    if answer.status == 200:
        return Outcome("OK")
    code = _NAMES[json.loads(answer.body)["code"]]
    assert answer.status == HTTP_STATUSES[code], f"{answer.status} for {code}"
    return Outcome(code, answer.reason)


PROTOCOLS = {"gRPC": by_grpc, "gRPC-Web": by_grpc_web, "JSON": by_json}


def _reason(details: bytes | None) -> str | None:
    info = error_details_pb2.ErrorInfo()
    status = status_pb2.Status.FromString(details or b"")
    found = any(detail.Unpack(info) for detail in status.details)
    return info.reason if found else None
