"""How loud albums are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema; the release before this one keeps working on it."""
    op.add_column("albums", sa.Column("integrated_lufs", sa.Double(), nullable=True))
