"""What was given up."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.pages import Page, PageRequest
from services.processing.domain import DeadLetter
from services.processing.tables import dead_letters


class DeadLetters:
    """What was given up and waits for a person. Events are put here by `DeadEvents`."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add_job(self, job_id: UUID, error: str) -> None:
        """Put a job aside."""
        await self._connection.execute(insert(dead_letters).values(job_id=job_id, error=error))

    async def find(self, letter_id: UUID) -> DeadLetter | None:
        """Find a letter."""
        statement = select(dead_letters).where(dead_letters.c.id == letter_id)
        row = (await self._connection.execute(statement)).one_or_none()
        return DeadLetter(**row._mapping) if row else None  # noqa: SLF001 (the documented way to the names)

    async def list(self, request: PageRequest) -> Page[DeadLetter]:
        """List letters, the newest first."""
        columns = dead_letters.c
        statement = select(dead_letters)
        if after := request.keyset(datetime.fromisoformat, UUID):
            statement = statement.where(func.row(columns.created_at, columns.id) < func.row(*after))
        statement = statement.order_by(columns.created_at.desc(), columns.id.desc()).limit(request.limit)
        rows = (await self._connection.execute(statement)).all()
        page = request.page(rows, lambda row: (row.created_at.isoformat(), row.id))
        return Page([DeadLetter(**row._mapping) for row in page.rows], page.next_token)  # noqa: SLF001 (as above)

    async def remove(self, letter_id: UUID) -> bool:
        """Throw a letter away; answers whether it was there."""
        gone = delete(dead_letters).where(dead_letters.c.id == letter_id)
        return (await self._connection.execute(gone)).rowcount > 0

    async def remove_job(self, job_id: UUID) -> None:
        """Throw the letter of a job away, if it has one."""
        await self._connection.execute(delete(dead_letters).where(dead_letters.c.job_id == job_id))
