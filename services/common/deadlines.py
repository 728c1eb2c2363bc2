"""How much time the running call has left, so that a call that it makes ends before it does itself."""

import time
from contextvars import ContextVar

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(seconds: float) -> None:
    """Note that the call of the current task has to end in so many seconds."""
    _ends_at.set(time.monotonic() + seconds)


def left(at_most: float) -> float:
    """Answer how many seconds a call to another service may take: `at_most`, or what the running call has left.

    Raises TimeoutError when it has nothing left. Work outside calls, such as a consumer's, has no deadline.
    """
    ends_at = _ends_at.get()
    if ends_at is None:
        return at_most
    seconds = ends_at - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return min(at_most, seconds)
