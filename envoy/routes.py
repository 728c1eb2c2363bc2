"""The routes and clusters that follow from the contracts."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envoy.contract import Contract, Method, path_pattern
from envoy.headers import headers
from envoy.template import fill

_HERE = Path(__file__).parent

SECONDS = 5
SLOW_SECONDS = {"/spotilike.catalog.v1.UploadService/CompleteUpload": 30}
"""The store joins the parts of a large master while the call runs."""
STREAM_SECONDS = 900
"""As long as an access token lives; then the client asks again. Heartbeats keep a stream from being idle."""

COOKIES = frozenset(
    {
        "/spotilike.user.v1.SessionService/CreateSession",
        "/spotilike.user.v1.SessionService/RefreshSession",
        "/spotilike.user.v1.SessionService/RevokeSession",
        "/spotilike.user.v1.SessionService/RevokeOtherSessions",
        "/spotilike.user.v1.UserService/EraseUser",
    }
)
"""The calls that set, read or clear the cookie of browsers. They compare the page's origin with ours; every other call
never sees a cookie, so that no page of somebody else can make it in a listener's name."""

_GUEST_WRITES = [
    {
        "actions": [
            {"generic_key": {"descriptor_key": "calls", "descriptor_value": "guest-writes"}},
            {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}},
        ]
    }
]

_NOT_SENT = "connect-failure,refused-stream,reset-before-request"
"""Safe for every call: the service has not seen it."""
_LOST = "reset,unavailable,cancelled"
"""The service died or turned it away, and may have carried it out: only for calls that may be repeated."""


def rpc_routes(contract: Contract) -> list[dict[str, Any]]:
    """Route each RPC, and refuse what comes to its path in another format."""
    return [route for method in contract.methods for route in (_rpc(method), _other_format(method))]


def method_routes(contract: Contract) -> list[dict[str, Any]]:
    """Answer 405 where only the HTTP method is wrong; a JSON call that is right has left its path by then."""
    allowed = defaultdict(list)
    for method in contract.methods:
        allowed[path_pattern(method.http_template)].append(method.http_method)
    # A literal path such as /v1/users/me/artists comes before a pattern that would match it too.
    return [_wrong_method(pattern, methods) for pattern, methods in sorted(allowed.items())]


def service_cluster(context: str, endpoints: Sequence[tuple[str, int]], tls_dir: Path, calls: int) -> dict[str, Any]:
    """Describe how to reach a context's service."""
    addresses = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}} for host, port in endpoints
    ]
    values = {"context": context, "endpoints": addresses, "tls_dir": tls_dir, "calls": calls}
    return fill(_HERE / "service_cluster.yaml", values)


def _rpc(method: Method) -> dict[str, Any]:
    seconds = STREAM_SECONDS if method.streams else SLOW_SECONDS.get(method.path, SECONDS)
    values = {
        "path": method.path,
        "context": method.context,
        # That of a stream would count until its end.
        "timeout": "0s" if method.streams else f"{seconds}s",
        "longest": f"{seconds}s",
        "deadline": f"{seconds}S",
        "retry_on": f"{_NOT_SENT},{_LOST}" if method.repeatable else _NOT_SENT,
        "token": "required" if method.needs_token else "optional",
        "rate_limits": _GUEST_WRITES if method.guest_write else None,
        "headers_to_remove": None if method.path in COOKIES else ["cookie", "origin"],
    }
    return fill(_HERE / "rpc_route.yaml", values)


def _other_format(method: Method) -> dict[str, Any]:
    return {
        "name": f"{method.path} format",
        "match": {"path": method.path},
        "direct_response": {"status": 415},
    }


def _wrong_method(pattern: str, methods: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "method",
        "match": {"safe_regex": {"regex": pattern}},
        "direct_response": {"status": 405},
        "response_headers_to_add": headers({"allow": ", ".join(sorted(methods))}),
    }
