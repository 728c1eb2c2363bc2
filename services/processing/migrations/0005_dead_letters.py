"""Dead letters: what was `dead_events`, and jobs that were given up."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it, through a view of the old name."""
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("job_id", name=op.f("uq_dead_letters_job_id")),
    )
    op.create_index("ix_dead_letters_newest", "dead_letters", ["created_at", "id"], unique=False)
    # Nobody puts an event aside between the copy and the end of the table that it came from.
    op.execute("LOCK TABLE dead_events IN ACCESS EXCLUSIVE MODE")
    op.execute(
        "INSERT INTO dead_letters (subject, payload, error, created_at)"
        " SELECT subject, payload, error, created_at FROM dead_events"
    )
    op.drop_table("dead_events")
    op.execute("CREATE VIEW dead_events AS SELECT subject, payload, error FROM dead_letters")
