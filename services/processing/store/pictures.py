"""The queue of pictures, and what became of them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, or_, select, update

from services.processing.domain import Lease, Picture, Source, Status
from services.processing.store.tasks import Tasks, from_now, task_of
from services.processing.tables import pictures


class Pictures(Tasks[Picture]):
    """The queue of pictures, and what became of them: their images are public until they are retired."""

    _table = pictures

    async def add(self, picture_id: UUID, source: Source) -> bool:
        """Take a picture in; answers whether it was new."""
        values = {"source_bucket": source.source_bucket, "source_key": source.source_key}
        return await self._add(id=picture_id, size_bytes=source.size_bytes, **values)

    async def complete(self, lease: Lease[Picture], blur_hash: str) -> Picture:
        """End a picture well. Raises LeaseLostError."""
        return await self._complete(lease, blur_hash=blur_hash)

    async def retire(self, picture_id: UUID) -> bool:
        """Note that a picture is not shown any more; answers whether it is known. Noting it again changes nothing."""
        moment = func.coalesce(pictures.c.retired_at, func.now())
        noted = update(pictures).where(pictures.c.id == picture_id).values(retired_at=moment)
        return (await self._connection.execute(noted)).rowcount > 0

    async def garbage(self, grace_seconds: float, limit: int) -> list[str]:
        """List folders of pictures that were retired, or have failed, more than `grace_seconds` ago."""
        columns, past = pictures.c, from_now(-grace_seconds)
        useless = or_(columns.retired_at < past, and_(columns.status == Status.FAILED, columns.updated_at < past))
        statement = select(columns.id).where(useless, columns.removed_at.is_(None)).order_by(columns.updated_at)
        return [str(picture_id) for picture_id in (await self._connection.execute(statement.limit(limit))).scalars()]

    async def removed(self, folder: str) -> None:
        """Note that a folder is gone."""
        gone = update(pictures).where(pictures.c.id == UUID(folder)).values(removed_at=func.now())
        await self._connection.execute(gone)

    @staticmethod
    def _read(row: Row[Any]) -> Picture:
        source = Source(row.source_bucket, row.source_key, row.size_bytes, sha256=None)
        return Picture(**task_of(row), source=source, blur_hash=row.blur_hash)
