"""Promises of the engines: each role and identity reaches only what is its own."""

import asyncio
import io

import minio
import nats
import nats.errors
import psycopg
import pytest

from cli.engines.parts import CONTEXTS
from tests.support.engines import Engines


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_role_reaches_only_the_database_of_its_context(engines: Engines, context: str):
    """Connecting works in the own database and is refused in the others and in the server's own."""
    async with await psycopg.AsyncConnection.connect(engines.database_url(context, "app")) as own:
        assert await (await own.execute("SELECT current_database()")).fetchone() == (f"{context}_db",)
    foreign = [f"{other}_db" for other in CONTEXTS if other != context] + ["postgres", "template1"]
    for database in foreign:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            await psycopg.AsyncConnection.connect(engines.database_url(context, "app", database))


async def test_the_application_role_writes_rows_and_cannot_change_tables(engines: Engines):
    """Tables belong to the owner; the application gets rows and sequences and no DDL."""
    name = "catalog_privileges"
    await engines.postgres.create_database("catalog", name)
    async with await psycopg.AsyncConnection.connect(engines.database_url("catalog", "owner", name)) as owner:
        await owner.execute("CREATE TABLE albums (id serial PRIMARY KEY, title text)")
    app = await psycopg.AsyncConnection.connect(engines.database_url("catalog", "app", name), autocommit=True)
    async with app:
        await app.execute("INSERT INTO albums (title) VALUES ('First')")
        for statement in ("DROP TABLE albums", "CREATE TABLE other (id int)", "CREATE TEMPORARY TABLE t (id int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await app.execute(statement)


async def test_a_wrong_password_is_refused(engines: Engines):
    """The server asks for SCRAM also on loopback."""
    url = engines.database_url("user", "app").replace("user_app:", "user_app:x")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(url)


async def test_a_nats_identity_cannot_publish_the_facts_of_another(engines: Engines):
    """The catalog may say `spotilike.catalog.*`; saying `spotilike.user.*` is a permissions violation."""
    violations: asyncio.Queue[Exception] = asyncio.Queue()

    client = await nats.connect(
        engines.nats_url,
        nkeys_seed=str(engines.nats_seed_file("catalog")),
        inbox_prefix=b"_INBOX_catalog",
        error_cb=violations.put,
    )
    await client.publish("spotilike.catalog.TrackUploaded", b"mine")
    await client.flush()
    assert violations.empty()
    await client.publish("spotilike.user.UserDeleted", b"forged")
    violation = await asyncio.wait_for(violations.get(), 5)
    await client.close()
    assert 'permissions violation for publish to "spotilike.user.userdeleted"' in str(violation).lower()


async def test_a_stranger_cannot_connect_to_nats(engines: Engines):
    """Without a known nkey there is no connection."""
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await nats.connect(engines.nats_url, allow_reconnect=False)


@pytest.mark.parametrize(
    ("identity", "bucket", "allowed"),
    [
        ("catalog", "uploads", True),
        ("catalog", "audio", False),
        ("catalog", "images", False),
        ("catalog", "previews", False),
        ("processing", "audio", True),
        ("processing", "images", True),
        ("processing", "previews", True),
        ("processing", "uploads", False),
        ("edge", "audio", False),
        ("edge", "images", False),
        ("edge", "previews", False),
        ("edge", "uploads", False),
    ],
)
def test_an_object_identity_writes_only_where_it_must(engines: Engines, identity: str, bucket: str, allowed: bool):  # noqa: FBT001 - a column of the table above
    """Masters are written by the catalog's signature, audio and images by processing, nothing by the edge."""
    keys = engines.s3_credentials(identity)
    client = minio.Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")
    if allowed:
        client.put_object(bucket, f"probe-{identity}", io.BytesIO(b"bytes"), 5)
    else:
        with pytest.raises(minio.S3Error, match="AccessDenied"):
            client.put_object(bucket, f"probe-{identity}", io.BytesIO(b"bytes"), 5)
