"""Why a call is refused. Domain code raises these; `status` turns them into what clients see.

`reason` is the bare name of a value in `proto/spotilike/errors/v1/error_reason.proto` (AIP-193).
"""

from dataclasses import dataclass


class Refusal(Exception):  # noqa: N818 (a refusal is an answer, not a fault of the program)
    """A call that is answered with no, for a reason that the client can act on."""

    def __init__(self, reason: str, message: str, *, retry_seconds: float | None = None, **metadata: str) -> None:
        """Refuse because of `reason`; `message` says what to do, `metadata` holds its variables."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata
        self.retry_seconds = retry_seconds


class NotFound(Refusal):
    """The resource does not exist, or the caller may not know that it does."""


class AlreadyExists(Refusal):
    """Another resource has what must be unique."""


class Unauthenticated(Refusal):
    """The caller did not prove who they are."""


class PermissionDenied(Refusal):
    """The caller may see the resource, but not do this with it."""


class FailedPrecondition(Refusal):
    """The resource is not in a state that allows this."""


class ResourceExhausted(Refusal):
    """A limit is reached."""


class Unavailable(Refusal):
    """A part that is needed does not answer now."""


class DeadlineExceeded(Refusal):
    """The call took longer than it was given."""


class InvalidArgument(Refusal):
    """The request as a whole makes no sense, whatever the state of the system."""


@dataclass(frozen=True)
class Violation:
    """One field that breaks a rule."""

    field: str
    """Path in the request, such as `track.artists[0].artist`."""
    description: str
    """What the field has to be."""


class InvalidFields(InvalidArgument):
    """Fields break rules; all of them are listed (google.rpc.BadRequest)."""

    def __init__(self, *violations: Violation) -> None:
        """Refuse because of `violations`."""
        listed = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        super().__init__("INVALID_FIELDS", listed)
        self.violations = violations


def unavailable() -> Unavailable:
    """Refuse because a dependency does not answer; the client may try again in a second."""
    return Unavailable("DEPENDENCY_UNAVAILABLE", "A part of the platform is not ready. Try again.", retry_seconds=1.0)
