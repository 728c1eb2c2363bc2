"""Which facts travel where. Streams and consumers are made from this table by one administrator, at migration.

`python -m services.common.streams` makes them under the identity in `SPOTILIKE_NATS_SEED_FILE`.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from services.common import events
from services.common.settings import StreamsSettings, load

CONTEXTS = ("user", "catalog", "processing", "streaming")
USER_DELETED = "spotilike.user.user_deleted"
KEEP = timedelta(days=7)
KEEP_ERASURES = timedelta(days=35)
"""Longer than backups of databases are kept: one that went back to a moment has to be told who was erased since."""
DEDUPLICATE = timedelta(minutes=2)
ACK_WAIT = timedelta(seconds=30)
DECLARE_SECONDS = 30.0
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Consumer:
    """The facts of one context that another one hears."""

    stream: str
    """Stream of the context that tells."""
    context: str
    """Context that hears; also the durable name."""
    events: tuple[str, ...]
    """Subjects."""


STREAMS = {context.upper(): f"spotilike.{context}.>" for context in ("user", "catalog", "processing")}
CONSUMERS = (
    Consumer(
        "CATALOG",
        "processing",
        (
            "spotilike.catalog.track_uploaded",
            "spotilike.catalog.folder_retired",
            "spotilike.catalog.artwork_uploaded",
            "spotilike.catalog.artwork_retired",
        ),
    ),
    Consumer("CATALOG", "user", ("spotilike.catalog.avatar_changed",)),
    Consumer(
        "PROCESSING",
        "catalog",
        (
            "spotilike.processing.job_completed",
            "spotilike.processing.job_failed",
            "spotilike.processing.job_retried",
            "spotilike.processing.artwork_completed",
            "spotilike.processing.artwork_failed",
        ),
    ),
    Consumer(
        "USER",
        "catalog",
        ("spotilike.user.sessions_ended", USER_DELETED, "spotilike.user.avatar_stored"),
    ),
    Consumer("USER", "processing", ("spotilike.user.sessions_ended",)),
    Consumer("USER", "streaming", ("spotilike.user.sessions_ended", USER_DELETED)),
)


async def declare(settings: StreamsSettings) -> None:
    """Make or change every stream and consumer; doing it again changes nothing.

    Servers that have just started do not know each other yet: until they do, it is tried again.
    """
    connection = await events.connect(settings, "admin")
    deadline = time.monotonic() + DECLARE_SECONDS
    while True:
        try:
            await _declare(connection.jetstream(), settings.nats_replicas)
            break
        except NatsError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
    await connection.close()


async def _declare(jetstream: JetStreamContext, replicas: int) -> None:
    for name, subjects in STREAMS.items():
        config = StreamConfig(
            name=name,
            subjects=[subjects],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=(KEEP_ERASURES if name == "USER" else KEEP).total_seconds(),
            duplicate_window=DEDUPLICATE.total_seconds(),
            num_replicas=replicas,
        )
        try:
            await jetstream.stream_info(name)
        except NotFoundError:
            await jetstream.add_stream(config)
        else:
            await jetstream.update_stream(config)
    for consumer in CONSUMERS:
        await jetstream.add_consumer(
            consumer.stream,
            ConsumerConfig(
                durable_name=consumer.context,
                filter_subjects=list(consumer.events),
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT.total_seconds(),
                max_ack_pending=256,
            ),
        )


if __name__ == "__main__":
    asyncio.run(declare(load(StreamsSettings)))
