"""Which pictures of users the user service knows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.add_column("artworks", sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_artworks_unstored",
        "artworks",
        ["announced_at"],
        unique=False,
        postgresql_where=sa.text("state = 'COMPLETED' AND target LIKE 'users/%' AND stored_at IS NULL"),
    )
