"""Whoever scales the workers may count the tasks that are due and running, and read nothing else of them."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    for table in ("processing_jobs", "pictures"):
        op.execute(f"GRANT SELECT (status, next_try_at, lease_until) ON {table} TO processing_scaler")
