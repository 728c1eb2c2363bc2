"""Rows that serve the transport do not stay for ever."""

from sqlalchemy import text

from services.catalog.tables import outbox, request_ids
from services.common import retention
from services.common.db import Database
from services.common.settings import DatabaseSettings


async def test_rows_of_the_transport_are_removed_when_their_time_is_over(databases):
    """Published facts after a week, request ids after a day; what was not published stays for ever."""
    database = Database(DatabaseSettings(database_url=await databases.fresh("catalog", "retention")))
    async with database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO outbox (event_id, subject, payload, created_at, published_at)"
                " SELECT gen_random_uuid(), kind, '', now() - interval '99 days', now() - age::interval FROM"
                " (VALUES ('old', '8 days'), ('young', '6 days'), ('waiting', NULL)) AS rows (kind, age)"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO request_ids (caller, method, request_id, body_hash, created_at)"
                " SELECT kind, '', gen_random_uuid(), '', now() - age::interval FROM"
                " (VALUES ('old', '25 hours'), ('young', '23 hours')) AS rows (kind, age),"
                " generate_series(1, 1500)"
            )
        )

    await retention.sweep(database, [retention.published(outbox), retention.repeatable(request_ids)])

    async with database.read() as connection:
        facts = (await connection.execute(text("SELECT subject FROM outbox ORDER BY 1"))).scalars().all()
        callers = (await connection.execute(text("SELECT caller, count(*) FROM request_ids GROUP BY 1"))).all()
    await database.close()
    assert facts == ["waiting", "young"]
    assert [tuple(row) for row in callers] == [("young", 1500)]
