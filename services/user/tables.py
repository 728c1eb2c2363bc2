"""Tables of `user_db`. The seed's columns are as the design gives them, times with their zone; the rest is added."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import INET

from services.common import tables

METADATA = MetaData(naming_convention=tables.NAMING)

users = Table(
    "users",
    METADATA,
    Column("id", Uuid, primary_key=True, server_default=func.gen_random_uuid()),
    Column("email", String(255), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("username", String(50), nullable=False, unique=True),
    Column("avatar_url", String(512)),
    Column("is_verified", Boolean, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), server_default=func.now()),
    # Added: an administrator may disable an account.
    Column("disabled_at", DateTime(timezone=True)),
    Column("disabled_reason", String(500)),
    # Added: a password that was checked before another one was set opens nothing.
    tables.moment("password_set_at"),
    # Added: since when an account of the strict mode waits for its address to be confirmed; in the end it is removed.
    Column("unconfirmed_since", DateTime(timezone=True)),
)
# Addresses and names that differ only in case or in Unicode composition belong to one account.
Index("uq_users_email_folded", func.lower(func.normalize(users.c.email)), unique=True)
Index("uq_users_username_folded", func.lower(func.normalize(users.c.username)), unique=True)
Index("ix_users_unconfirmed", users.c.unconfirmed_since, postgresql_where=users.c.unconfirmed_since.is_not(None))

roles = Table(
    "roles",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(20), nullable=False, unique=True),
)

user_roles = Table(
    "user_roles",
    METADATA,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", Integer, ForeignKey("roles.id"), primary_key=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("user_id", Uuid, ForeignKey("users.id")),
    Column("token_hash", String(64), nullable=False),
    Column("ip_address", INET, nullable=False),
    Column("device_info", String(255)),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked", Boolean, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), server_default=func.now()),
    # Added: a session is a family of tokens, of which each but the first has a parent.
    Column("family_id", Uuid, nullable=False),
    Column("family_created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("parent_id", BigInteger),
    Column("replaced_at", DateTime(timezone=True)),
    UniqueConstraint("token_hash"),
)
Index("ix_refresh_tokens_family", refresh_tokens.c.family_id)
Index("ix_refresh_tokens_user_id", refresh_tokens.c.user_id)

# The trail that an account leaves. Its owner reads it, and it tells which networks the owner has come from before.
# Failed sign-ins for addresses without an account are written as well, under a user that does not exist, so that they
# take as long as all others. That is why `user_id` refers to nothing.
account_events = Table(
    "account_events",
    METADATA,
    Column("id", Uuid, primary_key=True, server_default=func.uuidv7()),
    Column("user_id", Uuid, nullable=False),
    Column("type", String(30), nullable=False),
    Column("ip_address", INET),
    Column("device_info", String(255)),
    Column("session_id", Uuid),
    tables.moment("created_at"),
)
Index("ix_account_events_user_id", account_events.c.user_id, account_events.c.id)
Index("ix_account_events_created_at", account_events.c.created_at)
Index(
    "ix_account_events_places",
    account_events.c.user_id,
    account_events.c.ip_address,
    postgresql_where=account_events.c.type.in_(["SIGNED_UP", "SIGNED_IN", "PASSWORD_RESET"]),
)

# Attempts with a password, counted before the password is looked at; also for accounts that do not exist.
attempts = Table(
    "attempts",
    METADATA,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    tables.moment("last_at"),
    tables.moment("blocked_until"),
)
Index("ix_attempts_last_at", attempts.c.last_at)

# Mails that have to be sent. A row names no secret: links are made when the mail is written.
mails = Table(
    "mails",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("kind", String(30), nullable=False),
    Column("address", String(255), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    Column("language", String(2), nullable=False),
    tables.moment("created_at"),
    tables.moment("next_try_at"),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("done_at", DateTime(timezone=True)),
)
Index("ix_mails_due", mails.c.next_try_at, postgresql_where=mails.c.done_at.is_(None))
Index("ix_mails_address", func.lower(mails.c.address), mails.c.kind, mails.c.created_at)
Index("ix_mails_created_at", mails.c.created_at)

# Links in mails, by the hash of what they carry. A link that is used is removed.
links = Table(
    "links",
    METADATA,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("purpose", String(30), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("address", String(255), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
Index("ix_links_user_id", links.c.user_id)
Index("ix_links_expires_at", links.c.expires_at)

signing_keys = tables.signing_keys(METADATA)
ended_sessions = tables.ended_sessions(METADATA)
outbox = tables.outbox(METADATA)
dead_events = tables.dead_events(METADATA)
