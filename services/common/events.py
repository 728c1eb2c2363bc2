"""Facts on their way through JetStream: written to the outbox, relayed, heard, and applied once.

PostgreSQL is the record and JetStream a transport: an event may arrive twice, late or in any order, so that every
effect is idempotent by the business key in its payload. What cannot be read or applied is kept in `dead_events`.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import nats
import structlog
from google.protobuf.message import DecodeError, Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingThere
from opentelemetry.trace import SpanKind
from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import insert

from services.common import metrics, status, tracing
from services.common.db import Database
from services.common.settings import NatsSettings
from services.common.tasks import is_cancelled
from spotilike.events.v1.event_pb2 import Event

FETCH_SECONDS = 5.0
RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 2.0
TRIES = 5
"""How often an event that fails for a reason of its own is tried before it is put aside."""

Effect = Callable[[Event, Any], Awaitable[None]]
"""Applies a fact; the payload is of the type that the effect is registered for."""

STREAM = ("stream",)
UNHEARD = metrics.Gauge("spotilike_consumer_waiting_events", "Facts of a stream that this context has to hear.", STREAM)
UNANSWERED = metrics.Gauge("spotilike_consumer_unanswered_events", "Facts being applied, or to be tried again.", STREAM)
HEARD = metrics.Counter("spotilike_events_heard_total", "Facts that arrived, and their fate.", ("stream", "outcome"))
DELAY = metrics.Histogram(
    "spotilike_event_delay_seconds", "From a fact's transaction until it was applied.", STREAM, metrics.WORK_SECONDS
)
PUT_ASIDE = metrics.Gauge("spotilike_dead_events", "Facts put aside for a person to look at, in this context.")

log = structlog.get_logger("events")


def new(resource: str, payload: Message, actor: str = "") -> Event:
    """Write down a fact about `resource`."""
    event = Event(id=str(uuid4()), resource=resource, actor=actor)
    event.time.FromDatetime(datetime.now(UTC))
    event.payload.Pack(payload)
    return event


async def connect(settings: NatsSettings, identity: str) -> Client:
    """Connect as `identity`, for ever: a lost connection is made again without end."""

    async def noticed(error: Exception | None = None) -> None:
        log.warning("nats_connection", error=str(error) if error else "lost or back")

    return await nats.connect(
        settings.nats_url.split(","),
        nkeys_seed=str(settings.nats_seed_file),
        inbox_prefix=f"_INBOX_{identity}".encode(),
        name=identity,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
        connect_timeout=2,
        ping_interval=5,
        max_outstanding_pings=2,
        tls=_trust(settings),
        error_cb=noticed,
        disconnected_cb=noticed,
        reconnected_cb=noticed,
    )


def _trust(settings: NatsSettings) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=settings.nats_ca_file) if settings.nats_ca_file else None


class Effects:
    """What each fact does to a context."""

    def __init__(self, effects: Mapping[type[Message], Effect]) -> None:
        """Find each effect by the type of its payload."""
        self._effects = {kind.DESCRIPTOR.full_name: (kind, effect) for kind, effect in effects.items()}

    def of(self, data: bytes) -> Callable[[], Awaitable[None]]:
        """Read an event; answers what applies it. Raises DecodeError or KeyError for one that cannot be read."""
        event = Event.FromString(data)
        kind, effect = self._effects[event.payload.type_url.rsplit("/", 1)[-1]]
        return partial(effect, event, kind.FromString(event.payload.value))


class Listener:
    """Hears the facts of one stream and applies each to the database of its context."""

    def __init__(self, stream: str, context: str, effects: Mapping[type[Message], Effect], dead: "DeadEvents") -> None:
        """Apply the payloads of `stream`, as the consumer of `context`, by `effects`."""
        self._stream = stream
        self._context = context
        self._effects = Effects(effects)
        self._dead = dead

    async def run(self, connection: Client, concurrency: int = 4) -> None:
        """Listen until cancelled."""

        async def look() -> None:
            consumer = await connection.jetstream(timeout=3).consumer_info(self._stream, self._context)
            UNHEARD.set(consumer.num_pending or 0, self._stream)
            UNANSWERED.set(consumer.num_ack_pending or 0, self._stream)

        metrics.at_scrape(look, UNHEARD, UNANSWERED)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(concurrency):
                tasks.create_task(self._listen(connection))

    async def _listen(self, connection: Client) -> None:
        jetstream = connection.jetstream(timeout=3)
        consumer = await jetstream.pull_subscribe_bind(consumer=self._context, stream=self._stream)
        while not is_cancelled():
            try:
                # One at a time: larger batches stall after an earlier fetch timed out (nats.py #986).
                messages = await consumer.fetch(1, timeout=FETCH_SECONDS)
            except NothingThere:
                continue
            except Exception as error:  # noqa: BLE001 (an election, a restart, a lost connection: pull again)
                log.info("fetch_failed", stream=self._stream, error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for message in messages:
                origin = (message.headers or {}).get(tracing.HEADER)
                with tracing.continued(f"hear {message.subject}", origin, SpanKind.CONSUMER, **tracing.MESSAGING):
                    await self._take(message)

    async def _take(self, message: Msg) -> None:
        try:
            apply = self._effects.of(message.data)
        except (DecodeError, KeyError) as unreadable:
            await self._put_aside(message, unreadable)
            return
        try:
            await apply()
        except Exception as error:  # noqa: BLE001 (whatever failed, the event comes again or is put aside)
            await self._failed(message, error)
        else:
            self._count(message, "applied")
            await _quietly(message.ack_sync(timeout=3))

    async def _failed(self, message: Msg, error: Exception) -> None:
        tries = message.metadata.num_delivered
        tracing.failed(type(error).__name__)
        self._count(message, "failed")
        log.warning("event_failed", subject=message.subject, tries=tries, exc_info=error)
        if status.is_outage(error) or status.is_conflict(error) or tries < TRIES:
            await _quietly(message.nak(delay=min(2.0 ** (tries - 1) * RETRY_SECONDS, LONGEST_RETRY_SECONDS)))
        else:
            await self._put_aside(message, error)

    async def _put_aside(self, message: Msg, error: Exception) -> None:
        try:
            await self._dead.add(message.subject, message.data, repr(error))
        except Exception as unwritten:
            log.warning("dead_event_not_written", exc_info=unwritten)
            await _quietly(message.nak(delay=RETRY_SECONDS))
        else:
            self._count(message, "put aside")
            await _quietly(message.term())

    def _count(self, message: Msg, outcome: str) -> None:
        HEARD.add(self._stream, outcome)
        if metrics.is_on() and outcome == "applied":
            became_true = Event.FromString(message.data).time.ToDatetime(UTC)
            DELAY.observe((datetime.now(UTC) - became_true).total_seconds(), self._stream)


class DeadEvents:
    """Events that could not be read or applied, kept for a person to look at."""

    def __init__(self, database: Database, table: Table) -> None:
        """Keep them in `table`."""
        self._database = database
        self._table = table
        metrics.at_scrape(self._measure, PUT_ASIDE)

    async def add(self, subject: str, payload: bytes, error: str) -> None:
        """Keep one."""
        log.error("event_put_aside", subject=subject, error=error)
        async with self._database.begin() as connection:
            await connection.execute(insert(self._table).values(subject=subject, payload=payload, error=error))

    async def _measure(self) -> None:
        async with self._database.read() as connection:
            PUT_ASIDE.set((await connection.execute(select(func.count()).select_from(self._table))).scalar_one())


async def _quietly(answer: Awaitable[object]) -> None:
    """Answer the broker; an answer that is lost only brings the event again."""
    try:
        await answer
    except Exception as lost:  # noqa: BLE001 (the effect is committed and idempotent)
        log.info("answer_lost", error=type(lost).__name__)


def event_id(event: Event) -> UUID:
    """Read the id of an event."""
    return UUID(event.id)
