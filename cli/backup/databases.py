"""The four databases as they were at one moment, and back."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from cli.backup.manifest import Dump
from cli.engines.parts import CONTEXTS
from cli.engines.postgres import Postgres, programs
from cli.problem import Problem
from services.provision.databases import SUPERUSER

_TRIES = 200
_NOW_AND_VERSION = ("SELECT clock_timestamp()", "SHOW server_version")
_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
      AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""

_Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Moment:
    """All databases at one moment, each behind a connection that sees it so."""

    connections: Mapping[str, _Connection]
    taken_at: datetime
    version: str
    """Of PostgreSQL."""


@contextmanager
def one_moment(postgres: Postgres) -> Iterator[Moment]:
    """See all databases as they are at one moment.

    They share a server and so its transaction numbers: snapshots that name the same transactions are of one moment.
    What one context has done because of another one is then never seen without its cause.
    """
    for _ in range(_TRIES):
        with ExitStack() as open_connections:
            connections = {}
            for context in CONTEXTS:
                url = postgres.url(SUPERUSER, f"{context}_db")
                connection = open_connections.enter_context(psycopg.connect(url))
                connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
                connections[context] = connection
            seen = {_value(connection, "SELECT pg_current_snapshot()::text") for connection in connections.values()}
            if len(seen) == 1:
                taken_at, version = (_value(connections["user"], query) for query in _NOW_AND_VERSION)
                yield Moment(connections, taken_at.astimezone(UTC), version)
                return
    raise Problem("The databases changed too fast to be seen at one moment: try again when there is less to do.")


def dump(postgres: Postgres, moment: Moment, context: str, folder: Path, name: str) -> Dump:
    """Write the database of a context as it was at the moment to `folder/name`."""
    connection = moment.connections[context]
    snapshot = _value(connection, "SELECT pg_export_snapshot()")
    options = ["--format=custom", f"--snapshot={snapshot}", f"--file={folder / name}", f"--dbname={context}_db"]
    _run(postgres, "pg_dump", options)
    (folder / name).chmod(0o600)
    return Dump(name, _value(connection, "SELECT version_num FROM alembic_version"), _rows(connection))


def load(postgres: Postgres, context: str, file: Path, dump: Dump) -> None:
    """Fill the empty database of a context, and count what is in it then."""
    options = ["--exit-on-error", "--single-transaction", f"--dbname={context}_db", str(file)]
    _run(postgres, "pg_restore", options)
    with psycopg.connect(postgres.url(SUPERUSER, f"{context}_db")) as connection:
        if (rows := _rows(connection)) != dump.rows:
            raise Problem(f"{context}_db has {rows} after it was restored and had {dump.rows} when it was saved.")


def _rows(connection: _Connection) -> dict[str, int]:
    tables = [str(name) for (name,) in connection.execute(_TABLES)]
    counts = (sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)) for table in tables)
    return {table: _value(connection, count) for table, count in zip(tables, counts, strict=True)}


def _value(connection: _Connection, query: Any) -> Any:  # noqa: ANN401 (whatever the query answers)
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _run(postgres: Postgres, program: str, arguments: list[str]) -> None:
    """Run a program of PostgreSQL; the password travels where no list of processes shows it."""
    where = ["--host=127.0.0.1", f"--port={postgres.port}", f"--username={SUPERUSER}"]
    password = postgres.secrets.password(f"postgres_{SUPERUSER}")
    done = subprocess.run(  # noqa: S603 - our own argv
        [str(programs() / program), *where, *arguments],
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Problem(f"{program} failed: {done.stderr.strip()}")
