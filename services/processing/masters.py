"""The masters behind jobs, as they lie in the object store."""

from services.common.storage import Missing, Storage
from services.processing.domain import Job, master_missing


class Masters:
    """Says whether a master can still be read."""

    def __init__(self, storage: Storage) -> None:
        """Look into `storage`."""
        self._storage = storage

    async def demand(self, job: Job) -> None:
        """Refuse unless the master of a job is there."""
        try:
            await self._storage.stat(job.master.source_bucket, job.master.source_key)
        except Missing:
            raise master_missing(job) from None
