"""Tables of `processing_db`. The seed's columns are as the design gives them, times with their zone; the rest is added.

`processing_jobs` is the work queue of masters and `pictures` that of pictures: a row is due when it is PENDING and its
time has come, or PROCESSING and its lease is over.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.common import tables

METADATA = MetaData(naming_convention=tables.NAMING)

processing_jobs = Table(
    "processing_jobs",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("track_id", Uuid, nullable=False),
    Column("source_bucket", String(100), nullable=False),
    Column("source_key", String(255), nullable=False),
    Column("status", String(20), nullable=False),
    Column("worker_pod", String(100)),
    Column("error_log", Text),
    Column("created_at", DateTime(timezone=True), server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), server_default=func.now()),
    # Added: what the catalog says about the master.
    Column("artist_id", Uuid, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64)),
    Column("filename", String(255), nullable=False),
    # Added: how far the work is.
    Column("stage", String(20)),
    Column("percent", Integer, nullable=False, server_default=text("0")),
    # Added: who may write, until when, and how often it was tried.
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("attempt_id", Uuid),
    Column("lease_until", DateTime(timezone=True)),
    tables.moment("next_try_at"),
    Column("worker_deaths", Integer, nullable=False, server_default=text("0")),
    # Added: how it ended.
    Column("reason", String(64)),
    Column("message", String(1000)),
    Column("folder", String(255)),
    Column("facts", LargeBinary),
    # Added: the folder where the artist hears it before, while there is something in it.
    Column("preview", String(36)),
    # Added: another artist's track that holds the same recording.
    Column("same_as", Uuid),
    # Added: the place in the trace of the upload (W3C trace context), where one is recorded.
    Column("traceparent", String(100)),
)
Index(
    "ix_processing_jobs_due",
    processing_jobs.c.next_try_at,
    postgresql_where=processing_jobs.c.status == text("'PENDING'"),
)
Index(
    "ix_processing_jobs_leased",
    processing_jobs.c.lease_until,
    postgresql_where=processing_jobs.c.status == text("'PROCESSING'"),
)
Index("ix_processing_jobs_changed", processing_jobs.c.updated_at, processing_jobs.c.id)
Index("ix_processing_jobs_newest", processing_jobs.c.created_at, processing_jobs.c.id)
Index("ix_processing_jobs_track", processing_jobs.c.track_id, processing_jobs.c.created_at, processing_jobs.c.id)
Index("ix_processing_jobs_artist", processing_jobs.c.artist_id, processing_jobs.c.created_at, processing_jobs.c.id)

# All of it added: when a job of each artist was last taken. Since then their other jobs wait, however old they are.
turns = Table(
    "turns",
    METADATA,
    Column("artist_id", Uuid, primary_key=True),
    tables.moment("taken_at"),
)
Index("ix_turns_taken_at", turns.c.taken_at)

# All of it added: pictures and the making of their sizes. The id is that of the artwork and names the folder of images.
pictures = Table(
    "pictures",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("source_bucket", String(100), nullable=False),
    Column("source_key", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("worker_pod", String(100)),
    tables.moment("created_at"),
    tables.moment("updated_at"),
    # How far the work is.
    Column("stage", String(20)),
    Column("percent", Integer, nullable=False, server_default=text("0")),
    # Who may write, until when, and how often it was tried.
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("attempt_id", Uuid),
    Column("lease_until", DateTime(timezone=True)),
    tables.moment("next_try_at"),
    Column("worker_deaths", Integer, nullable=False, server_default=text("0")),
    # How it ended.
    Column("reason", String(64)),
    Column("message", String(1000)),
    Column("error_log", Text),
    Column("blur_hash", String(100)),
    # The place in the trace of the upload, as above.
    Column("traceparent", String(100)),
    # When it was replaced by a newer one, and when nothing of it was left in the object store.
    Column("retired_at", DateTime(timezone=True)),
    Column("removed_at", DateTime(timezone=True)),
)
Index("ix_pictures_due", pictures.c.next_try_at, postgresql_where=pictures.c.status == text("'PENDING'"))
Index("ix_pictures_leased", pictures.c.lease_until, postgresql_where=pictures.c.status == text("'PROCESSING'"))
Index(
    "ix_pictures_garbage",
    pictures.c.updated_at,
    postgresql_where=text("(retired_at IS NOT NULL OR status = 'FAILED') AND removed_at IS NULL"),
)

# Each lease of a job makes an attempt with a folder of its own. The folders of attempts that ended without completing
# their job are the only ones, beside retired ones, that may be removed.
attempts = Table(
    "attempts",
    METADATA,
    Column("attempt_id", Uuid, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("folder", String(255), nullable=False),
    Column("worker_pod", String(100), nullable=False),
    tables.moment("started_at"),
    Column("ended_at", DateTime(timezone=True)),
    Column("outcome", String(20)),
    Column("removed_at", DateTime(timezone=True)),
)
Index("ix_attempts_job_id", attempts.c.job_id)
Index(
    "ix_attempts_garbage",
    attempts.c.ended_at,
    postgresql_where=text("outcome <> 'COMPLETED' AND removed_at IS NULL"),
)

# What processed masters are known by: Chromaprint's items, and some of them to search for.
fingerprints = Table(
    "fingerprints",
    METADATA,
    Column("job_id", Uuid, primary_key=True),
    Column("track_id", Uuid, nullable=False),
    Column("artist_id", Uuid, nullable=False),
    Column("items", LargeBinary, nullable=False),
    Column("terms", ARRAY(Integer), nullable=False),
)
Index("ix_fingerprints_terms", fingerprints.c.terms, postgresql_using="gin")

# Folders for previews; each attempt has its own. Their names are secrets: who knows one may hear what is in it.
previews = Table(
    "previews",
    METADATA,
    Column("folder", String(36), primary_key=True),
    Column("job_id", Uuid, nullable=False),
    tables.moment("opened_at"),
    Column("removed_at", DateTime(timezone=True)),
)
Index("ix_previews_garbage", previews.c.opened_at, postgresql_where=text("removed_at IS NULL"))

# Folders that the catalog does not play any more.
retired_folders = Table(
    "retired_folders",
    METADATA,
    Column("folder", String(255), primary_key=True),
    Column("track_id", Uuid, nullable=False),
    tables.moment("retired_at"),
    Column("removed_at", DateTime(timezone=True)),
)
Index("ix_retired_folders_garbage", retired_folders.c.retired_at, postgresql_where=text("removed_at IS NULL"))

# Jobs and events that were given up though they may not be at fault; a person looks after them.
dead_letters = Table(
    "dead_letters",
    METADATA,
    Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid()),
    # One of the two: the job, or the event as it came.
    Column("job_id", Uuid, unique=True),
    Column("subject", String(255)),
    Column("payload", LargeBinary),
    Column("error", Text, nullable=False),
    tables.moment("created_at"),
)
Index("ix_dead_letters_newest", dead_letters.c.created_at, dead_letters.c.id)

outbox = tables.outbox(METADATA)
request_ids = tables.request_ids(METADATA)
ended_sessions = tables.ended_sessions(METADATA)
