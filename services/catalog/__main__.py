"""Runs the catalog service: `python -m services.catalog`."""

import asyncio
from datetime import timedelta

from services.catalog.arrivals import Arrivals
from services.catalog.directory import Directory
from services.catalog.domain.artworks import ArtworkPolicy
from services.catalog.domain.uploads import UploadPolicy
from services.catalog.events import exchange
from services.catalog.handlers.access_service import AccessService
from services.catalog.handlers.album_service import AlbumService
from services.catalog.handlers.artist_service import ArtistService
from services.catalog.handlers.artwork_service import ArtworkService
from services.catalog.handlers.genre_service import GenreService
from services.catalog.handlers.manager_service import ManagerService
from services.catalog.handlers.track_service import TrackService
from services.catalog.handlers.upload_service import UploadService
from services.catalog.settings import Settings
from services.catalog.store import Store
from services.catalog.sweeper import Sweeper
from services.catalog.tables import ended_sessions, outbox, request_ids
from services.common import retention
from services.common.auth import TokenVerifier
from services.common.buckets import UPLOADS
from services.common.db import Database
from services.common.peers import RemoteKeys, channel
from services.common.server import Service, run
from services.common.sessions import EndedSessions
from services.common.settings import load
from services.common.storage import Storage


def wire(settings: Settings) -> Service:
    """Put the service together; channels belong to the running event loop."""
    database = Database(settings)
    store = Store(database)
    user = channel(settings.user_internal, settings.tls_dir)
    keys = RemoteKeys(user)
    ended = EndedSessions(database, ended_sessions)
    arrivals = Arrivals(Storage(settings), UPLOADS, timedelta(seconds=settings.upload_url_seconds))
    policy = UploadPolicy(
        part_size_bytes=settings.upload_part_size_bytes,
        life=timedelta(hours=settings.upload_hours),
        open_limit=settings.open_uploads_per_user,
    )
    artwork_policy = ArtworkPolicy(
        life=timedelta(hours=settings.artwork_hours), unfinished_limit=settings.unfinished_artworks_per_user
    )
    sweeper = Sweeper(store, arrivals, timedelta(seconds=settings.announce_again_seconds))

    async def ready() -> None:
        await asyncio.gather(database.ping(), arrivals.ping())

    return Service(
        settings=settings,
        verifier=TokenVerifier(keys, ended),
        public=[
            ArtistService(store),
            ManagerService(store, Directory(user)),
            AlbumService(store),
            TrackService(store),
            GenreService(store),
            UploadService(store, arrivals, policy),
            ArtworkService(store, arrivals, artwork_policy),
        ],
        internal=[AccessService(store)],
        ready=ready,
        background=[
            exchange(settings, database, ended),
            keys.run(),
            ended.run(),
            sweeper.run(settings.sweep_seconds),
            retention.run(database, [retention.published(outbox), retention.repeatable(request_ids), ended.rule()]),
        ],
    )


if __name__ == "__main__":
    run("catalog", lambda: wire(load(Settings)))
