"""The one place where an error becomes what a client sees (google.rpc.Status, AIP-193).

Anything that is not a `Refusal` is unexpected: it is logged under an id, and only the id leaves the service.
"""

import asyncio
import uuid

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from psycopg import errors as sql_errors
from sqlalchemy import exc as sql

from services.common import errors

DOMAIN = "spotilike.dev"

CODES: dict[type[errors.Refusal], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
}

AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
"""What another service answers, or fails to, while it cannot serve."""

log = structlog.get_logger("rpc")


def code(refusal: errors.Refusal) -> grpc.StatusCode:
    """Find the status code of a refusal by its class."""
    return next(CODES[kind] for kind in type(refusal).__mro__ if kind in CODES)


def details(refusal: errors.Refusal) -> status_pb2.Status:
    """Write a refusal as google.rpc.Status with exactly one ErrorInfo."""
    parts: list[error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo] = [
        error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=refusal.metadata)
    ]
    if isinstance(refusal, errors.InvalidFields):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in refusal.violations
        ]
        parts.append(error_details_pb2.BadRequest(field_violations=violations))
    if refusal.retry_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(refusal.retry_seconds * 1000))
        parts.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code(refusal).value[0], message=refusal.message)
    for part in parts:
        packed = any_pb2.Any()
        packed.Pack(part)
        status.details.append(packed)
    return status


def refusal_of(error: Exception, method: str) -> errors.Refusal:
    """Turn any error into a refusal; what is unexpected is logged and scrubbed."""
    if isinstance(error, errors.Refusal):
        return error
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return errors.DeadlineExceeded("DEADLINE_EXCEEDED", "The call took too long. Try again.")
    if is_outage(error):
        log.warning("dependency_unavailable", method=method, error=type(error).__name__)
        return errors.unavailable()
    error_id = uuid.uuid4().hex
    log.error("unexpected_error", method=method, error_id=error_id, exc_info=error)
    return Unexpected(error_id)


def is_outage(error: Exception) -> bool:
    """Say whether a database or another service, and not the program, is what failed."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() in AWAY
    if isinstance(error, sql.DBAPIError):
        lost = isinstance(error.orig, sql_errors.OperationalError | sql_errors.InterfaceError)
        return error.connection_invalidated or (lost and not isinstance(error.orig, sql_errors.QueryCanceled))
    return isinstance(error, sql.TimeoutError | ConnectionError)


def is_conflict(error: Exception) -> bool:
    """Say whether a transaction lost against another one and may simply be run again."""
    lost = sql_errors.SerializationFailure | sql_errors.DeadlockDetected
    return isinstance(error, sql.DBAPIError) and isinstance(error.orig, lost)


class Unexpected(errors.Refusal):
    """A fault of ours; the id finds it in the log."""

    def __init__(self, error_id: str) -> None:
        """Refuse with the id alone."""
        super().__init__("INTERNAL", f"Something went wrong on our side (error {error_id}).", error_id=error_id)


CODES[Unexpected] = grpc.StatusCode.INTERNAL
