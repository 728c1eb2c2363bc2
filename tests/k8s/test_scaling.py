"""Workers come and go with the tasks: the scaler's question is asked here of the real tables."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from services.provision.databases import SCALER

PENDING, PROCESSING, COMPLETED, FAILED = "PENDING", "PROCESSING", "COMPLETED", "FAILED"


@pytest.fixture(scope="session")
def scaler(overlays):
    """Return the ScaledObject of the workers."""
    return overlays["prod"].find("ScaledObject", "worker")["spec"]


@pytest.fixture
async def rows(databases):
    """Return a connection as the owner of a migrated database without tasks."""
    owner = await databases.fresh("processing", "scaling", "owner")
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as connection:
        await connection.execute("TRUNCATE processing_jobs, pictures")
        yield connection


async def test_the_scaler_counts_what_is_due_and_what_is_running(rows, scaler):
    """Tasks that wait for their time, and those that have ended, need no worker."""
    query = scaler["triggers"][0]["metadata"]["query"]
    now = datetime.now(UTC)
    due, later = now - timedelta(seconds=1), now + timedelta(hours=1)
    kinds = [(PENDING, due), (PENDING, later), (PROCESSING, due), (PROCESSING, later), (COMPLETED, due), (FAILED, due)]
    for status, time in kinds:
        await _add_job(rows, status, time)
        await _add_picture(rows, status, time)
    await _add_job(rows, PENDING, due)

    counted = await (await rows.execute(query)).fetchone()

    assert counted == (2 * 3 + 1,)


async def test_without_tasks_nobody_works_and_the_first_one_wakes_somebody(rows, scaler):
    """The question of an empty queue is answered by none, which is what scales to none."""
    query = scaler["triggers"][0]["metadata"]["query"]
    idle = await (await rows.execute(query)).fetchone()
    await _add_picture(rows, PENDING, datetime.now(UTC))
    woken = await (await rows.execute(query)).fetchone()

    assert (idle, woken) == ((0,), (1,))
    assert (scaler["minReplicaCount"], scaler["triggers"][0]["metadata"]["activationTargetQueryValue"]) == (0, "0")


async def test_whoever_scales_may_count_and_nothing_else(databases, scaler):
    """The scaler's role reads three columns of two tables: no names of files, no reasons, no other table."""
    url = await databases.url("processing", "scaler")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        counted = await (await connection.execute(scaler["triggers"][0]["metadata"]["query"])).fetchone()
        for forbidden in ("SELECT filename FROM processing_jobs", "SELECT * FROM dead_letters", "DELETE FROM pictures"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(forbidden)
        role = connection.info.user

    assert counted is not None
    assert role == SCALER


async def _add_job(rows, status, time):
    await rows.execute(
        "INSERT INTO processing_jobs (id, track_id, source_bucket, source_key, status, artist_id, generation,"
        " size_bytes, filename, next_try_at) VALUES (%s, %s, 'uploads', 'key', %s, %s, 1, 1, 'song.flac', %s)",
        [uuid4(), uuid4(), status, uuid4(), time],
    )


async def _add_picture(rows, status, time):
    await rows.execute(
        "INSERT INTO pictures (id, source_bucket, source_key, size_bytes, status, next_try_at)"
        " VALUES (%s, 'uploads', 'key', 1, %s, %s)",
        [uuid4(), status, time],
    )
