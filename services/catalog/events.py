"""The facts that leave the catalog and the ones that it hears."""

import asyncio
from uuid import UUID

from google.protobuf.message import Message

from services.catalog import loudness
from services.catalog.domain import Failure, duration_seconds
from services.catalog.domain.artworks import Artwork, Collection, Target
from services.catalog.domain.uploads import Outcome, Upload
from services.catalog.store import Store, Transaction
from services.catalog.tables import dead_events, outbox
from services.common import events, images, names
from services.common.db import Database
from services.common.events import DeadEvents, Effect, Listener
from services.common.outbox import Relay
from services.common.sessions import EndedSessions
from services.common.settings import NatsSettings
from spotilike.events.v1.catalog_events_pb2 import (
    ArtworkRetired,
    ArtworkUploaded,
    AvatarChanged,
    FolderRetired,
    TrackUploaded,
)
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.processing_events_pb2 import (
    ArtworkCompleted,
    ArtworkFailed,
    JobCompleted,
    JobFailed,
    JobRetried,
)
from spotilike.events.v1.user_events_pb2 import AvatarStored, SessionsEnded, UserDeleted

CONTEXT = "catalog"
TRACK_UPLOADED = "spotilike.catalog.track_uploaded"
FOLDER_RETIRED = "spotilike.catalog.folder_retired"
ARTWORK_UPLOADED = "spotilike.catalog.artwork_uploaded"
ARTWORK_RETIRED = "spotilike.catalog.artwork_retired"
AVATAR_CHANGED = "spotilike.catalog.avatar_changed"


async def announce(tx: Transaction, upload: Upload, actor: str = "") -> None:
    """Say that a master has arrived; its job is made from this, once, however often it is said."""
    payload = TrackUploaded(
        job=str(upload.id),
        track=str(upload.track_id),
        artist=str(upload.artist_id),
        generation=upload.generation or 0,
        source_bucket=upload.source_bucket,
        source_key=upload.source_key,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256 or "",
        filename=upload.filename,
    )
    await tx.outbox.add(TRACK_UPLOADED, events.new(names.track(upload.track_id), payload, actor))


async def retire(tx: Transaction, track_id: UUID, folder: str) -> None:
    """Say that a folder is played no more."""
    payload = FolderRetired(track=str(track_id), folder=folder)
    await tx.outbox.add(FOLDER_RETIRED, events.new(names.track(track_id), payload))


async def announce_artwork(tx: Transaction, artwork: Artwork, actor: str = "") -> None:
    """Say that a picture has arrived; its sizes are made once, however often it is said."""
    payload = ArtworkUploaded(
        artwork=str(artwork.id),
        source_bucket=artwork.source_bucket,
        source_key=artwork.source_key,
        size_bytes=artwork.size_bytes,
    )
    await tx.outbox.add(ARTWORK_UPLOADED, events.new(names.artwork(artwork.id), payload, actor))


async def announce_avatar(tx: Transaction, artwork: Artwork) -> None:
    """Say that a user has a new picture, which is the user service's to keep."""
    payload = AvatarChanged(user=str(artwork.target.id), artwork=str(artwork.id))
    await tx.outbox.add(AVATAR_CHANGED, events.new(artwork.target.name, payload))


async def retire_artwork(tx: Transaction, artwork_id: UUID) -> None:
    """Say that a picture is shown no more."""
    payload = ArtworkRetired(artwork=str(artwork_id))
    await tx.outbox.add(ARTWORK_RETIRED, events.new(names.artwork(artwork_id), payload))


class Outcomes:
    """What becomes of masters in processing, applied to their tracks.

    Facts arrive in any order and more than once: the job says whether a fact is known, the generation which master
    is the newer one. An unknown job or track is an error, which puts the event aside.
    """

    def __init__(self, store: Store) -> None:
        """Apply to `store`."""
        self._store = store

    async def completed(self, _: Event, fact: JobCompleted) -> None:
        """Switch to the new renditions, or retire them when a newer master is played or the track is gone."""
        track_id, job = UUID(fact.track), UUID(fact.job)
        async with self._store.begin() as tx:
            album_id = await tx.albums.lock_of(track_id)
            before = await tx.tracks.lock_master(track_id)
            if await tx.uploads.outcome(job) is Outcome.COMPLETED:
                return
            await tx.uploads.conclude(job, Outcome.COMPLETED)
            duration = duration_seconds(fact.facts.samples, fact.facts.sample_rate_hz)
            facts = fact.facts.SerializeToString()
            if not await tx.tracks.publish(track_id, fact.generation, fact.folder, duration, facts):
                await retire(tx, track_id, fact.folder)
                return
            if before.folder:
                await retire(tx, track_id, before.folder)
            await loudness.measure(tx, album_id)

    async def failed(self, _: Event, fact: JobFailed) -> None:
        """Tell the artist why the newest master could not be used; what was playable stays so."""
        track_id, job = UUID(fact.track), UUID(fact.job)
        async with self._store.begin() as tx:
            await tx.tracks.lock_master(track_id)
            if await tx.uploads.outcome(job) is Outcome.COMPLETED:
                return
            await tx.uploads.conclude(job, Outcome.FAILED)
            await tx.tracks.fail(track_id, fact.generation, Failure(fact.reason, fact.message))

    async def retried(self, _: Event, fact: JobRetried) -> None:
        """Wait for the outcome again. Without one the master is told of again, which brings it."""
        track_id, job = UUID(fact.track), UUID(fact.job)
        async with self._store.begin() as tx:
            await tx.tracks.lock_master(track_id)
            if await tx.uploads.outcome(job) is Outcome.COMPLETED:
                return
            await tx.uploads.reopen(job)
            await tx.tracks.fail(track_id, fact.generation, None)


class Pictures:
    """What becomes of pictures in processing, applied to what they show.

    Facts arrive in any order and more than once: the newest picture that can be shown is shown. An unknown picture is
    an error, which puts the event aside.
    """

    def __init__(self, store: Store) -> None:
        """Apply to `store`."""
        self._store = store

    async def completed(self, _: Event, fact: ArtworkCompleted) -> None:
        """Show a picture unless a newer one is shown, and retire those that are not shown any more."""
        async with self._store.begin() as tx:
            artwork = await tx.artworks.lock(UUID(fact.artwork))
            if artwork.is_known:
                return
            replaced = await tx.artworks.complete(artwork, fact.blur_hash)
            for artwork_id in replaced:
                await retire_artwork(tx, artwork_id)
            if artwork.id not in replaced:
                await _show(tx, artwork, fact.blur_hash)

    async def failed(self, _: Event, fact: ArtworkFailed) -> None:
        """Tell why a picture could not be used; what is shown stays so."""
        async with self._store.begin() as tx:
            artwork = await tx.artworks.lock(UUID(fact.artwork))
            if not artwork.is_known:
                await tx.artworks.fail(artwork.id, Failure(fact.reason, fact.message))

    async def stored(self, _: Event, fact: AvatarStored) -> None:
        """Note that the user service knows a picture."""
        async with self._store.begin() as tx:
            await tx.artworks.stored(UUID(fact.artwork))


async def _show(tx: Transaction, artwork: Artwork, blur_hash: str) -> None:
    """Switch a target to a picture."""
    key, target = images.key(artwork.id), artwork.target
    match target.collection:
        case Collection.ALBUMS:
            await tx.albums.change(target.id, {"cover_url": key, "cover_blur_hash": blur_hash})
        case Collection.ARTISTS:
            await tx.artists.change(target.id, {"avatar_url": key, "avatar_blur_hash": blur_hash})
        case Collection.USERS:
            await announce_avatar(tx, artwork)


class Departures:
    """What becomes of teams and of pictures when accounts are erased."""

    def __init__(self, store: Store) -> None:
        """Apply to `store`."""
        self._store = store

    async def hear(self, _: Event, fact: UserDeleted) -> None:
        """Remove a person from every team, and retire their pictures.

        An artist without anybody who has ALL is frozen by that.
        """
        user_id = UUID(fact.user)
        async with self._store.begin() as tx:
            await tx.managers.remove_everywhere(user_id)
            for artwork_id in await tx.artworks.give_up(Target(Collection.USERS, user_id)):
                await retire_artwork(tx, artwork_id)


async def exchange(settings: NatsSettings, database: Database, ended: EndedSessions) -> None:
    """Hear and tell facts until cancelled. While the broker is away calls go on and the outbox waits."""
    store, dead = Store(database), DeadEvents(database, dead_events)
    outcomes, pictures = Outcomes(store), Pictures(store)
    of_processing: dict[type[Message], Effect] = {
        JobCompleted: outcomes.completed,
        JobFailed: outcomes.failed,
        JobRetried: outcomes.retried,
        ArtworkCompleted: pictures.completed,
        ArtworkFailed: pictures.failed,
    }
    of_users: dict[type[Message], Effect] = {
        SessionsEnded: ended.hear,
        UserDeleted: Departures(store).hear,
        AvatarStored: pictures.stored,
    }
    listeners = [Listener("PROCESSING", CONTEXT, of_processing, dead), Listener("USER", CONTEXT, of_users, dead)]
    connection = await events.connect(settings, CONTEXT)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Relay(database, outbox, CONTEXT.upper()).run(connection))
            for listener in listeners:
                tasks.create_task(listener.run(connection))
    finally:
        await connection.close()
