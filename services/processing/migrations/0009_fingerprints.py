"""The same recording under another artist."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.create_table(
        "fingerprints",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("track_id", sa.Uuid(), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.Column("terms", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_fingerprints")),
    )
    op.create_index("ix_fingerprints_terms", "fingerprints", ["terms"], unique=False, postgresql_using="gin")
    op.add_column("processing_jobs", sa.Column("same_as", sa.Uuid(), nullable=True))
