"""Pictures of albums, artists and users."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.add_column("artists", sa.Column("avatar_blur_hash", sa.String(length=100), nullable=True))
    op.add_column("albums", sa.Column("cover_blur_hash", sa.String(length=100), nullable=True))
    op.create_table(
        "artworks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'OPEN'"), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source_bucket", sa.String(length=100), nullable=False),
        sa.Column("source_key", sa.String(length=255), nullable=False),
        sa.Column("multipart_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blur_hash", sa.String(length=100), nullable=True),
        sa.Column("failure_reason", sa.String(length=64), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artworks")),
        sa.UniqueConstraint("source_key", name=op.f("uq_artworks_source_key")),
    )
    op.create_index("ix_artworks_target", "artworks", ["target", "id"], unique=False)
    op.create_index(
        "ix_artworks_unfinished",
        "artworks",
        ["created_by", "expires_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('OPEN', 'PROCESSING')"),
    )
    op.create_index(
        "ix_artworks_pending",
        "artworks",
        ["announced_at"],
        unique=False,
        postgresql_where=sa.text("state = 'PROCESSING'"),
    )
    op.create_index(
        "ix_artworks_discarded",
        "artworks",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('OPEN', 'PROCESSING') AND discarded_at IS NULL"),
    )
