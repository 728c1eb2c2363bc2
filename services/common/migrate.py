"""Brings the database of one context to its newest schema: `python -m services.common.migrate catalog`.

With `--new MESSAGE` it writes the next revision from the difference between `tables.py` and the database.

Runs as the role that owns the tables (`SPOTILIKE_DATABASE_URL`). A lock that is held by somebody else for more than
a second makes the migration step aside and try again, so that calls never queue behind it.
"""

import importlib
import sys
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from psycopg.errors import LockNotAvailable
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError

from services.common.settings import DatabaseSettings, load

SERVICES = Path(__file__).resolve().parent.parent
TRIES = 30
PAUSE_SECONDS = 1.0


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
        case [name, "--new", message]:
            revise(name, load(DatabaseSettings).database_url.get_secret_value(), message)
        case _:
            sys.exit("usage: python -m services.common.migrate CONTEXT [--new MESSAGE]")
