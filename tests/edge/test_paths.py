"""However a path is written, it is refused or means what it means when it is written plainly."""

from uuid import uuid4

import pytest

from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge
from tests.support.http2 import EMPTY_MESSAGE, GRPC, connection, request

JSON, RPC = "/v1/users/me", "/spotilike.user.v1.UserService/GetUser"
CALLED = "spotilike.user.v1.UserService.GetUser"

TRICKS = {
    "dots": "/x/..{path}",
    "many dots": "/../../..{path}",
    "dots behind": "{path}/../../.././../{last}",
    "a dot": "/.{path}",
    "a dot behind": "{path}/.",
    "encoded dots": "/x/%2e%2e{path}",
    "encoded dots, large": "/x/%2E%2E{path}",
    "half encoded dots": "/x/.%2e{path}",
    "dots twice encoded": "/x/%252e%252e{path}",
    "overlong dots": "/x/%c0%ae%c0%ae{path}",
    "dots of UTF-16": "/x/%u002e%u002e{path}",
    "two slashes": "/{path}",
    "many slashes": "////{path}",
    "slashes inside": "{first}//{last}",
    "slash behind": "{path}/",
    "encoded slash": "{first}%2f{last}",
    "encoded slash, large": "{first}%2F{last}",
    "slash twice encoded": "{first}%252f{last}",
    "overlong slash": "{first}%c0%af{last}",
    "backslash": "{first}\\{last}",
    "backslash in front": "\\{path}",
    "encoded backslash": "{first}%5c{last}",
    "dots and backslashes": "/x\\..\\..{path}",
    "semicolon": "{path};",
    "parameter": "{path};a=b",
    "parameter inside": "{first};a=b/{last}",
    "encoded semicolon": "{path}%3b",
    "encoded NUL": "{path}%00",
    "encoded NUL and ending": "{path}%00.js",
    "line feed": "{path}%0a",
    "carriage return and header": "{path}%0d%0ax:1",
    "tab": "{path}%09",
    "space": "{path}%20",
    "space in front": "/%20{path}",
    "dot at the end": "{path}.",
    "encoded dot at the end": "{path}%2e",
    "ending": "{path}.json",
    "question mark": "{path}?",
    "encoded question mark": "{path}%3f",
    "encoded query": "{path}%3fpageSize=1",
    "fragment": "{path}#x",
    "encoded fragment": "{path}%23x",
    "colon": "{path}:",
    "verb": "{path}:unknown",
    "encoded colon": "{path}%3aunknown",
    "percent alone": "{path}%",
    "percent and half": "{path}%4",
    "percent and no digits": "{path}%zz",
    "percent of Unicode": "{path}%u0041",
    "not UTF-8": "{path}%ff",
    "overlong letter": "{first}%c1%ad{last}",
    "letter encoded": "{first}/%{code}{rest}",
    "letter twice encoded": "{first}/%25{code}{rest}",
    "large": "{large}",
    "large letter": "{first}/{Last}",
    "absolute": "http://spotilike{path}",
    "absolute, other host": "http://other.example{path}",
    "another scheme": "file://{path}",
    "wildcard": "{first}/*",
    "braces": "{first}/{{name}}",
    "long": "{path}/" + "a" * 9000,
    "long query": "{path}?x=" + "a" * 9000,
}


def written(trick: str, path: str) -> str:
    """Apply a trick to a path."""
    first, _, last = path.rpartition("/")
    return TRICKS[trick].format(
        path=path,
        first=first,
        last=last,
        Last=last.swapcase(),
        rest=last[1:],
        code=f"{ord(last[0]):02x}",
        large=path.upper(),
    )


every_trick = pytest.mark.parametrize("trick", TRICKS)


@every_trick
async def test_a_json_path_is_refused_or_means_the_same(edge: RunningEdge, echo: EchoServices, bearer, trick):
    """Without a token nothing is reached, with one only the call that the plain path reaches."""
    mark = uuid4().hex
    first = f"GET {written(trick, JSON)}\r\nx-mark: {mark}\r\n"
    answer = await edge.ask_raw(first)
    assert (answer.status, answer.reason) in (
        (400, "REQUEST_MALFORMED"),
        (401, "TOKEN_MISSING"),
        (404, "PATH_UNKNOWN"),
        (414, "PATH_TOO_LONG"),
    )
    assert echo.seen(mark) == []
    answer = await edge.ask_raw(f"{first}authorization: {bearer['authorization']}\r\n")
    assert {call.method for call in echo.seen(mark)} <= {CALLED}
    assert (answer.status == 200) is bool(echo.seen(mark))
    assert answer.status == 200 or answer.reason in ("REQUEST_MALFORMED", "PATH_UNKNOWN", "PATH_TOO_LONG")


@every_trick
async def test_a_grpc_path_is_refused_or_means_the_same(edge: RunningEdge, echo: EchoServices, bearer, trick):
    """By gRPC-Web over HTTP/1.1 and by gRPC over HTTP/2; what is not HTTP is answered in JSON or cut off."""
    path = written(trick, RPC)
    for token, allowed in (((), {"3", "12", "16"}), ((*bearer.items(),), {"0", "3", "12"})):
        mark = uuid4().hex
        lines = "".join(f"{name}: {value}\r\n" for name, value in (("x-mark", mark), *token))
        framing = "content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\nContent-Length: 5\r\n"
        answer = await edge.ask_raw(f"POST {path}\r\n{framing}{lines}", body=EMPTY_MESSAGE)
        if answer.status == 400:
            assert answer.reason == "REQUEST_MALFORMED"
        else:
            assert answer.headers.get("grpc-status", "0") in allowed
        async with connection(edge.settings.listen_port) as client:
            stream = await client.ask(request("POST", path, *GRPC, ("x-mark", mark), *token), EMPTY_MESSAGE)
        assert stream.headers.get("grpc-status") in allowed or (stream.status is None and client.closed.is_set())
        assert {call.method for call in echo.seen(mark)} <= ({CALLED} if token else set())


@every_trick
async def test_a_page_is_refused_or_the_same(edge: RunningEdge, trick):
    """No trick shows a file that is not one of the player's."""
    plain = await edge.ask("GET", "/assets/main-0a1b2c3d.js")
    answer = await edge.ask_raw(f"GET {written(trick, '/assets/main-0a1b2c3d.js')}\r\n")
    if answer.status == 200:
        assert answer.body == plain.body
    else:
        assert answer.reason in ("REQUEST_MALFORMED", "PATH_UNKNOWN", "PATH_TOO_LONG")
