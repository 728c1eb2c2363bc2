"""Tasks: ended for certain, and woken when something has happened."""

import asyncio
from contextlib import suppress
from typing import Any

PATIENCE_SECONDS = 10.0
"""How long a task may take to tidy up, unless told otherwise, before it is told again to end."""


async def end(*tasks: asyncio.Task[Any], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Cancel tasks and wait until they have ended, whatever came of them.

    A cancellation can be lost: before Python 3.12 `asyncio.wait_for` swallows one that comes together with the answer
    (python/cpython#86296), and libraries wait by it. A loop that outlives outages would go on for ever then, and its
    process would have to be killed; so whoever is still there is told again.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=patience_seconds)
    await asyncio.gather(*tasks, return_exceptions=True)


def is_cancelled() -> bool:
    """Say whether the running task was told to end: a loop that goes on after failures has to ask (see `end`)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Bell:
    """Wakes all who wait for something; it is kept for those who are busy."""

    def __init__(self) -> None:
        self._listeners: list[asyncio.Event] = []

    def listener(self) -> asyncio.Event:
        """Make an event that every ring sets."""
        self._listeners.append(asyncio.Event())
        return self._listeners[-1]

    def ring(self) -> None:
        """Wake everybody."""
        for listener in self._listeners:
            listener.set()


async def rest(woken: asyncio.Event, seconds: float) -> None:
    """Wait for an event, which is taken with that, but not longer than `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
    woken.clear()
