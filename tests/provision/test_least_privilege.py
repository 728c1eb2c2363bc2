"""What the administrator's job makes lets each program reach what is its own, and nothing else."""

import asyncio
import io
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import psycopg
import pytest
from minio import Minio, S3Error

from services.common import buckets
from services.common.streams import CONTEXTS
from tests.support.provisioned import Place, begin

pytestmark = pytest.mark.xdist_group("provision")

WORK = """
    SELECT count(*) FROM {} WHERE status = 'PROCESSING' OR status = 'PENDING' AND next_try_at <= now()
"""
MAY = {
    "catalog": {
        *(("uploads", "read"), ("uploads", "write"), ("uploads", "list")),
        *(("audio", "list"), ("images", "list")),
    },
    "processing": {
        *(("uploads", "read"), ("audio", "read"), ("audio", "write"), ("audio", "list")),
        *(("previews", "write"), ("previews", "list"), ("images", "write"), ("images", "list")),
    },
    "edge": {("audio", "read"), ("previews", "read"), ("images", "read")},
}

DEEDS = {
    "read": lambda client, bucket: client.stat_object(bucket, "there"),
    "write": lambda client, bucket: client.put_object(bucket, "new", io.BytesIO(b"bytes"), 5),
    "list": lambda client, bucket: list(client.list_objects(bucket)),
}


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Return engines for which every step was run, twice: the second run may change nothing."""
    folder = Path(tempfile.mkdtemp(prefix="spotilike-test-", dir="/tmp"))
    folder.chmod(0o711)
    place = begin(folder)
    try:
        for _ in range(2):
            for step in ("databases", "streams", "buckets"):
                place.step(step)
            place.migrate("processing")
        yield place
    finally:
        place.end()


@pytest.mark.parametrize("holder", [f"{context}-{role}" for context in CONTEXTS for role in ("secrets", "owner")])
def test_a_role_reaches_only_its_own_database(place: Place, holder: str):
    """Connecting to the others, and to the server's own, is refused."""
    url = place.secret(holder, "spotilike_database_url")
    own = f"{holder.split('-', maxsplit=1)[0]}_db"
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (own,)
    for database in {*(f"{context}_db" for context in CONTEXTS), "postgres", "template1"} - {own}:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url, dbname=database)


def test_the_scaler_counts_tasks_and_reads_nothing_else(place: Place):
    """No name of a file, no artist, no fact, no other table or database, and nothing can be written."""
    url = place.secret("scaler-secrets", "spotilike_database_url")
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("processing_jobs", "pictures"):
            assert connection.execute(WORK.format(table)).fetchone() == (0,)
        for refused in (
            "SELECT filename FROM processing_jobs",
            "SELECT * FROM pictures",
            "SELECT 1 FROM outbox",
            "SELECT 1 FROM alembic_version",
            "UPDATE processing_jobs SET status = 'COMPLETED'",
            "DELETE FROM pictures",
            "CREATE TABLE other (id int)",
            "CREATE TEMPORARY TABLE other (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)
    for database in ("catalog_db", "user_db", "streaming_db", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url, dbname=database)


@pytest.mark.parametrize("context", CONTEXTS)
async def test_an_identity_tells_and_hears_only_what_is_its_own(place: Place, context: str):
    """Others' facts can be neither forged nor overheard, and no stream or consumer be changed or read around."""
    others = [other for other in CONTEXTS if other != context]
    violations: asyncio.Queue[Exception] = asyncio.Queue()
    client = await nats.connect(
        place.engines.nats.url,
        nkeys_seed=str(place.sets / f"{context}-secrets" / "nats.nk"),
        inbox_prefix=f"_INBOX_{context}".encode(),
        error_cb=violations.put,
    )

    async def refused() -> None:
        assert "permissions violation" in str(await asyncio.wait_for(violations.get(), 5)).lower()

    await client.publish(f"spotilike.{context}.something", b"mine")
    await client.subscribe(f"nudge.{context}")
    await client.flush()
    assert violations.empty()
    for other in others:
        for subject in (f"spotilike.{other}.something", f"$JS.API.CONSUMER.MSG.NEXT.USER.{other}"):
            await client.publish(subject, b"forged")
            await refused()
        for subject in (f"spotilike.{other}.>", f"_INBOX_{other}.>", f"nudge.{other}"):
            await client.subscribe(subject)
            await refused()
    read = [f"STREAM.MSG.GET.{other.upper()}" for other in others]
    for subject in (*read, "DIRECT.GET.USER", "STREAM.DELETE.USER", "CONSUMER.CREATE.USER"):
        await client.publish(f"$JS.API.{subject}", b"{}")
        await refused()
    await client.close()


@pytest.mark.parametrize("identity", MAY)
def test_an_identity_does_only_what_it_must_in_each_bucket(place: Place, identity: str):
    """Reading, writing and listing, in all four."""
    client, admin = s3(place, f"{identity}-secrets"), s3(place, "provision-secrets")
    for bucket in buckets.ALL:
        admin.put_object(bucket, "there", io.BytesIO(b"bytes"), 5)

    deeds = itertools.product(buckets.ALL, DEEDS)
    assert {(bucket, deed) for bucket, deed in deeds if is_allowed(client, deed, bucket)} == MAY[identity]


def is_allowed(client: Minio, deed: str, bucket: str) -> bool:
    """Try it."""
    try:
        DEEDS[deed](client, bucket)
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return False
    return True


def s3(place: Place, holder: str) -> Minio:
    """Speak to the store as the holder of a set."""
    access_key, secret_key = (place.secret(holder, f"spotilike_s3_{half}_key") for half in ("access", "secret"))
    return Minio(place.engines.seaweedfs.endpoint, access_key, secret_key, secure=False, region="us-east-1")


def test_uploads_that_nobody_completes_are_forgotten(place: Place):
    """The store does that by a rule of the bucket."""
    lifecycle: Any = s3(place, "provision-secrets").get_bucket_lifecycle("uploads")

    assert [rule.abort_incomplete_multipart_upload.days_after_initiation for rule in lifecycle.rules] == [2]
