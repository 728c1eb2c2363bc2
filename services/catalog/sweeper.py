"""Brings uploads on that nobody else brings on: reconciliation by state, whatever was lost on the way."""

import asyncio
from datetime import timedelta

import structlog

from services.catalog import events
from services.catalog.masters import Masters
from services.catalog.store import Store

log = structlog.get_logger("sweeper")


class Sweeper:
    """Sweeps the uploads. Several sweepers share the work."""

    def __init__(self, store: Store, masters: Masters, announce_again: timedelta) -> None:
        """Announce a master without an outcome again after this time."""
        self._store = store
        self._masters = masters
        self._announce_again = announce_again

    async def run(self, every_seconds: float) -> None:
        """Sweep until cancelled. An outage of the database or of the object store only delays."""
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 (whatever is away, the uploads wait)
                log.warning("sweep_failed", error=type(error).__name__)
            await asyncio.sleep(every_seconds)

    async def sweep(self) -> None:
        """Announce what has no outcome, end what is overdue, discard what is given up."""
        async with self._store.begin() as tx:
            for upload in await tx.uploads.take_unfinished(self._announce_again):
                await events.announce(tx, upload)
                log.info("announced_again", upload=str(upload.id))
        async with self._store.begin() as tx:
            await tx.uploads.expire()
        async with self._store.read() as tx:
            given_up = await tx.uploads.left_over()
        for upload in given_up:
            await self._masters.discard(upload)
        async with self._store.begin() as tx:
            await tx.uploads.discarded(given_up)
