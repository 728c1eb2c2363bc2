"""What the edge believes, how much it takes, and what its refusals look like."""

import itertools
from pathlib import Path
from uuid import uuid4

import pytest
from google.rpc import status_pb2

from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge, running
from tests.support.engines import Engines

MEBIBYTE = 1 << 20
LIST_TRACKS = "/spotilike.catalog.v1.TrackService/ListTracks"

TRUSTED = {
    "x-spotilike-client-address": "203.0.113.9",
    "x-spotilike-user": "admin",
    "x-envoy-external-address": "203.0.113.9",
    "x-envoy-original-method": "DELETE",
    "x-envoy-original-path": "/admin",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-retry-on": "5xx",
    "x-envoy-max-retries": "9",
    "x-amz-copy-source": "/uploads/a",
    "x-forwarded-client-cert": "URI=spiffe://spotilike.local/user",
}


async def test_headers_that_services_trust_cannot_be_sent(edge: RunningEdge, echo: EchoServices, bearer):
    """On no protocol; only the client's real address arrives."""
    mark = uuid4().hex
    sent = {**TRUSTED, **bearer, "x-mark": mark, "x-forwarded-for": "203.0.113.9"}
    assert (await edge.ask("GET", "/v1/tracks", headers=sent)).status == 200
    await edge.grpc(LIST_TRACKS, sent)
    await edge.grpc_web(LIST_TRACKS, status_pb2.Status(), sent)
    calls = echo.seen(mark)
    assert len(calls) == 3
    for call in calls:
        assert call.metadata["x-spotilike-client-address"] == "127.0.0.1"
        assert not [name for name, value in TRUSTED.items() if call.metadata.get(name) == value]


async def test_a_client_says_what_it_is(edge: RunningEdge, echo: EchoServices):
    """Sessions are shown by it."""
    mark = uuid4().hex
    await edge.ask("GET", "/v1/tracks", headers={"user-agent": "Radio/9", "x-mark": mark})
    [call] = echo.seen(mark)
    assert "Radio/9" in call.metadata["user-agent"]


async def test_behind_a_proxy_of_ours_its_word_counts(engines: Engines, echo: EchoServices, tmp_path: Path):
    """The last address that our proxy noted, not the first, which the client wrote."""
    async with running(engines, echo, tmp_path, trusted_proxies=1) as edge:
        mark = uuid4().hex
        headers = {"x-mark": mark, "x-forwarded-for": "203.0.113.9, 198.51.100.7"}
        await edge.ask("GET", "/v1/tracks", headers=headers)
        [call] = echo.seen(mark)
        assert call.metadata["x-spotilike-client-address"] == "198.51.100.7"


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/users"])
async def test_a_body_over_a_mebibyte_is_refused(edge: RunningEdge, path):
    """Announced or not."""
    answer = await edge.ask_raw(f"POST {path}\r\nContent-Type: application/json\r\nContent-Length: {MEBIBYTE + 1}\r\n")
    assert (answer.status, answer.reason) == (413, "BODY_TOO_LARGE")
    answer = await edge.ask_raw(
        f"POST {path}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        itertools.repeat(bytes(65536)),
    )
    assert answer.status in ((413,) if path.startswith("/v1/") else (413, 404))


async def test_a_large_grpc_message_is_refused_in_its_own_way(edge: RunningEdge):
    """With trailers."""
    _, trailers = await edge.grpc_web(LIST_TRACKS, status_pb2.Status(message="x" * 2 * MEBIBYTE), {})
    assert trailers["grpc-status"] == "3"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("x-large: " + "a" * 40_000, 431),
        ("\r\n".join(f"x-{number}: 1" for number in range(150)), 431),
        ("x_underscore: 1", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("no colon", 400),
        ("x-null: a\0b", 400),
    ],
    ids=["large", "many", "underscore", "two lengths", "different lengths", "no colon", "null"],
)
async def test_odd_headers_are_refused(edge: RunningEdge, headers, status):
    """Two readers of a message must not see two messages."""
    answer = await edge.ask_raw(f"GET /v1/tracks\r\n{headers}\r\n")
    assert (answer.status, answer.reason) == (status, "HEADERS_TOO_LARGE" if status == 431 else "REQUEST_MALFORMED")


@pytest.mark.parametrize(
    "path",
    ["/v1/tracks/..%2fusers", "/v1%2ftracks", "/v1/tracks%5c..", "/v1\\..\\tracks%2F"],
)
async def test_hidden_slashes_are_refused(edge: RunningEdge, path):
    """They would be slashes to the next reader."""
    answer = await edge.ask_raw(f"GET {path}\r\n")
    assert (answer.status, answer.reason) == (400, "REQUEST_MALFORMED")


@pytest.mark.parametrize(
    "path",
    ["/v1/artists/../users/me", "/v1/./users/me", "//v1//users//me", "/v1/%75sers/me", "/v1/x/%2e%2e/users/me"],
)
async def test_another_spelling_of_a_path_is_decided_alike(edge: RunningEdge, bearer, path):
    """A token is needed however the path is written."""
    answer = await edge.ask_raw(f"GET {path}\r\n")
    assert (answer.status, answer.reason) == (401, "TOKEN_MISSING")
    answer = await edge.ask_raw(f"GET {path}\r\nauthorization: {bearer['authorization']}\r\n")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "word"),
    [
        ("GET", "/v1/tracks?unknown=1", b"", "unknown"),
        ("GET", "/v1/tracks?pageSize=many", b"", "page"),
        ("POST", "/v1/sessions", b"{", "end of string"),
        ("POST", "/v1/sessions", b'{"email": {}}', "email"),
        ("POST", "/v1/sessions", b"[]", ""),
        ("POST", "/v1/sessions", b"\xff\xfe", ""),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused(edge: RunningEdge, method, path, content, word):
    """The sentence says what is wrong with it."""
    answer = await edge.ask(method, path, content=content, headers={"content-type": "application/json"})
    assert (answer.status, answer.reason) == (400, "REQUEST_MALFORMED")
    assert word in answer.body.decode()


async def test_fields_of_tomorrow_in_a_body_are_ignored(edge: RunningEdge):
    """Newer clients may talk to an older server; the transcoder cannot be told otherwise."""
    answer = await edge.ask("POST", "/v1/sessions", json={"email": "a@example.org", "tomorrow": 1})
    assert answer.status == 200


async def test_readiness_is_told_in_json(edge: RunningEdge):
    """Probes read the status, people the body."""
    answer = await edge.health()
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == b'{"status":"SERVING"}\n'


async def test_a_wrong_peer_is_not_called(engines: Engines, echo: EchoServices, tmp_path: Path):
    """The catalog's certificate does not make a user service."""
    catalog = [("127.0.0.1", echo.ports["catalog"])]
    upstreams = {context: [("127.0.0.1", port)] for context, port in echo.ports.items()} | {"processing": catalog}
    async with running(engines, echo, tmp_path, ready=503, upstreams=upstreams) as edge:
        mark = uuid4().hex
        headers = {"authorization": f"Bearer {echo.access.token(sub='u')}", "x-mark": mark}
        answer = await edge.ask("GET", "/v1/jobs", headers=headers)
        assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
        assert (await edge.ask("GET", "/v1/tracks", headers=headers)).status == 200
        assert [call.method for call in echo.seen(mark)] == ["spotilike.catalog.v1.TrackService.ListTracks"]
        assert (await edge.ask("GET", "/healthz")).reason == "DEPENDENCY_UNAVAILABLE"


async def test_an_upgrade_changes_nothing(edge: RunningEdge):
    """There is nothing to upgrade to."""
    answer = await edge.ask_raw("GET /v1/users/me\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
    assert answer.status in (400, 401)
    assert answer.reason in ("TOKEN_MISSING", "REQUEST_MALFORMED")


async def test_envoys_own_interface_is_not_served(edge: RunningEdge):
    """Its port is another one, on loopback."""
    for path in ("/stats", "/config_dump", "/quitquitquit", "/server_info"):
        assert (await edge.ask("GET", path)).status == 404
