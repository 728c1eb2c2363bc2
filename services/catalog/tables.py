"""Tables of `catalog_db`. The seed's columns are as the design gives them, times with their zone; the rest is added.

Artists, albums and tracks are never deleted for good, because plays and statements refer to them.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.common import tables

METADATA = MetaData(naming_convention=tables.NAMING)


def _life() -> tuple[Column[datetime], ...]:
    """Describe when a row was made, changed and taken away; the store sets the last two."""
    return (
        tables.moment("created_at"),
        tables.moment("updated_at"),
        Column("deleted_at", DateTime(timezone=True)),
    )


artists = Table(
    "artists",
    METADATA,
    Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid()),
    Column("name", String(100), nullable=False),
    Column("bio", Text),
    Column("avatar_url", String(512)),
    Column("is_verified", Boolean, server_default=text("false")),
    # Added.
    *_life(),
    Column("avatar_blur_hash", String(100)),
)
# The id makes equal names a keyset.
Index("ix_artists_name", artists.c.name, artists.c.id)
# Lists by name do not put all capitals before all small letters.
artists_by_name = func.lower(artists.c.name)
Index("ix_artists_by_name", artists_by_name, artists.c.id)

artist_managers = Table(
    "artist_managers",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("artist_id", Uuid, ForeignKey("artists.id")),
    Column("user_id", Uuid, nullable=False, index=True),
    Column("permissions", JSONB, server_default=text("""'["ALL"]'""")),
    Column("created_at", DateTime(timezone=True), server_default=func.now()),
    # Added: a user manages an artist once.
    UniqueConstraint("artist_id", "user_id"),
)

albums = Table(
    "albums",
    METADATA,
    Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid()),
    Column("title", String(150), nullable=False),
    Column("release_date", Date, nullable=False),
    Column("cover_url", String(512), nullable=False),
    Column("type", String(20), server_default=text("'ALBUM'")),
    # Added: the owner of the release, which the design draws and its table forgets.
    Column("artist_id", Uuid, ForeignKey("artists.id"), nullable=False),
    *_life(),
    Column("cover_blur_hash", String(100)),
    # Added: loudness of all tracks together; unset until it is known.
    Column("integrated_lufs", Double),
)
Index("ix_albums_artist_id", albums.c.artist_id)
Index("ix_albums_release_date", albums.c.release_date, albums.c.id)

tracks = Table(
    "tracks",
    METADATA,
    Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid()),
    Column("album_id", Uuid, ForeignKey("albums.id")),
    Column("title", String(150), nullable=False),
    Column("duration_sec", Integer, nullable=False),
    Column("track_number", Integer, nullable=False),
    Column("file_key", String(255), nullable=False, unique=True),
    Column("is_available", Boolean, server_default=text("false")),
    # Added: the newest master and the one that is played.
    Column("master_generation", BigInteger, nullable=False, server_default=text("0")),
    Column("published_generation", BigInteger, nullable=False, server_default=text("0")),
    Column("job", Uuid),
    Column("failure_reason", String(64)),
    Column("failure_message", Text),
    Column("audio_facts", LargeBinary),
    *_life(),
)
Index("ix_tracks_album_id", tracks.c.album_id, tracks.c.track_number, tracks.c.id)
Index("ix_tracks_created_at", tracks.c.created_at, tracks.c.id)

track_artists = Table(
    "track_artists",
    METADATA,
    Column("track_id", Uuid, ForeignKey("tracks.id"), primary_key=True),
    Column("artist_id", Uuid, ForeignKey("artists.id"), primary_key=True, index=True),
    Column("artist_type", String(20), server_default=text("'MAIN'")),
    Column("display_order", Integer, server_default=text("1")),
)

genres = Table(
    "genres",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(50), unique=True),
)

track_genres = Table(
    "track_genres",
    METADATA,
    Column("track_id", Uuid, ForeignKey("tracks.id"), primary_key=True),
    Column("genre_id", Integer, ForeignKey("genres.id"), primary_key=True, index=True),
)

# All of it added: masters on their way in. The id is also that of the job which processes the master.
uploads = Table(
    "uploads",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("track_id", Uuid, ForeignKey("tracks.id"), nullable=False, index=True),
    Column("state", String(20), nullable=False, server_default=text("'OPEN'")),
    Column("filename", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("part_size_bytes", BigInteger, nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("source_bucket", String(100), nullable=False),
    Column("source_key", String(255), nullable=False, unique=True),
    Column("multipart_id", Text, nullable=False),
    Column("created_by", Uuid, nullable=False),
    tables.moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    # Set when it is completed.
    Column("completed_at", DateTime(timezone=True)),
    Column("generation", BigInteger),
    Column("sha256", String(64)),
    Column("announced_at", DateTime(timezone=True)),
    # Set when processing has ended, one way or the other.
    Column("outcome", String(20)),
    Column("outcome_at", DateTime(timezone=True)),
    # Set when nothing of an upload that was aborted or has expired is left in the object store.
    Column("discarded_at", DateTime(timezone=True)),
)
Index("ix_uploads_open", uploads.c.created_by, uploads.c.expires_at, postgresql_where=text("state = 'OPEN'"))
Index(
    "ix_uploads_pending",
    uploads.c.announced_at,
    postgresql_where=text("state = 'COMPLETED' AND outcome IS NULL"),
)
Index(
    "ix_uploads_discarded",
    uploads.c.id,
    postgresql_where=text("state IN ('ABORTED', 'EXPIRED') AND discarded_at IS NULL"),
)

# All of it added: pictures on their way in, and those that are shown. Ids rise with time (UUIDv7): of two pictures of
# one target the one with the greater id is the newer one.
artworks = Table(
    "artworks",
    METADATA,
    Column("id", Uuid, primary_key=True),
    # Name of the album, the artist or the user.
    Column("target", String(64), nullable=False),
    Column("state", String(20), nullable=False, server_default=text("'OPEN'")),
    Column("size_bytes", BigInteger, nullable=False),
    Column("source_bucket", String(100), nullable=False),
    Column("source_key", String(255), nullable=False, unique=True),
    Column("multipart_id", Text, nullable=False),
    Column("created_by", Uuid, nullable=False),
    tables.moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    # Set when all bytes have arrived.
    Column("announced_at", DateTime(timezone=True)),
    # Set when processing has ended, one way or the other.
    Column("blur_hash", String(100)),
    Column("failure_reason", String(64)),
    Column("failure_message", Text),
    # Set when nothing of the file as it came is left in the object store.
    Column("discarded_at", DateTime(timezone=True)),
    # Set when the user service has said that it knows the picture of a user.
    Column("stored_at", DateTime(timezone=True)),
)
UNSTORED = text("state = 'COMPLETED' AND target LIKE 'users/%' AND stored_at IS NULL")
"""Pictures of users that the user service has not confirmed."""
Index("ix_artworks_unstored", artworks.c.announced_at, postgresql_where=UNSTORED)
Index("ix_artworks_target", artworks.c.target, artworks.c.id)
Index(
    "ix_artworks_unfinished",
    artworks.c.created_by,
    artworks.c.expires_at,
    postgresql_where=text("state IN ('OPEN', 'PROCESSING')"),
)
Index("ix_artworks_pending", artworks.c.announced_at, postgresql_where=text("state = 'PROCESSING'"))
Index(
    "ix_artworks_discarded",
    artworks.c.id,
    postgresql_where=text("state NOT IN ('OPEN', 'PROCESSING') AND discarded_at IS NULL"),
)

outbox = tables.outbox(METADATA)
request_ids = tables.request_ids(METADATA)
ended_sessions = tables.ended_sessions(METADATA)
dead_events = tables.dead_events(METADATA)
