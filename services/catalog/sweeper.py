"""Brings uploads and pictures on that nobody else brings on: reconciliation by state, whatever was lost on the way."""

import asyncio
from datetime import timedelta

import structlog

from services.catalog import events
from services.catalog.arrivals import Arrivals
from services.catalog.store import Store

log = structlog.get_logger("sweeper")


class Sweeper:
    """Sweeps uploads and pictures. Several sweepers share the work."""

    def __init__(self, store: Store, arrivals: Arrivals, announce_again: timedelta) -> None:
        """Announce what has no outcome again after this time."""
        self._store = store
        self._arrivals = arrivals
        self._announce_again = announce_again

    async def run(self, every_seconds: float) -> None:
        """Sweep until cancelled. An outage of the database or of the object store only delays."""
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 (whatever is away, they wait)
                log.warning("sweep_failed", error=type(error).__name__)
            await asyncio.sleep(every_seconds)

    async def sweep(self) -> None:
        """Announce what has no outcome, end what is overdue, discard files of no more use."""
        async with self._store.begin() as tx:
            for upload in await tx.uploads.take_unfinished(self._announce_again):
                await events.announce(tx, upload)
                log.info("announced_again", upload=str(upload.id))
            for artwork in await tx.artworks.take_unfinished(self._announce_again):
                await events.announce_artwork(tx, artwork)
                log.info("announced_again", artwork=str(artwork.id))
            for artwork in await tx.artworks.take_unstored(self._announce_again):
                await events.announce_avatar(tx, artwork)
                log.info("announced_again", avatar=str(artwork.id))
        async with self._store.begin() as tx:
            await tx.uploads.expire()
            await tx.artworks.expire()
        async with self._store.read() as tx:
            given_up, pictures = await tx.uploads.left_over(), await tx.artworks.left_over()
        for file in (*given_up, *pictures):
            await self._arrivals.discard(file)
        async with self._store.begin() as tx:
            await tx.uploads.discarded(given_up)
            await tx.artworks.discarded(pictures)
