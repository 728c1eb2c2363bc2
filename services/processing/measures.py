"""What the queues look like, by one query when somebody asks. Every replica of the service answers the same."""

from typing import Any

from sqlalchemy import ColumnElement, Table, func, literal, select, union_all

from services.common import metrics
from services.common.db import Database
from services.processing.domain import Status
from services.processing.tables import dead_letters, pictures, processing_jobs

QUEUE = ("queue",)
DUE = metrics.Gauge("spotilike_queue_due_tasks", "Tasks that wait for a worker.", QUEUE)
POSTPONED = metrics.Gauge("spotilike_queue_postponed_tasks", "Tasks that wait for their next try.", QUEUE)
RUNNING = metrics.Gauge("spotilike_queue_running_tasks", "Tasks that a worker has.", QUEUE)
SILENT = metrics.Gauge("spotilike_queue_silent_tasks", "Tasks whose worker fell silent, not yet taken over.", QUEUE)
OLDEST = metrics.Gauge("spotilike_queue_oldest_due_seconds", "How long the oldest due task has waited.", QUEUE)
DEAD_LETTERS = metrics.Gauge("spotilike_dead_letters", "Jobs and events that were given up, for a person to look at.")


def watch(database: Database) -> None:
    """Show the queues and the dead letters of `database`."""

    async def look() -> None:
        async with database.read() as connection:
            rows = (await connection.execute(_queues())).all()
            letters = await connection.execute(select(func.count()).select_from(dead_letters))
            DEAD_LETTERS.set(letters.scalar_one())
        for row in rows:
            DUE.set(row.due, row.queue)
            POSTPONED.set(row.postponed, row.queue)
            RUNNING.set(row.running, row.queue)
            SILENT.set(row.silent, row.queue)
            OLDEST.set(float(row.oldest), row.queue)

    metrics.at_scrape(look, DUE, POSTPONED, RUNNING, SILENT, OLDEST, DEAD_LETTERS)


def _queues() -> Any:  # noqa: ANN401 (a union of selects)
    return union_all(_queue("masters", processing_jobs), _queue("pictures", pictures))


def _queue(name: str, table: Table) -> Any:  # noqa: ANN401 (a select)
    columns = table.c
    waits, runs = columns.status == Status.PENDING, columns.status == Status.PROCESSING
    due = waits & (columns.next_try_at <= func.now())
    age = func.extract("epoch", func.now() - func.min(columns.next_try_at).filter(due))
    return select(
        literal(name).label("queue"),
        _count(due, "due"),
        _count(waits & (columns.next_try_at > func.now()), "postponed"),
        _count(runs, "running"),
        _count(runs & (columns.lease_until < func.now()), "silent"),
        func.coalesce(age, 0).label("oldest"),
    ).where(columns.status.in_([Status.PENDING, Status.PROCESSING]))


def _count(which: ColumnElement[bool], name: str) -> ColumnElement[int]:
    return func.count().filter(which).label(name)
