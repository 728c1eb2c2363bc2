"""The database design that the product starts from: every table and column of it, as it was written.

Times were written TIMESTAMP and are stored as TIMESTAMPTZ, which is the one departure. SERIAL and BIGSERIAL are
written as the integer and the sequence they stand for. What the design leaves open is NULL.
"""

from typing import NamedTuple


class Column(NamedTuple):
    """One column of the design."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None


UUID, TEXT, DATE, INT, BIGINT, BOOLEAN = "uuid", "text", "date", "integer", "bigint", "boolean"
JSONB, INET, TIME = "jsonb", "inet", "timestamp with time zone"


def varchar(length: int) -> str:
    """Write the type of a bounded text."""
    return f"character varying({length})"


NOT_NULL, NULL = False, True
NEW_UUID, NOW, FALSE, SEQUENCE = "gen_random_uuid()", "now()", "false", "nextval"

TABLES: dict[str, dict[str, list[Column]]] = {
    "user": {
        "users": [
            Column("id", UUID, NOT_NULL, NEW_UUID),
            Column("email", varchar(255), NOT_NULL),
            Column("password_hash", varchar(255), NOT_NULL),
            Column("username", varchar(50), NOT_NULL),
            Column("avatar_url", varchar(512)),
            Column("is_verified", BOOLEAN, NULL, FALSE),
            Column("created_at", TIME, NULL, NOW),
            Column("updated_at", TIME, NULL, NOW),
        ],
        "roles": [Column("id", INT, NOT_NULL, SEQUENCE), Column("name", varchar(20), NOT_NULL)],
        "user_roles": [Column("user_id", UUID, NOT_NULL), Column("role_id", INT, NOT_NULL)],
        "refresh_tokens": [
            Column("id", BIGINT, NOT_NULL, SEQUENCE),
            Column("user_id", UUID),
            Column("token_hash", varchar(64), NOT_NULL),
            Column("ip_address", INET, NOT_NULL),
            Column("device_info", varchar(255)),
            Column("expires_at", TIME, NOT_NULL),
            Column("revoked", BOOLEAN, NULL, FALSE),
            Column("created_at", TIME, NULL, NOW),
        ],
    },
    "catalog": {
        "artists": [
            Column("id", UUID, NOT_NULL, NEW_UUID),
            Column("name", varchar(100), NOT_NULL),
            Column("bio", TEXT),
            Column("avatar_url", varchar(512)),
            Column("is_verified", BOOLEAN, NULL, FALSE),
        ],
        "artist_managers": [
            Column("id", BIGINT, NOT_NULL, SEQUENCE),
            Column("artist_id", UUID),
            Column("user_id", UUID, NOT_NULL),
            Column("permissions", JSONB, NULL, """'["ALL"]'::jsonb"""),
            Column("created_at", TIME, NULL, NOW),
        ],
        "albums": [
            Column("id", UUID, NOT_NULL, NEW_UUID),
            Column("title", varchar(150), NOT_NULL),
            Column("release_date", DATE, NOT_NULL),
            Column("cover_url", varchar(512), NOT_NULL),
            Column("type", varchar(20), NULL, "'ALBUM'::character varying"),
        ],
        "tracks": [
            Column("id", UUID, NOT_NULL, NEW_UUID),
            Column("album_id", UUID),
            Column("title", varchar(150), NOT_NULL),
            Column("duration_sec", INT, NOT_NULL),
            Column("track_number", INT, NOT_NULL),
            Column("file_key", varchar(255), NOT_NULL),
            Column("is_available", BOOLEAN, NULL, FALSE),
        ],
        "track_artists": [
            Column("track_id", UUID, NOT_NULL),
            Column("artist_id", UUID, NOT_NULL),
            Column("artist_type", varchar(20), NULL, "'MAIN'::character varying"),
            Column("display_order", INT, NULL, "1"),
        ],
        "genres": [Column("id", INT, NOT_NULL, SEQUENCE), Column("name", varchar(50))],
        "track_genres": [Column("track_id", UUID, NOT_NULL), Column("genre_id", INT, NOT_NULL)],
    },
    "processing": {
        "processing_jobs": [
            Column("id", UUID, NOT_NULL),
            Column("track_id", UUID, NOT_NULL),
            Column("source_bucket", varchar(100), NOT_NULL),
            Column("source_key", varchar(255), NOT_NULL),
            Column("status", varchar(20), NOT_NULL),
            Column("worker_pod", varchar(100)),
            Column("error_log", TEXT),
            Column("created_at", TIME, NULL, NOW),
            Column("updated_at", TIME, NULL, NOW),
        ],
    },
    "streaming": {
        "playback_history": [
            Column("id", BIGINT, NOT_NULL, SEQUENCE),
            Column("user_id", UUID, NOT_NULL),
            Column("track_id", UUID, NOT_NULL),
            Column("listened_sec", INT, NOT_NULL),
            Column("timestamp", TIME, NULL, NOW),
            Column("ip_address", INET),
            Column("platform", varchar(20)),
        ],
    },
}

PRIMARY_KEYS: dict[str, tuple[str, ...]] = {
    "users": ("id",),
    "roles": ("id",),
    "user_roles": ("user_id", "role_id"),
    "refresh_tokens": ("id",),
    "artists": ("id",),
    "artist_managers": ("id",),
    "albums": ("id",),
    "tracks": ("id",),
    "track_artists": ("track_id", "artist_id"),
    "genres": ("id",),
    "track_genres": ("track_id", "genre_id"),
    "processing_jobs": ("id",),
    "playback_history": ("id",),
}

UNIQUE: set[tuple[str, str]] = {
    ("users", "email"),
    ("users", "username"),
    ("roles", "name"),
    ("refresh_tokens", "token_hash"),
    ("tracks", "file_key"),
    ("genres", "name"),
}

INDEXED: set[tuple[str, str]] = {("artists", "name"), ("artist_managers", "user_id")}

FOREIGN_KEYS: set[tuple[str, str, str]] = {
    ("user_roles", "user_id", "users"),
    ("user_roles", "role_id", "roles"),
    ("refresh_tokens", "user_id", "users"),
    ("artist_managers", "artist_id", "artists"),
    ("tracks", "album_id", "albums"),
    ("track_artists", "track_id", "tracks"),
    ("track_artists", "artist_id", "artists"),
    ("track_genres", "track_id", "tracks"),
    ("track_genres", "genre_id", "genres"),
}
