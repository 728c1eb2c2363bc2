"""Every SQL statement of the user context."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import sessions as ended
from services.common.db import Database, UnitsOfWork
from services.common.outbox import Outbox
from services.user.store.attempts import AttemptCounts
from services.user.store.mails import Links, Mails
from services.user.store.sessions import NewToken, Sessions
from services.user.store.trail import Trail
from services.user.store.users import Users
from services.user.tables import ended_sessions, outbox

__all__ = ["NewToken", "Store", "Transaction"]


class Store(UnitsOfWork["Transaction"]):
    """The rows of `user_db`."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        super().__init__(database, Transaction)


class Transaction:
    """One unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self.users = Users(connection)
        self.sessions = Sessions(connection)
        self.attempts = AttemptCounts(connection)
        self.trail = Trail(connection)
        self.mails = Mails(connection)
        self.links = Links(connection)
        self.outbox = Outbox(connection, outbox)
        self._connection = connection

    async def now(self) -> datetime:
        """Answer the database's clock."""
        moment: datetime = (await self._connection.execute(select(func.now()))).scalar_one()
        return moment

    async def note_ended(self, sessions: Collection[UUID]) -> None:
        """Note that the access tokens of these sessions count no more."""
        await ended.note(self._connection, ended_sessions, sessions)
