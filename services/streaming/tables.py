"""Tables of `streaming_db`. The seed's columns are as the design gives them, times with their zone; the rest is added.

`playback_history` is append-only: the application's role may neither UPDATE nor DELETE it. It is partitioned by ranges
of `id` so that it can grow; its partitions live in the schema `partitions`, which that role cannot enter.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB

from services.common import tables

METADATA = MetaData(naming_convention=tables.NAMING)

OPEN, CLOSED = "OPEN", "CLOSED"

playback_history = Table(
    "playback_history",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("user_id", Uuid, nullable=False),
    Column("track_id", Uuid, nullable=False),
    Column("listened_sec", Integer, nullable=False),
    Column("timestamp", DateTime(timezone=True), server_default=func.now()),
    Column("ip_address", INET),
    Column("platform", String(20)),
    # Added: which playback the row is of, and whether it was heard for long enough to count.
    Column("play_id", Uuid, nullable=False),
    Column("counted", Boolean, nullable=False),
    postgresql_partition_by="RANGE (id)",
)
Index("ix_playback_history_user_id", playback_history.c.user_id, playback_history.c.id)
Index("ix_playback_history_timestamp", playback_history.c.timestamp, postgresql_using="brin")

playbacks = Table(
    "playbacks",
    METADATA,
    Column("play_id", Uuid, primary_key=True, server_default=func.gen_random_uuid()),
    Column("state", String(10), nullable=False, server_default=OPEN),
    Column("user_id", Uuid, nullable=False),
    Column("session_id", Uuid, nullable=False),
    Column("ip_address", INET, nullable=False),
    Column("platform", String(20), nullable=False),
    # What the catalog answered at the start, kept for as long as the playback goes on.
    Column("track_id", Uuid, nullable=False),
    Column("artists", ARRAY(Uuid), nullable=False),
    Column("folder", String(255), nullable=False),
    Column("facts", LargeBinary, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    # What the newest report said, and what the server could verify of it.
    Column("sequence", BigInteger, nullable=False, server_default=text("-1")),
    Column("heard", JSONB, nullable=False, server_default=text("'[]'")),
    Column("position_ms", Integer, nullable=False, server_default=text("0")),
    Column("stalls", Integer, nullable=False, server_default=text("0")),
    Column("listened_ms", Integer, nullable=False, server_default=text("0")),
    Column("counted", Boolean, nullable=False, server_default=text("false")),
    tables.moment("started_at"),
    tables.moment("last_seen_at"),
    Column("closed_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('OPEN', 'CLOSED')", name="state"),
)
Index("ix_playbacks_open", playbacks.c.last_seen_at, postgresql_where=text("state = 'OPEN'"))
Index("ix_playbacks_closed_at", playbacks.c.closed_at, postgresql_where=text("closed_at IS NOT NULL"))

listeners = Table(
    "listeners",
    METADATA,
    Column("user_id", Uuid, primary_key=True),
    tables.moment("credited_until"),
)

# People who were erased a moment ago: once more, when nothing of theirs can arrive any more, and the row goes.
erased_listeners = Table(
    "erased_listeners",
    METADATA,
    Column("user_id", Uuid, primary_key=True),
    tables.moment("erased_at"),
)

request_ids = tables.request_ids(METADATA)
signing_keys = tables.signing_keys(METADATA)
ended_sessions = tables.ended_sessions(METADATA)
dead_events = tables.dead_events(METADATA)
