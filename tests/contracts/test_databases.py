"""The migrated databases hold the design that they started from, and what the code says they hold."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from services.common.db import driver_url
from services.common.migrate import metadata
from tests.contracts import seed

CONTEXTS = sorted(seed.TABLES)

COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
KEYS = """
    SELECT c.conrelid::regclass::text, c.contype::text, c.confrelid::regclass::text,
           ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k(n, i)
                 JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.i)
    FROM pg_constraint c WHERE c.contype IN ('p', 'u', 'f') AND c.connamespace = 'public'::regnamespace
"""
FIRST_INDEXED = """
    SELECT i.indrelid::regclass::text, a.attname
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
"""


@pytest.fixture(params=CONTEXTS)
async def context(request, databases):
    """Return each context with a connection to its migrated database."""
    with psycopg.connect(await databases.url(request.param, "owner")) as connection:
        yield request.param, connection


def as_written(column: seed.Column, default: str | None) -> str | None:
    """Reduce the default of a sequence to the word for it; its name is PostgreSQL's business."""
    return seed.SEQUENCE if column.default == seed.SEQUENCE and (default or "").startswith("nextval") else default


async def test_every_table_and_column_of_the_design_is_there_as_written(context):
    """Name, type, length, nullability and default."""
    name, connection = context
    for table, columns in seed.TABLES[name].items():
        found = {row[0]: row for row in connection.execute(COLUMNS, [table])}
        for column in columns:
            assert column.name in found, f"{table}.{column.name} is missing"
            _, kind, nullable, default = found[column.name]
            actual = seed.Column(column.name, kind, nullable, as_written(column, default))
            assert actual == column, table


async def test_every_key_of_the_design_is_there(context):
    """Primary keys, unique columns, references and indexes."""
    name, connection = context
    keys = connection.execute(KEYS).fetchall()
    primary = {row[0]: tuple(row[3]) for row in keys if row[1] == "p"}
    unique = {(row[0], row[3][0]) for row in keys if row[1] == "u" and len(row[3]) == 1}
    references = {(row[0], row[3][0], row[2]) for row in keys if row[1] == "f"}
    indexed = set(connection.execute(FIRST_INDEXED).fetchall())
    tables = seed.TABLES[name]

    assert {table: primary[table] for table in tables} == {table: seed.PRIMARY_KEYS[table] for table in tables}
    assert {key for key in seed.UNIQUE if key[0] in tables} <= unique
    assert {key for key in seed.FOREIGN_KEYS if key[0] in tables} <= references
    assert {key for key in seed.INDEXED if key[0] in tables} <= indexed


async def test_the_tables_in_the_code_are_the_tables_in_the_database(context, databases):
    """A migration that was forgotten shows here."""
    name, _ = context
    engine = create_engine(driver_url(await databases.url(name, "owner")))
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        difference = compare_metadata(MigrationContext.configure(connection, opts=options), metadata(name))
    engine.dispose()

    assert difference == []


async def test_both_roles_exist_from_the_start(databases):
    """The first account can be made and the first administrator named."""
    with psycopg.connect(await databases.url("user")) as connection:
        roles = {row[0] for row in connection.execute("SELECT name FROM roles")}

    assert roles == {"ROLE_USER", "ROLE_ADMIN"}
