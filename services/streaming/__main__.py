"""Runs the streaming service: `python -m services.streaming`."""

from datetime import timedelta

from services.common import peers, retention
from services.common.auth import TokenVerifier
from services.common.db import Database
from services.common.keys import KeyPolicy, Keyring
from services.common.server import Service, run
from services.common.sessions import EndedSessions
from services.common.settings import load
from services.streaming.catalog import Catalog
from services.streaming.events import exchange
from services.streaming.handlers.history_service import HistoryService
from services.streaming.handlers.key_service import KeyService
from services.streaming.handlers.media_key_service import MediaKeyService
from services.streaming.handlers.playback_service import PlaybackService
from services.streaming.media import MediaAccess
from services.streaming.settings import Settings
from services.streaming.store import Store
from services.streaming.sweeper import Sweeper
from services.streaming.tables import ended_sessions, playbacks, request_ids, signing_keys


def wire(settings: Settings) -> Service:
    """Put the service together; channels belong to the running event loop."""
    database = Database(settings)
    store = Store(database)
    life = timedelta(seconds=settings.media_token_seconds)
    key_policy = KeyPolicy(token_life=life + timedelta(minutes=1), rotate_after=timedelta(days=settings.key_days))
    keys = Keyring(database, signing_keys, settings.key_encryption_secret, key_policy)
    access = MediaAccess(keys, life)
    catalog = Catalog(peers.channel(settings.catalog_internal, settings.tls_dir))
    access_keys = peers.RemoteKeys(peers.channel(settings.user_internal, settings.tls_dir))
    ended = EndedSessions(database, ended_sessions)
    longest = timedelta(hours=settings.playback_hours)
    sweeper = Sweeper(store, timedelta(seconds=settings.playback_timeout_seconds))
    kept = retention.Rule(playbacks.c.closed_at, timedelta(days=settings.playback_keep_days))

    async def ready() -> None:
        await database.ping()
        await keys.check()

    return Service(
        settings=settings,
        verifier=TokenVerifier(access_keys, ended),
        public=[PlaybackService(store, catalog, access, longest), HistoryService(store), KeyService(keys)],
        internal=[MediaKeyService(keys)],
        ready=ready,
        background=[
            exchange(settings, database, ended),
            access_keys.run(),
            keys.run(),
            ended.run(),
            sweeper.run(settings.sweep_seconds),
            retention.run(database, [kept, retention.repeatable(request_ids), keys.rule(), ended.rule()]),
        ],
    )


if __name__ == "__main__":
    run("streaming", lambda: wire(load(Settings)))
