"""What is put right in the user context after its database went back to a moment.

`python -m services.provision recover user`, while the service is stopped. Who was erased since that moment is known by
the stream of this context, which does not go back with the database, or by a file.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from pathlib import Path
from uuid import UUID

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from services.common import events, keys
from services.common.db import Database, opened
from services.common.settings import NatsSettings
from services.common.streams import USER_DELETED
from services.user.erasure import erase
from services.user.events import CONTEXT
from services.user.settings import RecoverySettings
from services.user.store import Store
from services.user.tables import signing_keys
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.user_events_pb2 import UserDeleted

STREAM = CONTEXT.upper()
CONNECT_SECONDS = 10.0


class ErasuresUnknownError(Exception):
    """Nobody can say who was erased: people who are gone would come back."""


async def recover(settings: RecoverySettings) -> dict[str, int]:
    """Sign everybody out and erase again who was erased since; answers figures. Raises ErasuresUnknownError."""
    erased = set() if settings.broker_lost else await _told(settings, settings.restored_to)
    if settings.erasures_file:
        erased |= listed(settings.erasures_file)
    async with opened(settings) as database:
        store = Store(database)
        return {
            "erasures_known": len(erased),
            "people_erased_again": await erase_again(store, erased),
            "erasures_told_again": await tell_again(store),
            "keys_withdrawn": await withdraw_keys(database),
            "devices_signed_out": await end_sessions(store),
        }


async def withdraw_keys(database: Database) -> int:
    """Withdraw the keys of all access tokens; answers how many that were."""
    async with database.begin() as connection:
        return await keys.withdraw_all(connection, signing_keys)


async def end_sessions(store: Store) -> int:
    """Sign everybody out; answers how many devices that were."""
    ended = 0
    while True:
        async with store.begin() as tx:
            some = await tx.sessions.end_everybody()
        if not some:
            return ended
        ended += some


async def erase_again(store: Store, user_ids: Collection[UUID]) -> int:
    """Erase those who have an account again; answers how many that were. The other contexts hear of it."""
    count = 0
    for user_id in user_ids:
        async with store.begin() as tx:
            if user := await tx.users.lock(user_id):
                await erase(tx, user)
                count += 1
    return count


async def tell_again(store: Store) -> int:
    """Have erasures before the moment told again: the databases of others may have gone back to before they heard."""
    async with store.begin() as tx:
        return await tx.outbox.tell_again(USER_DELETED)


def listed(file: Path) -> set[UUID]:
    """Read ids from a file, one a line."""
    return {UUID(line) for line in file.read_text().split()}


async def _told(settings: NatsSettings, since: datetime) -> set[UUID]:
    """Ask the broker who was erased; raises ErasuresUnknownError where it cannot say that since a moment."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await events.connect(settings, CONTEXT)
    except TimeoutError as away:
        raise ErasuresUnknownError(f"The broker at {settings.nats_url} does not answer.") from away
    try:
        return await _read(connection.jetstream(), since)
    except NatsError as error:
        raise ErasuresUnknownError(f"The broker does not say who was erased: {error!r}.") from error
    finally:
        await connection.close()


async def _read(jetstream: JetStreamContext, since: datetime) -> set[UUID]:
    stream = await jetstream.stream_info(STREAM)
    if stream.created is None or stream.created > since:
        raise ErasuresUnknownError(
            f"The broker knows erasures since {stream.created}, and the database went back to {since}. "
            "Name who was erased in SPOTILIKE_ERASURES_FILE, and set SPOTILIKE_BROKER_LOST=true."
        )
    return {user_id async for user_id in _facts(jetstream)}


async def _facts(jetstream: JetStreamContext) -> AsyncIterator[UUID]:
    following = 1
    while True:
        try:
            message = await jetstream.get_msg(STREAM, seq=following, subject=USER_DELETED, next=True)
        except NotFoundError:
            return
        yield UUID(UserDeleted.FromString(Event.FromString(message.data or b"").payload.value).user)
        following = (message.seq or following) + 1
