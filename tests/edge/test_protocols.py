"""Every public RPC can be reached by JSON, gRPC and gRPC-Web; what is not public cannot."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import error_details_pb2, status_pb2

from envoy.contract import Contract, Method
from tests.support.echo_services import Call, EchoServices, method_descriptors
from tests.support.edge import RunningEdge, contract

PUBLIC: Contract = contract()
DESCRIPTORS: dict[str, MethodDescriptor] = {
    method.path: descriptor for method, descriptor in zip(PUBLIC.methods, method_descriptors(PUBLIC), strict=True)
}
every_method = pytest.mark.parametrize("method", PUBLIC.methods, ids=lambda method: method.path)
SOME_ID = "0198c0de-0000-7000-8000-00000000000a"
LIST_TRACKS = "/spotilike.catalog.v1.TrackService/ListTracks"
GET_USER = "/spotilike.user.v1.UserService/GetUser"


def json_path(method: Method, resource_id: str) -> str:
    """Write the JSON path of an RPC about a resource."""
    return re.sub(r"\{[^=]+=([^}]+)}", r"\1", method.http_template).replace("*", resource_id)


def call_of(echo: EchoServices, mark: str, method: Method) -> Call:
    """Return the one call that arrived under a mark."""
    [call] = echo.seen(mark)
    assert call.method == method.path.lstrip("/").replace("/", ".")
    return call


@every_method
async def test_an_rpc_is_reached_at_its_http_path(edge: RunningEdge, echo: EchoServices, bearer, method: Method):
    """The path's variables arrive in the request."""
    mark = uuid4().hex
    path = json_path(method, SOME_ID)
    body: dict[str, str] | None = None if method.http_method in ("GET", "DELETE") else {}
    answer = await edge.ask(method.http_method, path, headers={**bearer, "x-mark": mark}, json=body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    call = call_of(echo, mark, method)
    if "*" in method.http_template:
        assert SOME_ID in str(call.request)


@every_method
async def test_an_rpc_is_reached_by_grpc(edge: RunningEdge, echo: EchoServices, bearer, method: Method):
    """Requests arrive as they were sent."""
    mark = uuid4().hex
    request_class = message_factory.GetMessageClass(DESCRIPTORS[method.path].input_type)
    answer_class = message_factory.GetMessageClass(DESCRIPTORS[method.path].output_type)
    request = request_class()
    for field in request_class.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(request, field.name, f"{field.name} — дом")
    call = edge.channel.unary_unary(
        method.path, request_serializer=request_class.SerializeToString, response_deserializer=answer_class.FromString
    )
    await call(request, metadata=[*bearer.items(), ("x-mark", mark)], timeout=4)
    assert call_of(echo, mark, method).request.SerializeToString() == request.SerializeToString()


@every_method
async def test_an_rpc_is_reached_by_grpc_web(edge: RunningEdge, echo: EchoServices, bearer, method: Method):
    """Trailers come in the body, as browsers need them."""
    mark = uuid4().hex
    request_class = message_factory.GetMessageClass(DESCRIPTORS[method.path].input_type)
    answer, trailers = await edge.grpc_web(method.path, request_class(), {**bearer, "x-mark": mark})
    assert (answer.status, trailers["grpc-status"]) == (200, "0")
    call_of(echo, mark, method)


@every_method
async def test_json_at_a_grpc_path_is_refused(edge: RunningEdge, bearer, method: Method):
    """Nothing is guessed about a body in the wrong format."""
    answer = await edge.ask("POST", method.path, json={}, headers=bearer)
    assert (answer.status, answer.reason) == (415, "CONTENT_TYPE_UNSUPPORTED")


@every_method
async def test_a_wrong_http_method_is_refused_with_those_that_are_right(edge: RunningEdge, method: Method):
    """RFC 9110, section 15.5.6."""
    path = json_path(method, SOME_ID)
    answer = await edge.ask("PUT", path, json={})
    assert (answer.status, answer.reason) == (405, "METHOD_NOT_ALLOWED")
    assert method.http_method in answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/spotilike.internal.v1.AccessService/ResolvePlayback",
        "/spotilike.internal.v1.DirectoryService/ResolveUser",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/Check",
        "/spotilike.user.v1.UserService/Unknown",
        "/spotilike.user.v1.UserService/getuser",
        "/unknown",
    ],
)
async def test_what_is_not_public_is_unknown_in_every_protocol(edge: RunningEdge, bearer, path: str):
    """Internal RPCs, reflection and health are for the mesh."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.grpc(path, bearer)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert reason_of(refused.value) == "PATH_UNKNOWN"
    _, trailers = await edge.grpc_web(path, status_pb2.Status(), bearer)
    assert trailers["grpc-status"] == "12"
    for http_method in ("GET", "POST"):
        answer = await edge.ask(http_method, path, headers=bearer)
        assert (answer.status, answer.reason) == (404, "PATH_UNKNOWN")


async def test_a_refusal_of_a_service_keeps_its_details_in_every_protocol(edge: RunningEdge):
    """JSON has them in the body, gRPC in trailers; the message may hold any language."""
    answer = await edge.ask("GET", "/v1/tracks", headers={"x-answer": "refuse"})
    assert (answer.status, answer.reason) == (404, "TRACK_NOT_FOUND")
    assert "ничего" in answer.body.decode()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.grpc(LIST_TRACKS, {"x-answer": "refuse"})
    assert (refused.value.code(), reason_of(refused.value)) == (grpc.StatusCode.NOT_FOUND, "TRACK_NOT_FOUND")
    _, trailers = await edge.grpc_web(LIST_TRACKS, status_pb2.Status(), {"x-answer": "refuse"})
    assert trailers["grpc-status"] == "5"
    assert trailers["grpc-status-details-bin"]


async def test_a_refusal_of_the_edge_has_details_for_grpc_clients(edge: RunningEdge):
    """Code and message agree with the details, as clients demand."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.grpc(GET_USER, {})
    assert (refused.value.code(), reason_of(refused.value)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
    answer, trailers = await edge.grpc_web(GET_USER, status_pb2.Status(), {})
    assert (answer.status, trailers["grpc-status"]) == (200, "16")
    assert trailers["grpc-message"] == refused.value.details()


async def test_the_service_learns_the_deadline_of_the_edge(edge: RunningEdge, echo: EchoServices):
    """When the client sends none, it gives up in time all the same."""
    mark = uuid4().hex
    await edge.ask("GET", "/v1/genres", headers={"x-mark": mark})
    [call] = echo.seen(mark)
    assert call.remaining is not None
    assert 4 < call.remaining < 5


@pytest.mark.parametrize(("asked", "given"), [("300m", 0.3), ("1H", 5.0)])
async def test_a_client_may_ask_for_less_time_but_not_for_more(edge: RunningEdge, asked: str, given: float):
    """What counts is when the edge gives up."""
    started = asyncio.get_running_loop().time()
    _, trailers = await edge.grpc_web(
        LIST_TRACKS, status_pb2.Status(), {"x-answer": "wait", "x-mark": uuid4().hex, "grpc-timeout": asked}
    )
    assert trailers["grpc-status"] == "4"
    assert given - 0.1 < asyncio.get_running_loop().time() - started < given + 2


async def test_a_read_is_repeated_when_its_service_is_unavailable(edge: RunningEdge, echo: EchoServices):
    """The service turns it away twice."""
    mark = uuid4().hex
    answer = await edge.ask("GET", "/v1/tracks", headers={"x-answer": "unavailable", "x-mark": mark})
    assert (answer.status, len(echo.seen(mark))) == (200, 3)


async def test_a_write_is_never_repeated(edge: RunningEdge, echo: EchoServices, bearer):
    """The service may have carried it out before it broke."""
    mark = uuid4().hex
    headers = {**bearer, "x-answer": "unavailable", "x-mark": mark}
    answer = await edge.ask("POST", "/v1/artists", headers=headers, json={})
    assert (answer.status, len(echo.seen(mark))) == (503, 1)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Read the reason of a refusal; its details must agree with code and message."""
    trailers: dict[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]  # pairs, not a class
    packed = trailers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(packed)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "spotilike.dev"
    return str(info.reason)
