"""Relays the outbox of a place, in a process of its own, until it is ended: `python -m tests.support.relay STREAM`."""

import asyncio
import sys

from services.common import events
from services.common.db import Database
from services.common.outbox import Relay
from services.common.settings import DatabaseSettings, NatsSettings, load
from tests.support.places import OUTBOX


async def main() -> None:
    """Relay, and say when it begins."""
    connection = await events.connect(load(NatsSettings), "admin")
    print("relaying", flush=True)  # noqa: T201 (whoever started this waits for it)
    await Relay(Database(load(DatabaseSettings)), OUTBOX, sys.argv[1]).run(connection)


if __name__ == "__main__":
    asyncio.run(main())
