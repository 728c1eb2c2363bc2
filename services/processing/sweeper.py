"""Removes folders from the object store: of attempts that were fenced off here, and those that the catalog retired.

Nothing else is ever removed, whatever a listing shows, and only after a grace that outlives every media token.
"""

import asyncio

import structlog

from services.common.storage import Storage
from services.processing.store import Attempts, RetiredFolders, Store

BATCH = 100

log = structlog.get_logger("sweeper")


class Sweeper:
    """Sweeps one bucket. Several sweepers do no harm: removing is repeatable."""

    def __init__(
        self, store: Store, storage: Storage, bucket: str, abandoned_grace: float, retired_grace: float
    ) -> None:
        """Remove folders from `bucket` after their graces, in seconds."""
        self._store = store
        self._storage = storage
        self._bucket = bucket
        self._abandoned_grace = abandoned_grace
        self._retired_grace = retired_grace

    async def run(self, every_seconds: float) -> None:
        """Sweep until cancelled. An outage of the database or of the store only delays."""
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 (whatever is away, the folders wait)
                log.warning("sweep_failed", error=type(error).__name__)
            await asyncio.sleep(every_seconds)

    async def sweep(self) -> None:
        """Remove the folders whose time has come."""
        async with self._store.read() as tx:
            abandoned = await tx.attempts.garbage(self._abandoned_grace, BATCH)
            retired = await tx.retired_folders.garbage(self._retired_grace, BATCH)
            await self._remove(tx.attempts, abandoned)
            await self._remove(tx.retired_folders, retired)

    async def _remove(self, origin: Attempts | RetiredFolders, folders: list[str]) -> None:
        for folder in folders:
            await self._empty(f"{folder}/")
            await origin.removed(folder)
            log.info("folder_removed", folder=folder)

    async def _empty(self, prefix: str) -> None:
        for key, upload_id in await self._storage.open_uploads(self._bucket, prefix):
            await self._storage.abort_multipart(self._bucket, key, upload_id)
        for key in await self._storage.keys(self._bucket, prefix):
            await self._storage.remove(self._bucket, key)
