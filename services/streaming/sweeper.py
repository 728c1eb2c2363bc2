"""Ends the playbacks that nobody else ends, and makes room for what they leave."""

import asyncio
from datetime import timedelta

import structlog

from services.streaming.store import Store

ERASED_AGAIN_AFTER = timedelta(minutes=1)
"""Longer than a service takes to refuse the access tokens of a session that has ended."""

log = structlog.get_logger("sweeper")


class Sweeper:
    """Sweeps the playbacks. Several sweepers share the work."""

    def __init__(self, store: Store, silence: timedelta) -> None:
        """Close a playback of `store` that was neither reported nor renewed for this time."""
        self._store = store
        self._silence = silence

    async def run(self, every_seconds: float) -> None:
        """Sweep until cancelled. An outage of the database only delays."""
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 (whatever failed, nothing of it was kept and it is tried again)
                log.warning("sweep_failed", error=type(error).__name__)
            await asyncio.sleep(every_seconds)

    async def sweep(self) -> None:
        """Close what went silent, finish erasures, and make the partitions that the history will need next."""
        async with self._store.begin() as tx:
            closed = await tx.playbacks.close_silent(self._silence)
        if closed:
            log.info("playbacks_timed_out", count=closed)
        while await self._erase_again():
            continue
        async with self._store.begin() as tx:
            await tx.history.make_room()

    async def _erase_again(self) -> bool:
        """Erase one person once more; answers whether there was one."""
        async with self._store.begin() as tx:
            user_id = await tx.listeners.take_erased(ERASED_AGAIN_AFTER)
            if user_id is not None:
                await tx.erase(user_id)
        return user_id is not None
