"""Runs the streaming service: `python -m services.streaming`."""

from datetime import timedelta

from services.common import peers, retention
from services.common.auth import TokenVerifier
from services.common.db import Database
from services.common.keys import Keyring
from services.common.server import Service, run
from services.common.settings import load
from services.streaming.catalog import Catalog
from services.streaming.handlers.history_service import HistoryService
from services.streaming.handlers.key_service import KeyService
from services.streaming.handlers.playback_service import PlaybackService
from services.streaming.media import MediaAccess
from services.streaming.settings import Settings
from services.streaming.store import Store
from services.streaming.sweeper import Sweeper
from services.streaming.tables import playbacks, request_ids, signing_keys


def wire(settings: Settings) -> Service:
    """Put the service together; channels belong to the running event loop."""
    database = Database(settings)
    store = Store(database)
    keys = Keyring(database, signing_keys, settings.key_encryption_secret)
    access = MediaAccess(keys, timedelta(seconds=settings.media_token_seconds))
    catalog = Catalog(peers.channel(settings.catalog_internal, settings.tls_dir))
    users = peers.channel(settings.user_internal, settings.tls_dir)
    longest = timedelta(hours=settings.playback_hours)
    sweeper = Sweeper(store, timedelta(seconds=settings.playback_timeout_seconds))
    kept = retention.Rule(playbacks.c.closed_at, timedelta(days=settings.playback_keep_days))

    async def ready() -> None:
        await database.ping()
        await keys.check()

    return Service(
        settings=settings,
        verifier=TokenVerifier(peers.RemoteKeys(users)),
        public=[PlaybackService(store, catalog, access, longest), HistoryService(store), KeyService(keys)],
        internal=[KeyService(keys)],
        ready=ready,
        background=[
            sweeper.run(settings.sweep_seconds),
            retention.run(database, [kept, retention.repeatable(request_ids)]),
        ],
    )


if __name__ == "__main__":
    run("streaming", lambda: wire(load(Settings)))
