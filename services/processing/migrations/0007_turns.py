"""Artists take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.create_table(
        "turns",
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("artist_id", name=op.f("pk_turns")),
    )
    op.create_index("ix_turns_taken_at", "turns", ["taken_at"], unique=False)
