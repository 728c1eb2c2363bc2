"""What clients get when the edge itself refuses a request: JSON, or trailers for gRPC clients, always with ErrorInfo.

Envoy's `local_reply_config` picks the first entry whose CEL expression holds.
"""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.json_format import MessageToDict
from google.rpc import code_pb2, error_details_pb2, status_pb2

from envoy.headers import headers

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
    retry: bool = False
    """Whether to say when to try again."""
    grpc_code: int | None = None
    """google.rpc.Code for gRPC clients, where theirs is another."""

    @property
    def body(self) -> dict[str, Any]:
        """The refusal as JSON: google.rpc.Status with exactly one ErrorInfo."""
        fields: dict[str, Any] = MessageToDict(self._status(self.code), always_print_fields_with_no_presence=True)
        return fields

    @property
    def trailers(self) -> dict[str, str]:
        """The refusal as gRPC."""
        code = self.grpc_code or self.code
        packed = base64.b64encode(self._status(code).SerializeToString()).decode()
        return {"grpc-status": str(code), "grpc-message": self.message, "grpc-status-details-bin": packed}

    def _status(self, code: int) -> status_pb2.Status:
        details: list[error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo]
        details = [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)]
        if self.retry:
            details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=RETRY_SECONDS)))
        status = status_pb2.Status(code=code, message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status


TOKEN_MISSING = "jwt_authn_access_denied{Jwt_is_missing}"  # noqa: S105 (Envoy's words for it)
TOKEN_REFUSED = "jwt_authn_access_denied"  # noqa: S105
_MEDIA = 'xds.route_name == "media"'
_REFUSED = "response.code >= 400"

MEDIA_NOT_FOUND = Reply(404, code_pb2.NOT_FOUND, "MEDIA_NOT_FOUND", "There is no such audio.")
RANGE_UNSATISFIABLE = Reply(
    416, code_pb2.OUT_OF_RANGE, "RANGE_UNSATISFIABLE", "The file ends before the first byte that was asked for."
)
IMAGE_NOT_FOUND = Reply(404, code_pb2.NOT_FOUND, "IMAGE_NOT_FOUND", "There is no such picture, or not any more.")
UPLOAD_URL_INVALID = Reply(
    403,
    code_pb2.PERMISSION_DENIED,
    "UPLOAD_URL_INVALID",
    "This address does not permit the upload, or not any more. Ask for the upload again to get fresh ones.",
)
UPLOAD_NOT_FOUND = Reply(404, code_pb2.NOT_FOUND, "UPLOAD_NOT_FOUND", "There is no such upload.")
REQUEST_MALFORMED = Reply(
    400, code_pb2.INVALID_ARGUMENT, "REQUEST_MALFORMED", "The request is not well formed.", when=_REFUSED
)
PATH_UNKNOWN = Reply(
    404,
    code_pb2.NOT_FOUND,
    "PATH_UNKNOWN",
    "There is nothing at this path. The API is described at /openapi.json.",
    when="response.code == 404",
    grpc_code=code_pb2.UNIMPLEMENTED,
)
DEADLINE_EXCEEDED = Reply(
    504,
    code_pb2.DEADLINE_EXCEEDED,
    "DEADLINE_EXCEEDED",
    "The call took too long. Try again.",
    when="response.code == 504",
)
OVERLOADED = Reply(
    429,
    code_pb2.RESOURCE_EXHAUSTED,
    "OVERLOADED",
    "Too many calls at once. Try again.",
    when='response.code_details == "overload" || response.code_details.contains("overflow")',
    retry=True,
)
DEPENDENCY_UNAVAILABLE = Reply(
    503,
    code_pb2.UNAVAILABLE,
    "DEPENDENCY_UNAVAILABLE",
    "A part of the platform is not ready. Try again.",
    when="response.code >= 500",
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
    replace(UPLOAD_URL_INVALID, when='xds.route_name == "upload-unsigned"'),
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
    Reply(
        400,
        code_pb2.INVALID_ARGUMENT,
        "REQUEST_MALFORMED",
        "The request is not well formed: %LOCAL_REPLY_BODY%",  # the transcoder's words about the client's JSON
        when='response.code == 400 && response.code_details.contains("grpc_json_transcode_failure")',
    ),
    PATH_UNKNOWN,
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
        414,
        code_pb2.INVALID_ARGUMENT,
        "PATH_TOO_LONG",
        "The path and its query are too long: 8 KiB at most.",
        when="response.code == 414",
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
        "Send application/json to the paths of /openapi.json, and gRPC or gRPC-Web to gRPC paths.",
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
    DEADLINE_EXCEEDED,
    OVERLOADED,
    DEPENDENCY_UNAVAILABLE,
    REQUEST_MALFORMED,
)


def mappers() -> list[dict[str, Any]]:
    """Write the replies for `local_reply_config`: for each one entry for gRPC clients and one for all others."""
    refusals = [mapper for reply in LOCAL for mapper in (_grpc_mapper(reply), _json_mapper(reply))]
    return [*refusals, _healthy()]


def _grpc_mapper(reply: Reply) -> dict[str, Any]:
    """Answer with trailers only; gRPC-Web clients look at them when the status is 200 and the body is empty."""
    return {
        "filter": _cel(f"({reply.when}) && {_FROM_GRPC}"),
        "status_code": 200,
        "headers_to_add": headers(reply.trailers),
        "body_format_override": {"text_format_source": {"inline_string": ""}, "content_type": "application/grpc"},
    }


def _json_mapper(reply: Reply) -> dict[str, Any]:
    return {
        "filter": _cel(reply.when),
        "status_code": reply.status,
        "headers_to_add": headers(_UNKEPT | ({"retry-after": str(RETRY_SECONDS)} if reply.retry else {})),
        "body_format_override": {"json_format": reply.body, "content_type": "application/json"},
    }


_UNKEPT = {"cache-control": "no-store"}


def _healthy() -> dict[str, Any]:
    return {
        "filter": _cel('request.url_path == "/healthz"'),
        "body_format_override": {"json_format": {"status": "SERVING"}, "content_type": "application/json"},
    }


_FROM_GRPC = (
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


_INTERNAL = Reply(500, code_pb2.INTERNAL, "INTERNAL", "Something went wrong on our side.")

SERVICE_ERRORS = {
    "1": DEPENDENCY_UNAVAILABLE.trailers,  # it stopped just then
    "4": DEADLINE_EXCEEDED.trailers,
    "8": OVERLOADED.trailers,
    "12": PATH_UNKNOWN.trailers,
    "14": DEPENDENCY_UNAVAILABLE.trailers,
    "other": _INTERNAL.trailers,
}
"""What the codes mean with which a service's gRPC library, and not the service, refuses."""


def _for_store(replies: dict[str, Reply]) -> dict[str, dict[str, str]]:
    return {status: {"status": str(reply.status), "body": json.dumps(reply.body)} for status, reply in replies.items()}


MEDIA_ERRORS = _for_store(
    {
        "400": REQUEST_MALFORMED,
        # A store may hide behind 403 that something is missing; the token has been checked by then.
        "403": MEDIA_NOT_FOUND,
        "404": MEDIA_NOT_FOUND,
        "416": RANGE_UNSATISFIABLE,
        "other": DEPENDENCY_UNAVAILABLE,
    }
)
"""What the store's statuses mean when audio is asked for."""

IMAGE_ERRORS = _for_store(
    {
        "400": REQUEST_MALFORMED,
        # As above.
        "403": IMAGE_NOT_FOUND,
        "404": IMAGE_NOT_FOUND,
        "416": RANGE_UNSATISFIABLE,
        "other": DEPENDENCY_UNAVAILABLE,
    }
)
"""What the store's statuses mean when a picture is asked for."""

UPLOAD_ERRORS = _for_store(
    {
        "400": REQUEST_MALFORMED,
        "403": UPLOAD_URL_INVALID,
        "404": UPLOAD_NOT_FOUND,
        "other": DEPENDENCY_UNAVAILABLE,
    }
)
"""What the store's statuses mean when a part is uploaded."""
