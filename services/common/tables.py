"""Tables that several contexts have, each in its own database."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    func,
    text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, the same in every database."""


def moment(name: str, *, nullable: bool = False) -> Column[datetime]:
    """Describe a column with a time that the database's clock sets."""
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=func.now())


def outbox(metadata: MetaData) -> Table:
    """Describe the facts of this context that JetStream has to carry."""
    table = Table(
        "outbox",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("event_id", Uuid, nullable=False, unique=True),
        Column("subject", String(255), nullable=False),
        Column("payload", LargeBinary, nullable=False),
        moment("created_at"),
        Column("published_at", DateTime(timezone=True)),
    )
    Index("ix_outbox_waiting", table.c.id, postgresql_where=text("published_at IS NULL"))
    return table


def request_ids(metadata: MetaData) -> Table:
    """Describe the requests that were carried out and must not be carried out again (AIP-155)."""
    table = Table(
        "request_ids",
        metadata,
        Column("caller", String(64), primary_key=True),
        Column("method", String(160), primary_key=True),
        Column("request_id", Uuid, primary_key=True),
        Column("body_hash", LargeBinary(32), nullable=False),
        Column("resource", String(160)),
        moment("created_at"),
    )
    Index("ix_request_ids_created_at", table.c.created_at)
    return table


def dead_events(metadata: MetaData) -> Table:
    """Describe the events that this context could not read or apply."""
    return Table(
        "dead_events",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("subject", String(255), nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("error", Text, nullable=False),
        moment("created_at"),
    )


def signing_keys(metadata: MetaData) -> Table:
    """Describe the keys that sign tokens, sealed with a secret that is not in the database.

    A key is published when it is made, signs from `signs_from` on, and is withdrawn at `retired_at`.
    """
    return Table(
        "signing_keys",
        metadata,
        Column("kid", String(64), primary_key=True),
        Column("sealed_key", LargeBinary, nullable=False),
        moment("created_at"),
        Column("signs_from", DateTime(timezone=True)),
        Column("retired_at", DateTime(timezone=True)),
    )


def ended_sessions(metadata: MetaData) -> Table:
    """Describe the sessions that were ended lately: their access tokens have not expired, but count no more."""
    table = Table(
        "ended_sessions",
        metadata,
        Column("session_id", Uuid, primary_key=True),
        moment("ended_at"),
    )
    Index("ix_ended_sessions_ended_at", table.c.ended_at)
    return table
