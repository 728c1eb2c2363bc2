"""Every SQL statement of the catalog context."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.store.albums import Albums
from services.catalog.store.artists import Artists
from services.catalog.store.genres import Genres
from services.catalog.store.managers import Managers
from services.catalog.store.tracks import Tracks
from services.catalog.store.uploads import Uploads
from services.catalog.tables import outbox, request_ids
from services.common.db import Database
from services.common.outbox import Outbox
from services.common.requests import Requests


class Transaction:
    """One unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self.artists = Artists(connection)
        self.managers = Managers(connection)
        self.albums = Albums(connection)
        self.tracks = Tracks(connection)
        self.genres = Genres(connection)
        self.uploads = Uploads(connection)
        self.outbox = Outbox(connection, outbox)
        self.requests = Requests(connection, request_ids)


class Store:
    """The rows of `catalog_db`."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Open a transaction: all of its writes are kept, or none."""
        async with self._database.begin() as connection:
            yield Transaction(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Lend a connection for reads that stand alone."""
        async with self._database.read() as connection:
            yield Transaction(connection)
