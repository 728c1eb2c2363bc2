"""What clients get when the edge itself refuses a request: JSON, or trailers for gRPC clients, always with ErrorInfo.

Envoy's `local_reply_config` picks the first entry whose CEL expression holds.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.json_format import MessageToDict
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN = "spotilike.dev"
RETRY_SECONDS = 1


@dataclass(frozen=True)
class Reply:
    """One refusal."""

    status: int
    """HTTP status for JSON clients."""
    code: int
    """google.rpc.Code."""
    reason: str
    """Name of a value of spotilike.errors.v1.ErrorReason."""
    message: str
    when: str = ""
    """CEL over the attributes `response` and `xds`; empty for replies that only other parts of the edge send."""
    retry: bool = field(default=False)
    """Whether to say when to try again."""

    @property
    def body(self) -> str:
        """The refusal as JSON, in the shape of google.rpc.Status."""
        return json.dumps(
            MessageToDict(self._as_status(), always_print_fields_with_no_presence=True), ensure_ascii=False
        )

    @property
    def packed(self) -> str:
        """The refusal as gRPC clients get it in `grpc-status-details-bin`."""
        return base64.b64encode(self._as_status().SerializeToString()).decode()

    def _as_status(self) -> status_pb2.Status:
        details: list[error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo]
        details = [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)]
        if self.retry:
            details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=RETRY_SECONDS)))
        status = status_pb2.Status(code=self.code, message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status


TOKEN_MISSING = "jwt_authn_access_denied{Jwt_is_missing}"  # noqa: S105 (Envoy's words for it)
TOKEN_REFUSED = "jwt_authn_access_denied"  # noqa: S105
_MEDIA = 'xds.route_name == "media"'

MEDIA_NOT_FOUND = Reply(404, code_pb2.NOT_FOUND, "MEDIA_NOT_FOUND", "There is no such audio.")
RANGE_UNSATISFIABLE = Reply(
    416, code_pb2.OUT_OF_RANGE, "RANGE_UNSATISFIABLE", "The file ends before the first byte that was asked for."
)
UPLOAD_URL_INVALID = Reply(
    403,
    code_pb2.PERMISSION_DENIED,
    "UPLOAD_URL_INVALID",
    "This address does not permit the upload, or not any more. Ask for the upload again to get fresh ones.",
)
UPLOAD_NOT_FOUND = Reply(404, code_pb2.NOT_FOUND, "UPLOAD_NOT_FOUND", "There is no such upload.")
REQUEST_MALFORMED = Reply(
    400, code_pb2.INVALID_ARGUMENT, "REQUEST_MALFORMED", "The request is not well formed.", when="response.code == 400"
)
DEPENDENCY_UNAVAILABLE = Reply(
    503,
    code_pb2.UNAVAILABLE,
    "DEPENDENCY_UNAVAILABLE",
    "A part of the platform is not ready. Try again.",
    when="response.code in [500, 502, 503]",
    retry=True,
)

LOCAL = (
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "MEDIA_TOKEN_MISSING",
        "Send the playback's media token in the header X-Media-Token.",
        when=f'{_MEDIA} && response.code_details == "{TOKEN_MISSING}"',
    ),
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "MEDIA_TOKEN_INVALID",
        "The media token is not valid any more. Renew the playback.",
        when=f'{_MEDIA} && response.code_details.startsWith("{TOKEN_REFUSED}")',
    ),
    Reply(
        403,
        code_pb2.PERMISSION_DENIED,
        "MEDIA_FORBIDDEN",
        "This media token belongs to other audio.",
        when=f"{_MEDIA} && response.code == 403",
    ),
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "TOKEN_MISSING",
        "Sign in and send the access token in the Authorization header.",
        when=f'response.code_details == "{TOKEN_MISSING}"',
    ),
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "TOKEN_INVALID",
        "The access token is not valid any more. Refresh the session.",
        when=f'response.code_details.startsWith("{TOKEN_REFUSED}")',
    ),
    REQUEST_MALFORMED,
    Reply(
        404,
        code_pb2.UNIMPLEMENTED,
        "PATH_UNKNOWN",
        "There is nothing at this path. The API is described at /openapi.json.",
        when="response.code == 404",
    ),
    Reply(
        405,
        code_pb2.UNIMPLEMENTED,
        "METHOD_NOT_ALLOWED",
        "This path does not support that method; the header Allow lists those it does.",
        when="response.code == 405",
    ),
    Reply(
        408,
        code_pb2.DEADLINE_EXCEEDED,
        "REQUEST_TIMEOUT",
        "The request did not arrive in time. Try again.",
        when="response.code == 408",
    ),
    Reply(
        413,
        code_pb2.INVALID_ARGUMENT,
        "BODY_TOO_LARGE",
        "The body is too large: 1 MiB for calls, 64 MiB for a part of an upload.",
        when="response.code == 413",
    ),
    Reply(
        415,
        code_pb2.INVALID_ARGUMENT,
        "CONTENT_TYPE_UNSUPPORTED",
        "This is a gRPC path: send gRPC or gRPC-Web, or use the JSON paths of /openapi.json.",
        when="response.code == 415",
    ),
    Reply(
        429,
        code_pb2.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        "Too many requests from this address. Try again in a moment.",
        when="response.code == 429",
        retry=True,
    ),
    Reply(
        431,
        code_pb2.INVALID_ARGUMENT,
        "HEADERS_TOO_LARGE",
        "The request's headers are too large.",
        when="response.code == 431",
    ),
    DEPENDENCY_UNAVAILABLE,
    Reply(
        504,
        code_pb2.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        "The call took too long. Try again.",
        when="response.code == 504",
    ),
)


def mappers() -> list[dict[str, Any]]:
    """Write the replies for `local_reply_config`: for each one entry for gRPC clients and one for all others."""
    return [mapper for reply in LOCAL for mapper in (_grpc_mapper(reply), _json_mapper(reply))]


def _grpc_mapper(reply: Reply) -> dict[str, Any]:
    headers = {"grpc-status": str(reply.code), "grpc-status-details-bin": reply.packed}
    return {
        "filter": _cel(f"({reply.when}) && {_IS_GRPC}"),
        "status_code": reply.status,
        "headers_to_add": [_header(name, value) for name, value in headers.items()],
        "body": {"inline_string": reply.message},
        "body_format_override": {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}},
    }


def _json_mapper(reply: Reply) -> dict[str, Any]:
    headers = {"retry-after": str(RETRY_SECONDS)} if reply.retry else {}
    return {
        "filter": _cel(reply.when),
        "status_code": reply.status,
        "headers_to_add": [_header(name, value) for name, value in headers.items()],
        "body": {"inline_string": reply.body},
        "body_format_override": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "application/json",
        },
    }


_IS_GRPC = (
    '"content-type" in request.headers && request.headers["content-type"].startsWith("application/grpc")'
    ' && !("x-envoy-original-method" in request.headers)'
)
"""The transcoder turns JSON calls into gRPC ones and notes their HTTP method in that header."""


def _cel(expression: str) -> dict[str, Any]:
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                "expression": expression,
            },
        }
    }


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _by_status(**statuses: Reply) -> dict[str, dict[str, str]]:
    return {name.lstrip("_"): {"status": str(reply.status), "body": reply.body} for name, reply in statuses.items()}


MEDIA_ERRORS = _by_status(
    # A store may hide what is missing behind 403; the token has been checked by then.
    _403=MEDIA_NOT_FOUND,
    _404=MEDIA_NOT_FOUND,
    _400=REQUEST_MALFORMED,
    _416=RANGE_UNSATISFIABLE,
    other=DEPENDENCY_UNAVAILABLE,
)
"""What the store's statuses mean when audio is asked for."""

UPLOAD_ERRORS = _by_status(
    _400=REQUEST_MALFORMED,
    _403=UPLOAD_URL_INVALID,
    _404=UPLOAD_NOT_FOUND,
    other=DEPENDENCY_UNAVAILABLE,
)
"""What the store's statuses mean when a part is uploaded."""
