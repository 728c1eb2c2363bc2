"""What a worker does while the database is away: its task goes on, and is written down when the database is back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from services.common import status

OUTAGE_SECONDS = 1.0
"""Pause after the database did not answer."""

Answer = TypeVar("Answer")

log = structlog.get_logger("worker")


async def persist(write: Callable[[], Awaitable[Answer]]) -> Answer:
    """Write to the database, however long it is away. The fence tells whether it is too late by then."""
    while True:
        try:
            return await write()
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("database_unreachable", error=type(error).__name__)
        await asyncio.sleep(OUTAGE_SECONDS)


def is_passing(error: Exception) -> bool:
    """Whether the same may go well a little later."""
    return status.is_outage(error) or status.is_conflict(error)
