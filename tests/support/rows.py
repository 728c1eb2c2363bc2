"""SQL as the owner of a context's tables, for what no RPC shows or lets a test arrange."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.common.db import driver_url
from tests.support.databases import Databases

Rows = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def rows_of(databases: Databases, context: str, name: str = "db") -> AsyncIterator[Rows]:
    """Lend a function that runs one statement on a database of this worker, in a transaction of its own.

    `name` is that of a further copy, if it is not the context's usual database.
    """
    engine = create_async_engine(driver_url(await databases.fresh(context, name, "owner")))

    async def execute(sql: str, **values: Any) -> Any:
        async with engine.begin() as connection:
            result = await connection.execute(text(sql), values)
            return result.all() if result.returns_rows else []

    yield execute
    await engine.dispose()


async def holders(rows: Rows, text: str) -> set[str]:
    """Name the tables of a context that hold a text, as it is or inside of bytes."""
    tables = await rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    found = set()
    for (table,) in tables:
        matching = f'SELECT 1 FROM "{table}" t WHERE strpos(t::text, :text) + strpos(t::text, :bytes) > 0 LIMIT 1'  # noqa: S608 (a name from the catalog of tables)
        if await rows(matching, text=text, bytes=text.encode().hex()):
            found.add(table)
    return found


async def put_aside(rows: Rows, words: str) -> int:
    """Count the events with these words that a context put aside; other tests of this worker make it hear others."""
    count = "SELECT count(*) FROM dead_events WHERE position(convert_to(:words, 'UTF8') in payload) > 0"
    return int((await rows(count, words=words))[0][0])
