"""The outbox: facts are written with the change that made them true and relayed to JetStream afterwards.

PostgreSQL is the record: when a stream is younger than what was told to it, the broker has lost its store, and whatever
the outbox still holds is told again. It holds facts for a week.
"""

import asyncio
import math
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from opentelemetry.trace import SpanKind
from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import metrics, tracing
from services.common.db import TELLING, Database
from services.common.events import event_id
from services.common.tasks import is_cancelled, rest
from spotilike.events.v1.event_pb2 import Event

POLL_SECONDS = 2.0
"""How long facts of other processes may wait, when nobody says that there are some."""
RETRY_SECONDS = 0.5
BATCH = 100
PUBLISH_SECONDS = 3.0
LOOK_SECONDS = 10.0
"""How often a relay asks since when its stream exists."""
DOUBT = timedelta(seconds=5)
"""How far the clocks of the database and of the broker may be apart; what falls within is told once more."""

WAITING = metrics.Gauge("spotilike_outbox_waiting_events", "Facts of this context that the broker has not got yet.")
OLDEST = metrics.Gauge("spotilike_outbox_oldest_seconds", "How long the oldest of them has been waiting.")
PUBLISHED = metrics.Counter("spotilike_events_published_total", "Facts that this process gave to the broker.")

log = structlog.get_logger("outbox")


class Outbox:
    """The facts of one transaction."""

    def __init__(self, connection: AsyncConnection, table: Table) -> None:
        """Write to `table` within the transaction of `connection`."""
        self._connection = connection
        self._table = table

    async def add(self, subject: str, event: Event) -> None:
        """Keep a fact, with the place in the trace where it became true; it leaves after the commit."""
        with tracing.step(f"outbox {subject}", SpanKind.PRODUCER):
            event.traceparent = tracing.traceparent()
            values = {"event_id": event_id(event), "subject": subject, "payload": event.SerializeToString()}
            await self._connection.execute(insert(self._table).values(**values))
        self._connection.info[TELLING] = True

    async def tell_again(self, *subjects: str) -> int:
        """Take it that nobody has heard the facts of subjects; answers how many of them leave again."""
        columns = self._table.c
        told = (columns.subject.in_(subjects), columns.published_at.is_not(None))
        return (await self._connection.execute(update(self._table).where(*told).values(published_at=None))).rowcount


class Relay:
    """Carries the outbox of one context to JetStream.

    It looks for rows that were not published and locks them, so several relays share the work; a cursor over the
    sequence would miss rows that commit out of order.
    """

    def __init__(self, database: Database, table: Table, stream: str) -> None:
        """Relay the rows of `table`, all of which belong into `stream`."""
        self._database = database
        self._told = database.told.listener()
        self._table = table
        self._stream = stream
        self._stream_since: datetime | None = None
        self._looked_at = -math.inf

    async def run(self, connection: Client) -> None:
        """Relay until cancelled. A broker that is away only delays: the rows wait."""
        metrics.at_scrape(self._measure, WAITING, OLDEST)
        while not is_cancelled():
            try:
                await self._look(connection)
                sent = await self._relay(connection)
            except Exception as error:  # noqa: BLE001 (an outage of the database or of the broker: try again)
                log.warning("relay_failed", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if sent < BATCH:
                await rest(self._told, POLL_SECONDS)

    async def _look(self, connection: Client) -> None:
        """See to it that a stream which was made anew hears everything again."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        since = (await connection.jetstream(timeout=PUBLISH_SECONDS).stream_info(self._stream)).created
        if since and since != self._stream_since:
            while await self._forget(since + DOUBT) == BATCH:
                continue
            self._stream_since = since
        self._looked_at = time.monotonic()

    async def _forget(self, before: datetime) -> int:
        """Take it that nobody has heard what was published before a moment; answers how many facts that are."""
        columns = self._table.c
        lost = select(columns.id).where(columns.published_at < before).limit(BATCH).with_for_update(skip_locked=True)
        async with self._database.begin() as transaction:
            forgotten = update(self._table).where(columns.id.in_(lost)).values(published_at=None)
            count = (await transaction.execute(forgotten)).rowcount
        if count:
            log.warning("told_again", stream=self._stream, count=count)
        return count

    async def _relay(self, connection: Client) -> int:
        table = self._table
        waiting = (
            select(table.c.id, table.c.event_id, table.c.subject, table.c.payload)
            .where(table.c.published_at.is_(None))
            .order_by(table.c.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        jetstream = connection.jetstream(timeout=PUBLISH_SECONDS)
        async with self._database.begin() as transaction:
            rows = (await transaction.execute(waiting)).all()
            for row in rows:
                await _publish(jetstream, row)
            if rows:
                sent = [row.id for row in rows]
                await transaction.execute(update(table).where(table.c.id.in_(sent)).values(published_at=func.now()))
        PUBLISHED.add(amount=len(rows))
        return len(rows)

    async def _measure(self) -> None:
        columns = self._table.c
        age = func.extract("epoch", func.now() - func.min(columns.created_at))
        waiting = select(func.count(), func.coalesce(age, 0)).where(columns.published_at.is_(None))
        async with self._database.read() as connection:
            count, oldest = (await connection.execute(waiting)).one()
        WAITING.set(count)
        OLDEST.set(float(oldest))


async def _publish(jetstream: JetStreamContext, row: Any) -> None:  # noqa: ANN401 (a row of the outbox)
    """Send a fact as the next step of the trace in which it was written."""
    origin = Event.FromString(row.payload).traceparent
    with tracing.continued(f"publish {row.subject}", origin, SpanKind.PRODUCER, **tracing.MESSAGING):
        # The same id after a lost answer: JetStream drops the twin within its window, effects after it.
        headers = {"Nats-Msg-Id": str(row.event_id)}
        if spot := tracing.traceparent():
            headers[tracing.HEADER] = spot
        await jetstream.publish(row.subject, row.payload, headers=headers)
