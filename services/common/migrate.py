"""Brings the database of one context to its newest schema: `python -m services.common.migrate catalog`.

With `--wait` it changes nothing and returns when the database is as new as this release, or newer; the application's
role may do that. With `--new MESSAGE` it writes the next revision from the difference between `tables.py` and the
database.

Migrating runs as the role that owns the tables (`SPOTILIKE_DATABASE_URL`). A lock that is held by somebody else for
more than a second makes the migration step aside and try again, so that calls never queue behind it.
"""

import importlib
import sys
import time
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import MetaData, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from services.common import telemetry
from services.common.db import driver_url
from services.common.settings import DatabaseSettings, load

SERVICES = Path(__file__).resolve().parent.parent
TRIES = 30
PAUSE_SECONDS = 1.0

log = structlog.get_logger("migrate")


def metadata(context: str) -> MetaData:
    """Find the tables of a context."""
    tables: MetaData = importlib.import_module(f"services.{context}.tables").METADATA
    return tables


def configuration(context: str, url: str) -> Config:
    """Describe the migrations of a context to Alembic."""
    config = Config()
    config.set_main_option("script_location", str(SERVICES / "common" / "migrations"))
    config.set_main_option("version_locations", str(SERVICES / context / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["url"] = url
    config.attributes["metadata"] = metadata(context)
    return config


def upgrade(context: str, url: str) -> None:
    """Bring the database at `url` to the newest schema."""
    config = configuration(context, url)
    for last in (False,) * (TRIES - 1) + (True,):
        try:
            command.upgrade(config, "head")
        except DBAPIError as error:
            if last or not isinstance(error.orig, LockNotAvailable):
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def wait(context: str, url: str) -> None:
    """Return when the database at `url` is at least at the newest revision that this release knows."""
    script = ScriptDirectory.from_config(configuration(context, url))
    older = {revision.revision for revision in script.walk_revisions()} - {script.get_current_head()}
    engine = create_engine(driver_url(url), poolclass=NullPool, connect_args={"connect_timeout": 3})
    while True:
        try:
            with engine.connect() as connection:
                current = MigrationContext.configure(connection).get_current_revision()
        except DBAPIError as error:
            log.info("The database cannot be read yet.", error=str(error.orig).splitlines()[0])
        else:
            # A revision that this release has never heard of was made by a newer one.
            if current and current not in older:
                return
            log.info("The database is not as new as this release yet.", revision=current)
        time.sleep(PAUSE_SECONDS)


def revise(context: str, url: str, message: str) -> None:
    """Write the revision that takes the migrated database at `url` to what `tables.py` says; read it before use."""
    folder = SERVICES / context / "migrations"
    number = f"{len(list(folder.glob('0*.py'))) + 1:04}"
    config = configuration(context, url)
    command.revision(config, message, autogenerate=True, rev_id=number, version_path=str(folder))


if __name__ == "__main__":
    match sys.argv[1:]:
        case [name]:
            upgrade(name, load(DatabaseSettings).database_url.get_secret_value())
        case [name, "--wait"]:
            telemetry.configure(f"migrate-{name}")
            wait(name, load(DatabaseSettings).database_url.get_secret_value())
        case [name, "--new", message]:
            revise(name, load(DatabaseSettings).database_url.get_secret_value(), message)
        case _:
            sys.exit("usage: python -m services.common.migrate CONTEXT [--wait | --new MESSAGE]")
