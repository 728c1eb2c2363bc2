"""The jobs that have changed lately are found by an index."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.create_index("ix_processing_jobs_changed", "processing_jobs", ["updated_at", "id"], unique=False)
