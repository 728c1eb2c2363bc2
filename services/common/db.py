"""Connections to the database of one context."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.common import metrics, sql_spans, tracing
from services.common.settings import DatabaseSettings
from services.common.tasks import Bell

STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 3_000
POOL_WAIT_SECONDS = 0.8

TELLING = "telling"
"""What a connection's `info` holds while its transaction tells facts to other contexts."""


def driver_url(url: str) -> URL:
    """Name the psycopg driver in a plain postgresql:// address."""
    return make_url(url).set(drivername="postgresql+psycopg")


CONNECTIONS = metrics.Gauge(
    "spotilike_database_connections", "Connections of this process, by their state.", ("state",)
)
CONNECTIONS_LIMIT = metrics.Gauge("spotilike_database_connections_limit", "Connections that this process may have.")


UnitOfWork = TypeVar("UnitOfWork")


class Database:
    """A pool of connections. Reads run in autocommit, which saves two round trips; writes in one transaction."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Prepare the pool; the first connection is made when it is needed."""
        options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC"
        url = driver_url(settings.database_url.get_secret_value())
        self._writes = create_async_engine(
            url,
            pool_size=settings.database_pool,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_pre_ping=True,
            connect_args={"options": options, "connect_timeout": 3, "prepare_threshold": 2},
        )
        if tracing.is_on():
            sql_spans.watch(self._writes.sync_engine, url.database or "")
        self._reads = self._writes.execution_options(isolation_level="AUTOCOMMIT")
        self.told = Bell()
        """Rings when a transaction of this process was committed that marked its connection as TELLING."""

        metrics.at_scrape(self._measure, CONNECTIONS, CONNECTIONS_LIMIT)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is committed when the block ends and rolled back when it raises."""
        async with self._writes.begin() as connection:
            yield connection
            telling = connection.info.pop(TELLING, False)
        if telling:
            self.told.ring()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection on which every statement stands alone."""
        async with self._reads.connect() as connection:
            yield connection

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give every connection back."""
        await self._writes.dispose()

    async def _measure(self) -> None:
        pool: Any = self._writes.pool
        CONNECTIONS.set(pool.checkedout(), "used")
        CONNECTIONS.set(pool.checkedin(), "idle")
        CONNECTIONS_LIMIT.set(pool.size())


@asynccontextmanager
async def opened(settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Lend a pool for as long as the block runs."""
    database = Database(settings)
    try:
        yield database
    finally:
        await database.close()


class UnitsOfWork(Generic[UnitOfWork]):
    """What the store of every context is: a way to its rows, one unit of work at a time."""

    def __init__(self, database: Database, unit: Callable[[AsyncConnection], UnitOfWork]) -> None:
        """Reach `database`; `unit` puts the context's statements on a connection."""
        self._database = database
        self._unit = unit

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Open a transaction: all of its writes are kept, or none."""
        async with self._database.begin() as connection:
            yield self._unit(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        """Lend a connection for reads that stand alone."""
        async with self._database.read() as connection:
            yield self._unit(connection)
