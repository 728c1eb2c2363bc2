"""Nothing that was accepted is lost, whatever happens to the broker."""

import asyncio
from contextlib import asynccontextmanager
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import text

from services.catalog import __main__ as catalog_main
from services.common import server
from services.common.db import Database
from services.common.settings import DatabaseSettings
from spotilike.catalog.v1.track_pb2 import Track
from tests.catalog.refusals import refused
from tests.support.catalog import Edge, catalog_settings
from tests.support.services import RunningService


async def until(condition):
    """Wait for a condition, and answer what made it true."""
    async with asyncio.timeout(10):
        while not (answer := await condition()):
            await asyncio.sleep(0.02)
        return answer


def long_ago(upload):
    """Name the upload and set its announcement back."""
    return {
        "sql": "UPDATE uploads SET announced_at = now() - interval '61 seconds' WHERE id = :id",
        "id": upload.name.split("/")[1],
    }


async def test_a_master_without_an_outcome_is_announced_again_until_there_is_one(
    edge, studio, processing_facts, announced, catalog_rows
):
    """With the same job and another event id, but not before its time."""
    track = (await edge.track(studio.account, studio.album)).name
    upload = await edge.upload(studio.account, track)
    early = await edge.upload(studio.account, track)

    for times in (2, 3):
        await catalog_rows(**long_ago(upload))

        async def again(times=times):
            return len(await announced(upload)) == times

        await until(again)

    told = await announced(upload)
    assert len({event.id for event, _ in told}) == 3
    facts: list[Message] = [fact for _, fact in told]
    assert facts == [facts[0]] * 3
    assert len(await announced(early)) == 1

    await processing_facts.completed(upload, 1)
    await processing_facts.failed(early, 2)
    for done in (upload, early):
        await catalog_rows(**long_ago(done))
    witness = await edge.upload(studio.account, track)
    await catalog_rows(**long_ago(witness))

    async def swept():
        return len(await announced(witness)) == 2

    await until(swept)
    assert (len(await announced(upload)), len(await announced(early))) == (3, 1)


async def test_what_was_announced_leaves_for_the_broker(edge, studio, announced, catalog_rows):
    """The relay marks it when the broker has it."""
    upload = await edge.upload(studio.account, (await edge.track(studio.account, studio.album)).name)
    [(event, _)] = await announced(upload)

    async def published():
        return await catalog_rows(
            "SELECT 1 FROM outbox WHERE event_id = :id AND published_at IS NOT NULL", id=UUID(event.id)
        )

    assert await until(published)


@asynccontextmanager
async def catalog_without(missing, engines, user, database_url):
    """Run a catalog one of whose engines does not answer; `missing` are the settings that make it so."""
    process = server.Process(catalog_main.wire(catalog_settings(engines, user, database_url, **missing)))
    await process.start()
    edge = Edge(RunningService(process, engines.tls_dir), engines.s3_endpoint)
    yield edge
    await edge.close()
    await process.stop()


async def test_uploads_go_on_while_the_broker_is_away(engines, user, owner, databases):
    """The service is ready without it, and the outbox waits."""
    url = await databases.fresh("catalog", "without_broker")
    async with catalog_without({"nats_url": "nats://127.0.0.1:1"}, engines, user, url) as edge:
        await edge.catalog.ready()
        track = (await edge.track(owner, await edge.album(owner, await edge.artist(owner)))).name

        await edge.upload(owner, track)

        assert (await edge.shown(owner, track)).state == Track.PROCESSING
    database = Database(DatabaseSettings(database_url=url))
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT published_at FROM outbox"))).all()
    await database.close()
    assert [row.published_at for row in rows] == [None]


async def test_an_object_store_that_is_away_stops_uploads_and_nothing_else(engines, user, owner, databases):
    """The client is told to try again; no upload is written down."""
    url = await databases.fresh("catalog", "without_store")
    async with catalog_without({"s3_endpoint": "127.0.0.1:1"}, engines, user, url) as edge:
        track = (await edge.track(owner, await edge.album(owner, await edge.artist(owner)))).name

        assert await refused(edge.open(owner, track, 6)) == "DEPENDENCY_UNAVAILABLE"

        assert (await edge.shown(owner, track)).state == Track.DRAFT
