"""What recordings are known by, to find the same one under two artists."""

from uuid import UUID

from sqlalchemy import delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Integer

from services.processing.domain import Job
from services.processing.media.fingerprint import Fingerprint
from services.processing.tables import fingerprints, processing_jobs

CANDIDATES = 10
"""How many recordings with the most terms in common are compared."""


class Fingerprints:
    """Fingerprints of the masters that were processed, by job."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, job: Job, fingerprint: Fingerprint) -> None:
        """Note what a master is known by; one without sound is known by nothing."""
        if not fingerprint.terms:
            return
        values = {
            "job_id": job.id,
            "track_id": job.master.track_id,
            "artist_id": job.master.artist_id,
            "items": fingerprint.data,
            "terms": fingerprint.terms,
        }
        await self._connection.execute(insert(fingerprints).values(**values).on_conflict_do_nothing())

    async def find_same_recording(self, artist_id: UUID, fingerprint: Fingerprint) -> UUID | None:
        """Find a track of another artist that holds the same recording."""
        terms = literal(fingerprint.terms, ARRAY(Integer))
        columns = fingerprints.c
        term = func.unnest(columns.terms).column_valued("term")
        common = select(func.count(term)).where(term == func.any(terms)).scalar_subquery()
        alike = (
            select(columns.track_id, columns["items"])
            .where(columns.terms.overlap(terms), columns.artist_id != artist_id)
            .order_by(common.desc(), columns.job_id)
            .limit(CANDIDATES)
        )
        for track_id, items in await self._connection.execute(alike):
            if fingerprint.is_same_recording(Fingerprint(items)):
                return UUID(str(track_id))
        return None

    async def forget(self, folder: str) -> None:
        """Forget the master whose renditions lie in a folder that is not played any more."""
        job = select(processing_jobs.c.id).where(processing_jobs.c.folder == folder)
        await self._connection.execute(delete(fingerprints).where(fingerprints.c.job_id.in_(job)))
