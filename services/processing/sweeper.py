"""Removes folders from the object store: of attempts that were fenced off here, and what the catalog retired.

Nothing else is ever removed, whatever a listing shows, and only after a grace that outlives every media token.
"""

import asyncio
from dataclasses import dataclass

import structlog

from services.common.buckets import AUDIO, IMAGES, PREVIEWS
from services.common.storage import Storage
from services.processing.store import Store
from services.processing.store.folders import Attempts, Previews, RetiredFolders
from services.processing.store.pictures import Pictures

BATCH = 100

log = structlog.get_logger("sweeper")


@dataclass(frozen=True)
class Graces:
    """How long folders stay after their end, in seconds."""

    abandoned: float
    """Of an attempt that did not complete its job."""
    retired: float
    """Of a master that is not played any more."""
    replaced: float
    """Of a picture that is not shown any more."""
    preview: float
    """Of what an artist may hear while the master is encoded, since its beginning."""


class Sweeper:
    """Sweeps three buckets. Several sweepers do no harm: removing is repeatable."""

    def __init__(self, store: Store, storage: Storage, graces: Graces) -> None:
        """Remove folders after their graces."""
        self._store = store
        self._storage = storage
        self._graces = graces

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
            await self._remove(tx.attempts, AUDIO, self._graces.abandoned)
            await self._remove(tx.retired_folders, AUDIO, self._graces.retired)
            await self._remove(tx.previews, PREVIEWS, self._graces.preview)
            await self._remove(tx.pictures, IMAGES, self._graces.replaced)

    async def _remove(
        self, origin: Attempts | RetiredFolders | Previews | Pictures, bucket: str, grace_seconds: float
    ) -> None:
        for folder in await origin.garbage(grace_seconds, BATCH):
            await self._empty(bucket, f"{folder}/")
            await origin.removed(folder)
            log.info("folder_removed", bucket=bucket, folder=folder)

    async def _empty(self, bucket: str, prefix: str) -> None:
        if bucket == AUDIO:  # everything else is written at once, never in parts
            for key, upload_id in await self._storage.open_uploads(bucket, prefix):
                await self._storage.abort_multipart(bucket, key, upload_id)
        for key in await self._storage.keys(bucket, prefix):
            await self._storage.remove(bucket, key)
