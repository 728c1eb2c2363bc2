"""Cookies pass where a session is kept in one, and nowhere else."""

from uuid import uuid4

import pytest
from google.rpc import status_pb2

from envoy.contract import Method
from envoy.routes import COOKIES
from tests.edge.test_protocols import SOME_ID, json_path
from tests.support import echo_services
from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge, contract

SENT = {"cookie": "spotilike_rt=secret", "origin": "https://other.example"}
REFRESH = "/spotilike.user.v1.SessionService/RefreshSession"

every_method = pytest.mark.parametrize("method", contract().methods, ids=lambda method: method.path)


def test_the_calls_that_see_cookies_exist():
    """A renamed call must not lose them silently."""
    assert {method.path for method in contract().methods} >= COOKIES


@every_method
async def test_only_the_calls_of_sessions_see_cookies_and_origins(
    edge: RunningEdge, echo: EchoServices, bearer, method: Method
):
    """In every protocol; no other call could be made by a page of somebody else."""
    expected = SENT if method.path in COOKIES else {}
    for mark, protocol in ((uuid4().hex, "JSON"), (uuid4().hex, "gRPC"), (uuid4().hex, "gRPC-Web")):
        sent = {**bearer, **SENT, "x-mark": mark}
        match protocol:
            case "JSON":
                await edge.ask(method.http_method, json_path(method, SOME_ID), headers=sent)
            case "gRPC":
                await edge.grpc(method.path, sent)
            case "gRPC-Web":
                await edge.grpc_web(method.path, status_pb2.Status(), sent)
        [call] = echo.seen(mark)
        arrived = {name: value for name, value in call.pairs if name in SENT}
        assert (protocol, arrived) == (protocol, expected)


@pytest.mark.parametrize("wish", ["cookies", "cookies and refuse"])
async def test_cookies_of_an_answer_or_a_refusal_reach_the_browser(edge: RunningEdge, wish):
    """Each in a header of its own, as they were set."""
    headers = {"x-answer": wish}
    answer = await edge.ask("POST", "/v1/sessions:refresh", json={}, headers=headers)
    assert answer.headers.get_list("set-cookie") == list(echo_services.COOKIES)
    assert (answer.status, answer.json.get("code")) == ((200, None) if wish == "cookies" else (404, 5))
    answer, trailers = await edge.grpc_web(REFRESH, status_pb2.Status(), headers)
    assert answer.headers.get_list("set-cookie") == list(echo_services.COOKIES)
    assert trailers["grpc-status"] == ("0" if wish == "cookies" else "5")
    assert ("grpc-status-details-bin" in trailers) == (wish != "cookies")


@pytest.mark.parametrize("host", ["spotilike.example", "spotilike.example:8443", "127.0.0.1:1"])
async def test_a_service_learns_what_the_browser_asked_for(edge: RunningEdge, echo: EchoServices, host):
    """To compare it with the origin of the page; what a client claims does not count."""
    mark = uuid4().hex
    sent = {"host": host, "x-mark": mark, "x-spotilike-authority": "other.example"}
    await edge.ask("POST", "/v1/sessions:refresh", json={}, headers=sent)
    [call] = echo.seen(mark)
    assert [value for name, value in call.pairs if name == "x-spotilike-authority"] == [host]
