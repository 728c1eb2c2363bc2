"""Whatever a client sends wrong, it gets a refusal of its own that it can read: never 5xx, never an empty body."""

import asyncio

import grpc
import pytest
from google.rpc import status_pb2

from envoy.contract import Method
from spotilike.errors.v1.error_reason_pb2 import ErrorReason
from tests.edge.test_protocols import LIST_TRACKS, SOME_ID, json_path, reason_of
from tests.support.echo_services import SECRET
from tests.support.edge import Answer, RunningEdge, contract

every_method = pytest.mark.parametrize("method", contract().methods, ids=lambda method: method.path)

BODIES = {
    "absent": b"",
    "cut": b"{",
    "cut in a text": b'{"email":"a',
    "binary": b"\xff\xfe\x00",
    "list": b"[]",
    "number": b"1",
    "text": b'"x"',
    "null": b"null",
    "nested without end": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "two values": b"{}{}",
    "something behind": b"{} x",
    "not UTF-8": b'{"email":"\xff","displayName":"\xc3\x28","title":"\xff","user":"\xff","name":"\xff"}',
    "lone surrogate": b'{"email":"\\ud800","displayName":"\\ud800","title":"\\ud800"}',
    "huge number": b'{"email":' + b"9" * 400 + b',"sizeBytes":' + b"9" * 400 + b"}",
    "huge exponent": b'{"sizeBytes":1e999,"listenedSeconds":1e999,"pageSize":-1e999}',
    "not a number": b'{"sizeBytes":NaN,"trackNumber":Infinity}',
    "wrong types": b'{"email":{},"password":[],"title":{},"displayName":{},"track":{},"parts":"x","permissions":{}}',
    "unknown enum": b'{"type":"HUGE","platform":"TOASTER","permissions":["EVERYTHING"]}',
    "impossible date": b'{"releaseDate":"yesterday","startTime":"never"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "comment": b"/*x*/{}",
    "single quotes": b"{'email':'a'}",
    "form": b"a=b&c=d",
    "XML": b"<a/>",
}
QUERIES = [
    "unknown=1",
    "pageSize=many",
    "pageSize=99999999999999999999",
    "pageSize=1e999",
    "pageSize=",
    "pageSize",
    "pageSize[0]=1",
    "pageSize=1&pageSize=2",
    "%ff=1",
    "pageToken=%ff",
    "pageToken=%zz",
    "pageToken=%",
    "pageToken=%00",
    "updateMask=%00",
    "updateMask=a,b..c,",
    "requestId=x",
    "name=users/x",
    "a.b.c.d=1",
    "=",
    "&&&",
    "[]=1",
    "access_token=x",
    "$filter=1",
]
CONTENT_TYPES = [
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "application/protobuf",
    "json",
    ";;;",
]
ACCEPTED = ["", "*/*", "text/html", "application/xml", "application/grpc", "image/*;q=0", ";;;"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X" * 100]


async def ask(edge: RunningEdge, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
    """Send a request as it is, with its length unless it has no body."""
    length = {} if body is None else {"Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | length).items())
    return await edge.ask_raw(f"{method} {path}\r\n{lines}", body=body or b"")


def assert_good(answer: Answer, sent: object, *, bodiless: bool = False) -> None:
    """Accept a success, or a refusal that blames the client in words it can read."""
    if answer.status == 200:
        return
    assert 400 <= answer.status < 500, (sent, answer)
    if not bodiless:
        assert answer.reason in ErrorReason.keys(), (sent, answer)  # noqa: SIM118 (an enum wrapper, not a dict)
    assert answer.headers["cache-control"] == "no-store", (sent, answer)


@every_method
async def test_a_bad_body_is_the_clients_mistake(edge: RunningEdge, bearer, method: Method):
    """Also where no body belongs."""
    path, headers = json_path(method, SOME_ID), bearer | {"content-type": "application/json"}
    for name, body in BODIES.items():
        assert_good(await ask(edge, method.http_method, path, headers, body), name)
    assert_good(await ask(edge, method.http_method, path, dict(bearer)), "no length")


@every_method
async def test_a_bad_query_is_the_clients_mistake(edge: RunningEdge, bearer, method: Method):
    """Unknown fields are refused."""
    path = json_path(method, SOME_ID)
    for query in QUERIES:
        answer = await ask(edge, method.http_method, f"{path}?{query}", dict(bearer))
        assert_good(answer, query)
        if query.startswith(("unknown=", "access_token=")):
            assert (answer.status, answer.reason) == (400, "REQUEST_MALFORMED")


@every_method
async def test_a_wrong_content_type_is_the_clients_mistake(edge: RunningEdge, bearer, method: Method):
    """On JSON paths, where forms and texts of other pages could otherwise come in, and on gRPC paths."""
    path = json_path(method, SOME_ID)
    for content_type in CONTENT_TYPES:
        headers = bearer | {"content-type": content_type}
        answer = await ask(edge, method.http_method, path, headers, b"{}")
        assert_good(answer, content_type)
        if method.http_method in ("POST", "PATCH"):
            assert (answer.status, answer.reason) == (415, "CONTENT_TYPE_UNSUPPORTED")
        answer = await ask(edge, "POST", method.path, headers, b"{}")
        assert (answer.status, answer.reason) == (415, "CONTENT_TYPE_UNSUPPORTED")


@every_method
async def test_an_error_is_json_whatever_the_client_accepts(edge: RunningEdge, bearer, method: Method):
    """There is no other form of it."""
    path = json_path(method, SOME_ID)
    for accepted in ACCEPTED:
        answer = await ask(edge, method.http_method, f"{path}?unknown=1", bearer | {"accept": accepted})
        assert (answer.status, answer.reason) == (400, "REQUEST_MALFORMED")


@every_method
async def test_a_wrong_http_method_is_the_clients_mistake(edge: RunningEdge, bearer, method: Method):
    """On both of its paths."""
    for path in (json_path(method, SOME_ID), method.path):
        for wrong in METHODS:
            answer = await ask(edge, wrong, path, dict(bearer))
            assert_good(answer, wrong, bodiless=wrong == "HEAD")


@every_method
async def test_a_message_that_is_none_is_told_to_grpc_clients_in_trailers(edge: RunningEdge, bearer, method: Method):
    """Garbage, a message that is no UTF-8, and a content type that is none of gRPC's."""
    for message in (b"\xff\xff\xff\xff", b"\x0a\x02\xc3\x28", b"\x0a\xff\xff\xff\x7f"):
        framed = b"\0" + len(message).to_bytes(4, "big") + message
        headers = bearer | {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
        answer = await ask(edge, "POST", method.path, headers, framed)
        assert answer.status == 200
        code = answer.headers.get("grpc-status") or (b"grpc-status:0" in answer.body and "0")
        assert code in ("0", "3"), (message, answer)
    for content_type in ("application/grpc+json", "application/grpcx"):
        answer = await ask(edge, "POST", method.path, bearer | {"content-type": content_type}, b"{")
        assert answer.headers["grpc-status"] == "3"
        assert answer.headers["grpc-status-details-bin"]


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/nothing", "/v1/tracks/a/b/c", "/media", "/uploads", "/docs"]
)
async def test_an_unknown_path_is_told_in_the_clients_way(edge: RunningEdge, path):
    """To JSON clients as 404, to gRPC ones as UNIMPLEMENTED."""
    for method in METHODS[:6]:
        answer = await ask(edge, method, path, {"accept": "application/json"}, b"")
        assert answer.status == 404
        assert method == "HEAD" or answer.reason == "PATH_UNKNOWN"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.grpc(path, {})
    assert (refused.value.code(), reason_of(refused.value)) == (grpc.StatusCode.UNIMPLEMENTED, "PATH_UNKNOWN")


async def test_a_service_that_hangs_is_told_alike_whoever_gives_up_first(edge: RunningEdge):
    """The edge's timer and the deadline in the service's library end at the same moment."""
    hanging = {"x-answer": "wait", "grpc-timeout": "300m"}
    answers = await asyncio.gather(*(edge.ask("GET", "/v1/tracks", headers=hanging) for _ in range(30)))
    assert {(answer.status, answer.reason) for answer in answers} == {(504, "DEADLINE_EXCEEDED")}
    trailers = await asyncio.gather(*(edge.grpc_web(LIST_TRACKS, status_pb2.Status(), hanging) for _ in range(30)))
    assert {found["grpc-status"] for _, found in trailers} == {"4"}
    assert all(found["grpc-status-details-bin"] for _, found in trailers)


async def test_an_error_that_a_service_does_not_explain_shows_nothing_of_it(edge: RunningEdge):
    """The library of gRPC would send the exception's text."""
    crash = {"x-answer": "crash"}
    answer = await edge.ask("GET", "/v1/tracks", headers=crash)
    assert (answer.status, answer.reason) == (500, "INTERNAL")
    assert SECRET not in str(answer)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.grpc(LIST_TRACKS, crash)
    assert (refused.value.code(), reason_of(refused.value)) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    answer, trailers = await edge.grpc_web(LIST_TRACKS, status_pb2.Status(), crash)
    assert trailers["grpc-status"] == "13"
    assert "hunter2" not in f"{refused.value!r} {answer} {trailers}"


async def test_a_service_says_when_to_come_back_in_every_protocol(edge: RunningEdge):
    """Retry-After for JSON, RetryInfo for all."""
    answer = await edge.ask("GET", "/v1/tracks", headers={"x-answer": "exhausted"})
    assert (answer.status, answer.reason, answer.headers["retry-after"]) == (429, "OVERLOADED", "7")
    assert answer.json["details"][1]["retryDelay"] == "7s"
    answer, trailers = await edge.grpc_web(LIST_TRACKS, status_pb2.Status(), {"x-answer": "exhausted"})
    assert (trailers["grpc-status"], answer.headers["retry-after"]) == ("8", "7")
