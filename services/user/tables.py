"""Tables of `user_db`. The seed's columns are as the design gives them, times with their zone; the rest is added."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
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
)
# Addresses and names that differ only in case or in Unicode composition belong to one account.
Index("uq_users_email_folded", func.lower(func.normalize(users.c.email)), unique=True)
Index("uq_users_username_folded", func.lower(func.normalize(users.c.username)), unique=True)

roles = Table(
    "roles",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(20), nullable=False, unique=True),
)

user_roles = Table(
    "user_roles",
    METADATA,
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
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

signing_keys = tables.signing_keys(METADATA)
