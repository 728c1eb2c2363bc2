"""What services, the store or Envoy believe cannot be said by a client: on no route, in no protocol or spelling."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from google.rpc import status_pb2

from envoy.contract import Method
from tests.edge.test_protocols import SOME_ID, json_path
from tests.support.echo_services import EchoServices
from tests.support.echo_store import EchoStore, echo_store
from tests.support.edge import RunningEdge, contract, running
from tests.support.engines import Engines
from tests.support.http2 import EMPTY_MESSAGE, GRPC, connection, request

FORGED = "forged"
TRUSTED = [
    "x-spotilike-client-address",
    "x-spotilike-authority",
    "x-spotilike-user",
    "x-spotilike-role",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-method",
    "x-envoy-original-path",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-retry-on",
    "x-envoy-max-retries",
    "x-envoy-decorator-operation",
    "x-envoy-force-trace",
    "x-amz-copy-source",
    "x-amz-acl",
    "x-amz-security-token",
    "x-forwarded-client-cert",
    "x-request-id",
    "traceparent",
    "tracestate",
    "x-client-trace-id",
]
"""Names of headers that must not arrive as a client wrote them."""
READ = "/spotilike.catalog.v1.TrackService/ListTracks"

every_method = pytest.mark.parametrize("method", contract().methods, ids=lambda method: method.path)


def forged(spelling: type[str] | object = str) -> dict[str, str]:
    """Write every trusted header, its name spelled in some way."""
    return {spelling(name): FORGED for name in TRUSTED}  # type: ignore[operator]  # a function of names


def assert_nothing_forged(pairs: list[tuple[str, str]]) -> None:
    """Look for what the client made up; what the edge says must be there once."""
    assert not [name for name, value in pairs if FORGED in value]
    assert [value for name, value in pairs if name == "x-spotilike-client-address"] == ["127.0.0.1"]


@every_method
async def test_no_call_carries_what_a_client_made_up(edge: RunningEdge, echo: EchoServices, bearer, method: Method):
    """JSON, gRPC and gRPC-Web alike, in small letters and large ones."""
    sent = bearer | {"x-forwarded-for": FORGED}
    small, large, by_web, by_grpc = (uuid4().hex for _ in range(4))
    path = json_path(method, SOME_ID)
    await edge.ask(method.http_method, path, headers=sent | forged() | {"x-mark": small})
    await edge.ask(method.http_method, path, headers=sent | forged(str.title) | {"x-mark": large})
    await edge.grpc_web(method.path, status_pb2.Status(), sent | forged(str.upper) | {"x-mark": by_web})
    await edge.grpc(method.path, sent | forged() | {"x-mark": by_grpc})
    for mark in (small, large, by_web, by_grpc):
        [call] = echo.seen(mark)
        assert call.method == method.path.lstrip("/").replace("/", ".")
        assert_nothing_forged([pair for pair in call.pairs if pair[0] != "x-forwarded-for"])


async def test_neither_twice_nor_as_trailers(edge: RunningEdge, echo: EchoServices):
    """The ways around a check that looks once."""
    twice, trailing = uuid4().hex, uuid4().hex
    pairs = [*forged().items()]
    async with connection(edge.settings.listen_port) as client:
        await client.ask(request("POST", READ, *GRPC, ("x-mark", twice), *pairs, *pairs), EMPTY_MESSAGE)
        await client.ask(request("POST", READ, *GRPC, ("x-mark", trailing)), EMPTY_MESSAGE, pairs)
    for mark in (twice, trailing):
        [call] = echo.seen(mark)
        assert_nothing_forged(call.pairs)


@pytest.mark.parametrize("names", [*TRUSTED, ", ".join(TRUSTED)])
async def test_what_the_edge_says_cannot_be_declared_hop_by_hop(edge: RunningEdge, echo: EchoServices, names):
    """A proxy drops what `Connection` lists; ours does so before it adds its own, or refuses."""
    mark = uuid4().hex
    answer = await edge.ask_raw(f"GET /v1/tracks\r\nx-mark: {mark}\r\nConnection: close, {names}\r\n")
    for call in echo.seen(mark):
        assert_nothing_forged(call.pairs)
        assert [value for name, value in call.pairs if name == "x-spotilike-authority"] == ["spotilike"]
    assert (answer.status, len(echo.seen(mark))) in ((200, 1), (400, 0))


async def test_trailers_of_json_are_no_headers_either(edge: RunningEdge, echo: EchoServices):
    """Chunked, with what a client made up at the end."""
    mark = uuid4().hex
    trailers = "".join(f"{name}: {FORGED}\r\n" for name in TRUSTED)
    answer = await edge.ask_raw(
        f"POST /v1/sessions\r\ncontent-type: application/json\r\nx-mark: {mark}\r\nTransfer-Encoding: chunked\r\n",
        body=f"2\r\n{{}}\r\n0\r\n{trailers}\r\n".encode(),
    )
    assert answer.status == 200
    [call] = echo.seen(mark)
    assert_nothing_forged(call.pairs)


@pytest.mark.parametrize("name", ["x_spotilike_client_address", "x-spotilike_client-address", "X_Spotilike-User"])
async def test_underscores_do_not_stand_for_dashes(edge: RunningEdge, echo: EchoServices, name):
    """Some programs read them so; here the request ends."""
    mark = uuid4().hex
    answer = await edge.ask_raw(f"GET /v1/tracks\r\nx-mark: {mark}\r\n{name}: {FORGED}\r\n")
    assert (answer.status, answer.reason) == (400, "REQUEST_MALFORMED")
    async with connection(edge.settings.listen_port) as client:
        stream = await client.ask(request("GET", "/v1/tracks", ("x-mark", mark), (name.lower(), FORGED)))
    assert stream.status is None
    assert echo.seen(mark) == []


@pytest.mark.parametrize(
    "pair",
    [
        ("X-Spotilike-User", FORGED),
        ("x-spotilike-user ", FORGED),
        (" x-spotilike-user", FORGED),
        ("x-spotilike-user", f"{FORGED}\0"),
        ("x-other", f"1\r\nx-spotilike-user: {FORGED}"),
        ("x-other\r\nx-spotilike-user", FORGED),
        ("connection", "x-spotilike-client-address"),
        ("transfer-encoding", "chunked"),
    ],
)
async def test_a_header_that_http2_does_not_know_ends_the_connection(edge: RunningEdge, echo: EchoServices, pair):
    """Before anybody reads it in two ways."""
    mark = uuid4().hex
    async with connection(edge.settings.listen_port) as client:
        stream = await client.ask(request("GET", "/v1/tracks", ("x-mark", mark), pair))
    assert stream.status is None
    assert echo.seen(mark) == []


@pytest.fixture(scope="module")
async def store() -> AsyncIterator[EchoStore]:
    """Return a store that notes what reaches it."""
    async with echo_store() as started:
        yield started


@pytest.fixture(scope="module")
async def before_store(
    engines: Engines, echo: EchoServices, store: EchoStore, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningEdge]:
    """Return an edge before that store."""
    folder: Path = tmp_path_factory.mktemp("store")
    async with running(engines, echo, folder, store=("127.0.0.1", store.port)) as started:
        yield started


OWN = {
    "authorization": "Bearer forged",
    "cookie": "spotilike_rt=forged",
    "origin": "https://forged.example",
    "x-amz-date": FORGED,
    "x-amz-content-sha256": FORGED,
    "x-amz-server-side-encryption-customer-key": FORGED,
}
"""What goes to no store, beside what services trust."""


@pytest.mark.parametrize("spelling", [str, str.title, str.upper])
async def test_the_store_sees_nothing_of_it_when_audio_is_asked_for(
    before_store: RunningEdge, store: EchoStore, echo: EchoServices, spelling
):
    """The edge signs with its own identity alone, and the token stays with it."""
    token = echo.media.token(pfx="audio/tracks/a/b/")
    sent = {spelling(name): value for name, value in OWN.items()} | forged(spelling) | {"x-media-token": token}
    for path in ("/media/audio/tracks/a/b/x.m4a", f"/media/{token}/audio/tracks/a/b/x.m4a"):
        store.requests.clear()
        assert (await before_store.ask("GET", path, headers=sent)).status == 200
        [(first, pairs)] = store.requests
        assert first == "GET /audio/tracks/a/b/x.m4a HTTP/1.1"
        assert not [pair for pair in pairs if FORGED in pair[1] or token in pair[1]]
        [authorization] = [value for name, value in pairs if name == "authorization"]
        assert authorization.startswith("AWS4-HMAC-SHA256 ")
        assert {"cookie", "origin", "x-media-token"}.isdisjoint(dict(pairs))


@pytest.mark.parametrize("spelling", [str, str.title, str.upper])
async def test_the_store_sees_nothing_of_it_when_a_master_is_sent(
    before_store: RunningEdge, store: EchoStore, spelling
):
    """The presigned address is all that counts."""
    store.requests.clear()
    sent = {spelling(name): value for name, value in OWN.items()} | forged(spelling)
    answer = await before_store.ask("PUT", "/uploads/a?X-Amz-Signature=s", headers=sent, content=b"master")
    assert answer.status == 200
    [(first, pairs)] = store.requests
    assert first == "PUT /uploads/a?X-Amz-Signature=s HTTP/1.1"
    assert not [pair for pair in pairs if FORGED in pair[1]]
    assert {"authorization", "cookie", "origin"}.isdisjoint(dict(pairs))


OVERRIDES = {
    "x-http-method-override": "DELETE",
    "x-http-method": "DELETE",
    "x-method-override": "DELETE",
    "x-original-url": "/v1/users/me",
    "x-rewrite-url": "/v1/users/me",
    "x-original-method": "DELETE",
    "x-envoy-original-path": "/v1/users/me",
    "x-envoy-original-method": "DELETE",
    "x-forwarded-host": "other.example",
    "x-forwarded-prefix": "/admin",
    "forwarded": "for=10.0.0.1;host=admin",
}


async def test_a_header_changes_neither_method_nor_path(edge: RunningEdge, echo: EchoServices):
    """Frameworks know such headers; here the first line is the request."""
    mark = uuid4().hex
    await edge.ask("GET", "/v1/tracks", headers=OVERRIDES | {"x-mark": mark})
    [call] = echo.seen(mark)
    assert call.method == "spotilike.catalog.v1.TrackService.ListTracks"


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/openapi.json", "/healthz", "/v1/nothing", "/media/x", "/uploads/x"]
)
async def test_what_the_edge_answers_itself_does_not_depend_on_them(edge: RunningEdge, path):
    """Pages, health and refusals."""
    plain = await edge.ask("GET", path)
    answer = await edge.ask("GET", path, headers=forged() | OVERRIDES)
    assert (answer.status, answer.body) == (plain.status, plain.body)
