"""How long rows that serve the transport are kept, and the work that removes them afterwards."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Column, Table, delete, func, select, tuple_

from services.common.db import Database

SWEEP_SECONDS = 3600.0
BATCH = 1000

log = structlog.get_logger("retention")


@dataclass(frozen=True)
class Rule:
    """Rows of a table that are removed when a moment in them is old enough; those without it stay."""

    moment: Column[datetime]
    keep: timedelta

    @property
    def table(self) -> Table:
        """The table of the rows."""
        return self.moment.table


def published(outbox: Table) -> Rule:
    """Keep facts for a week after they were published: as long as a stream that lost them can be told again."""
    return Rule(outbox.c.published_at, timedelta(days=7))


def repeatable(request_ids: Table) -> Rule:
    """Keep request ids for a day (AIP-155)."""
    return Rule(request_ids.c.created_at, timedelta(hours=24))


async def sweep(database: Database, rules: Sequence[Rule]) -> None:
    """Remove every row whose time is over, in small transactions."""
    for rule in rules:
        while await _remove(database, rule) == BATCH:
            continue


async def run(database: Database, rules: Sequence[Rule]) -> None:
    """Sweep until cancelled. An outage of the database only delays."""
    while True:
        try:
            await sweep(database, rules)
        except Exception as error:  # noqa: BLE001 (whatever is away, the rows wait)
            log.warning("sweep_failed", error=type(error).__name__)
        await asyncio.sleep(SWEEP_SECONDS)


async def _remove(database: Database, rule: Rule) -> int:
    key = tuple_(*rule.table.primary_key)
    old = select(*rule.table.primary_key).where(rule.moment < func.now() - rule.keep).limit(BATCH)
    async with database.begin() as connection:
        removed = await connection.execute(delete(rule.table).where(key.in_(old)))
    return removed.rowcount
