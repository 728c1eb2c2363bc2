"""What the artist hears while a job runs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.create_table(
        "previews",
        sa.Column("folder", sa.String(length=36), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("folder", name=op.f("pk_previews")),
    )
    op.create_index(
        "ix_previews_garbage",
        "previews",
        ["opened_at"],
        unique=False,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.add_column("processing_jobs", sa.Column("preview", sa.String(length=36), nullable=True))
