"""Work beside the calls: playbacks that went silent are closed, and the tables stay small."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from services.streaming.settings import Settings
from services.streaming.store import Store

log = structlog.get_logger("sweeper")


class Sweeper:
    """Closes and removes what is over. Any number may run side by side."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Sweep `store` as `settings` say."""
        self._store = store
        self._silence = timedelta(seconds=settings.playback_timeout_seconds)
        self._keep = timedelta(days=settings.keep_days)
        self._sweep_seconds = settings.sweep_seconds
        self._housekeeping_seconds = settings.housekeeping_seconds

    async def run(self) -> None:
        """Sweep until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_every(self._sweep_seconds, self._close_silent))
            tasks.create_task(_every(self._housekeeping_seconds, self._keep_house))

    async def _close_silent(self) -> None:
        async with self._store.begin() as tx:
            closed = await tx.playbacks.close_silent(self._silence)
        if closed:
            log.info("playbacks_timed_out", count=closed)

    async def _keep_house(self) -> None:
        async with self._store.begin() as tx:
            await tx.playbacks.remove_closed(self._keep)
            await tx.forget_requests(self._keep)
        async with self._store.begin() as tx:
            await tx.history.make_room()


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do some work again and again; a database that is away only delays it."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 (whatever failed, nothing of it was kept and it is tried again)
            log.warning("sweep_failed", work=work.__name__, error=type(error).__name__)
        await asyncio.sleep(seconds)
