"""The place in the trace of whoever uploaded."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    for table in ("processing_jobs", "pictures"):
        op.add_column(table, sa.Column("traceparent", sa.String(100), nullable=True))
