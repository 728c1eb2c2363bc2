"""Requests that are carried out once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
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
