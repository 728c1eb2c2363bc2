"""Alembic's entry point, the same for every context; the revisions are in `services/<context>/migrations`."""

from alembic import context
from sqlalchemy import create_engine

from services.common.db import driver_url

LOCK_TIMEOUT_MS = 1_000
STATEMENT_TIMEOUT_MS = 5_000

options = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
engine = create_engine(driver_url(context.config.attributes["url"]), connect_args={"options": options})
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=context.config.attributes["metadata"],
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
