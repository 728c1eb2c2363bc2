"""Databases and roles: each context has a database, a role that owns its tables and a role that reads and writes rows.

Nobody else may connect (CONNECT is taken from PUBLIC), so a role reaches only databases of its own context.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

SUPERUSER = "postgres"
SCALER = "processing_scaler"
"""May only look how many tasks are due and running; the columns are granted by the migrations."""
CONNECTIONS_PER_ROLE = 60
"""An application with a leak exhausts its own share and leaves the other contexts theirs."""

_Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_SCHEMA_PRIVILEGES = (
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "ALTER SCHEMA public OWNER TO {owner}",
    "GRANT USAGE ON SCHEMA public TO {app}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE, SELECT ON SEQUENCES TO {app}",
)


def roles(context: str) -> tuple[str, ...]:
    """Name the roles of a context."""
    return (f"{context}_owner", f"{context}_app", *((SCALER,) if context == "processing" else ()))


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server, seen by its superuser."""

    url: str
    """Connection string of the superuser."""
    passwords: Mapping[str, str]
    """By the name of the role."""
    connections_per_role: int = CONNECTIONS_PER_ROLE

    async def provision(self, contexts: Iterable[str]) -> None:
        """Make what these contexts need and is not there; a changed password is applied."""
        async with await self._connect("postgres") as server:
            for database in ("postgres", "template1"):
                await server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            for context in contexts:
                for role in roles(context):
                    await self._make_role(server, role)
                await self.create_database(context, f"{context}_db")

    async def create_database(self, context: str, name: str, *, template: str = "template1") -> None:
        """Make a database of a context if it is not there, and say who may do what in it."""
        owner, app, *onlookers = (sql.Identifier(role) for role in roles(context))
        database = sql.Identifier(name)
        async with await self._connect("postgres") as server:
            known = await (await server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])).fetchone()
            if not known:
                await server.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
                        database, owner, sql.Identifier(template)
                    )
                )
            await server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            for role in (app, *onlookers):
                await server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
        async with await self._connect(name) as inside:
            for statement in _SCHEMA_PRIVILEGES:
                await inside.execute(sql.SQL(statement).format(owner=owner, app=app))
            for role in onlookers:
                await inside.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))

    async def _connect(self, database: str) -> _Connection:
        return await psycopg.AsyncConnection.connect(self.url, dbname=database, autocommit=True)

    async def _make_role(self, server: _Connection, role: str) -> None:
        known = await (await server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])).fetchone()
        if not known:
            await server.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        # The verifier is computed here: a password in a statement would stand in logs and in pg_stat_statements.
        password = self.passwords[role].encode()
        verifier = server.pgconn.encrypt_password(password, role.encode(), b"scram-sha-256").decode()
        await server.execute(
            sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(self.connections_per_role), sql.Literal(verifier)
            )
        )
