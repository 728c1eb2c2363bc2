"""Playbacks, the listening history and signing keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Makes the partition that is filled now and the next one. It runs as the owner of the history, because the role of the
# service may make no tables. The default partition takes rows in only if nobody has called it for ten million plays.
EXTEND_PLAYBACK_HISTORY = """
    CREATE FUNCTION extend_playback_history() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    DECLARE
        size CONSTANT bigint := 10000000;
        newest CONSTANT bigint := (SELECT last_value FROM public.playback_history_id_seq);
        partition text;
    BEGIN
        FOR number IN newest / size .. newest / size + 1 LOOP
            partition := format('partitions.playback_history_%s', number);
            IF to_regclass(partition) IS NULL THEN
                EXECUTE format(
                    'CREATE TABLE IF NOT EXISTS %s PARTITION OF public.playback_history FOR VALUES FROM (%s) TO (%s)',
                    partition, number * size, (number + 1) * size
                );
            END IF;
        END LOOP;
    END $$
"""


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.create_table(
        "listeners",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("credited_until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_listeners")),
    )
    op.create_table(
        "playback_history",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("track_id", sa.Uuid(), nullable=False),
        sa.Column("listened_sec", sa.Integer(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=True),
        sa.Column("ip_address", postgresql.INET(), nullable=True),
        sa.Column("platform", sa.String(length=20), nullable=True),
        sa.Column("play_id", sa.Uuid(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playback_history")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_playback_history_timestamp", "playback_history", ["timestamp"], unique=False, postgresql_using="brin"
    )
    op.create_index("ix_playback_history_user_id", "playback_history", ["user_id", "id"], unique=False)
    op.create_table(
        "playbacks",
        sa.Column("play_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="OPEN", nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("ip_address", postgresql.INET(), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("track_id", sa.Uuid(), nullable=False),
        sa.Column("artists", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), server_default=sa.text("-1"), nullable=False),
        sa.Column("heard", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("position_ms", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("stalls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("listened_ms", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("counted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('OPEN', 'CLOSED')", name=op.f("ck_playbacks_state")),
        sa.PrimaryKeyConstraint("play_id", name=op.f("pk_playbacks")),
    )
    op.create_index(
        "ix_playbacks_closed_at",
        "playbacks",
        ["closed_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_playbacks_open", "playbacks", ["last_seen_at"], unique=False, postgresql_where=sa.text("state = 'OPEN'")
    )
    op.create_table(
        "request_ids",
        sa.Column("caller", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=160), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resource", sa.String(length=160), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "method", "request_id", name=op.f("pk_request_ids")),
    )
    op.create_index("ix_request_ids_created_at", "request_ids", ["created_at"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
    )
    op.execute("REVOKE UPDATE, DELETE ON playback_history FROM streaming_app")
    op.execute("CREATE SCHEMA partitions")
    op.execute(EXTEND_PLAYBACK_HISTORY)
    op.execute("REVOKE ALL ON FUNCTION extend_playback_history() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION extend_playback_history() TO streaming_app")
    op.execute("CREATE TABLE partitions.playback_history_default PARTITION OF playback_history DEFAULT")
    op.execute("SELECT extend_playback_history()")
