"""Fixtures of several test files of the catalog."""

import pytest

from spotilike.events.v1.catalog_events_pb2 import TrackUploaded
from spotilike.events.v1.event_pb2 import Event


@pytest.fixture
async def artist(edge, sign_up):
    """Return somebody new with a draft: quotas are each person's own."""
    account = await sign_up()
    name = await edge.artist(account)
    return account, name, (await edge.track(account, await edge.album(account, name))).name


@pytest.fixture
def announced(catalog_rows):
    """Return a function that reads what was announced about an upload."""

    async def read(upload):
        rows = await catalog_rows("SELECT payload FROM outbox WHERE subject = 'spotilike.catalog.track_uploaded'")
        facts = []
        for row in rows:
            event, fact = Event.FromString(row.payload), TrackUploaded()
            assert event.payload.Unpack(fact)
            if f"uploads/{fact.job}" == upload.name:
                facts.append((event, fact))
        return facts

    return read
