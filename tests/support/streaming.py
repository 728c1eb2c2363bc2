"""The streaming service of this worker, beside the real user and catalog services."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from services.streaming import __main__ as streaming_main
from services.streaming.settings import Settings
from tests.support.databases import Databases
from tests.support.engines import Engines
from tests.support.services import RunningService, listeners, run

TIMEOUT_SECONDS = 90.0

SettingsOf = Callable[..., Settings]


@pytest.fixture(scope="session")
async def settings_of(
    streams: Engines, databases: Databases, user: RunningService, catalog: RunningService, key_secret: str
) -> SettingsOf:
    """Return a function that makes settings of a streaming service; all of them share keys and database."""
    values: dict[str, Any] = {
        **listeners(streams, "streaming"),
        "nats_url": streams.nats_url,
        "nats_seed_file": streams.nats_seed_file("streaming"),
        "database_url": await databases.url("streaming"),
        "user_internal": user.internal_address,
        "catalog_internal": catalog.internal_address,
        "key_encryption_secret": key_secret,
        "playback_timeout_seconds": TIMEOUT_SECONDS,
        "sweep_seconds": 0.5,
    }
    return lambda **changed: Settings(**values | changed)


@pytest.fixture(scope="session")
async def streaming(engines: Engines, settings_of: SettingsOf) -> AsyncIterator[RunningService]:
    """Return the streaming service of this worker."""
    running = await run(streaming_main.wire(settings_of()), engines)
    yield running
    await running.process.stop()
