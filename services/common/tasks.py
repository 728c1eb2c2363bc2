"""Ending tasks for certain."""

import asyncio
from typing import Any

PATIENCE_SECONDS = 10.0
"""How long a task may take to tidy up before it is told again to end."""


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended, whatever came of them.

    A cancellation can be lost: before Python 3.12 `asyncio.wait_for` swallows one that comes together with the answer
    (python/cpython#86296), and libraries wait by it. A loop that outlives outages would go on for ever then, and its
    process would have to be killed; so whoever is still there is told again.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=PATIENCE_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


def is_cancelled() -> bool:
    """Say whether the running task was told to end: a loop that goes on after failures has to ask (see `end`)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
