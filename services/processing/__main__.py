"""Runs the processing service: `python -m services.processing`."""

from datetime import timedelta

from services.common import retention
from services.common.auth import TokenVerifier
from services.common.db import Database
from services.common.events import Effects
from services.common.peers import RemoteKeys, channel
from services.common.server import Service, run
from services.common.sessions import EndedSessions
from services.common.settings import load
from services.common.storage import Storage
from services.processing import measures
from services.processing.events import Intake, Nudges, exchange
from services.processing.feed import Feed
from services.processing.handlers.dead_letter_service import DeadLetterService
from services.processing.handlers.job_service import JobService
from services.processing.masters import Masters
from services.processing.permissions import Permissions
from services.processing.settings import Settings
from services.processing.store import Store
from services.processing.sweeper import Graces, Sweeper
from services.processing.tables import ended_sessions, outbox, request_ids, turns
from spotilike.events.v1.user_events_pb2 import SessionsEnded

LONGEST_TURN = timedelta(days=1)
"""Longer than a job waits: whoever was served before that waits since the job's own time."""


def wire(settings: Settings) -> Service:
    """Put the service together; channels belong to the running event loop."""
    database = Database(settings)
    measures.watch(database)
    store, storage = Store(database), Storage(settings)
    keys = RemoteKeys(channel(settings.user_internal, settings.tls_dir))
    ended = EndedSessions(database, ended_sessions)
    nudges, news = Nudges(), database.told.listener()
    feed = Feed(store, news, settings.watch_seconds, settings.heartbeat_seconds)
    intake, masters = Intake(store, nudges), Masters(storage)
    effects = Effects({**intake.effects, SessionsEnded: ended.hear})
    permissions = Permissions(channel(settings.catalog_internal, settings.tls_dir))
    sweeper = Sweeper(
        store,
        storage,
        Graces(
            abandoned=settings.abandoned_grace_seconds,
            retired=max(settings.retired_grace_seconds, settings.recovery_window_seconds),
            replaced=max(settings.replaced_grace_seconds, settings.recovery_window_seconds),
            preview=settings.preview_grace_seconds,
        ),
    )
    return Service(
        settings=settings,
        verifier=TokenVerifier(keys, ended),
        public=[JobService(store, feed, permissions, masters, nudges), DeadLetterService(store, masters, effects)],
        internal=[],
        ready=database.ping,
        background=[
            exchange(settings, database, intake, ended, nudges),
            keys.run(),
            ended.run(),
            feed.run(),
            sweeper.run(settings.sweep_seconds),
            retention.run(
                database,
                [
                    retention.published(outbox),
                    retention.repeatable(request_ids),
                    retention.Rule(turns.c.taken_at, LONGEST_TURN),
                    ended.rule(),
                ],
            ),
        ],
    )


if __name__ == "__main__":
    run("processing", lambda: wire(load(Settings)))
