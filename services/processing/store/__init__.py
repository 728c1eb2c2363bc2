"""Every SQL statement of the processing context. Only the database's clock counts."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.db import Database, UnitsOfWork
from services.common.outbox import Outbox
from services.common.requests import Requests
from services.processing.store.dead_letters import DeadLetters
from services.processing.store.fingerprints import Fingerprints
from services.processing.store.folders import Attempts, Previews, RetiredFolders
from services.processing.store.jobs import Jobs
from services.processing.store.pictures import Pictures
from services.processing.tables import outbox, request_ids


class Transaction:
    """One unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self.jobs = Jobs(connection)
        self.pictures = Pictures(connection)
        self.attempts = Attempts(connection)
        self.previews = Previews(connection)
        self.fingerprints = Fingerprints(connection)
        self.retired_folders = RetiredFolders(connection)
        self.dead_letters = DeadLetters(connection)
        self.outbox = Outbox(connection, outbox)
        self.requests = Requests(connection, request_ids)
        self._connection = connection

    async def now(self) -> datetime:
        """Read the database's clock."""
        now: datetime = (await self._connection.execute(select(func.now()))).scalar_one()
        return now


class Store(UnitsOfWork[Transaction]):
    """The rows of `processing_db`."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        super().__init__(database, Transaction)
