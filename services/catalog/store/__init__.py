"""Every SQL statement of the catalog context."""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.store.albums import Albums
from services.catalog.store.artists import Artists
from services.catalog.store.artworks import Artworks
from services.catalog.store.genres import Genres
from services.catalog.store.managers import Managers
from services.catalog.store.tracks import Tracks
from services.catalog.store.uploads import Uploads
from services.catalog.tables import outbox, request_ids
from services.common.db import Database, UnitsOfWork
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
        self.artworks = Artworks(connection)
        self.outbox = Outbox(connection, outbox)
        self.requests = Requests(connection, request_ids)


class Store(UnitsOfWork[Transaction]):
    """The rows of `catalog_db`."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        super().__init__(database, Transaction)
