"""Which facts leave processing and which arrive."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from google.protobuf.message import Message
from nats.aio.client import Client

from services.common import events, names
from services.common.db import Database
from services.common.events import DeadEvents, Effect, Listener
from services.common.outbox import Relay
from services.common.sessions import EndedSessions
from services.common.settings import NatsSettings
from services.processing.domain import Job, Master, Picture, Source, Status, check_folder
from services.processing.media.facts import Facts
from services.processing.store import Store
from services.processing.tables import dead_letters, outbox
from spotilike.events.v1.catalog_events_pb2 import ArtworkRetired, ArtworkUploaded, FolderRetired, TrackUploaded
from spotilike.events.v1.event_pb2 import Event
from spotilike.events.v1.processing_events_pb2 import (
    ArtworkCompleted,
    ArtworkFailed,
    JobCompleted,
    JobFailed,
    JobRetried,
)
from spotilike.events.v1.user_events_pb2 import SessionsEnded
from spotilike.internal.v1.audio_pb2 import AudioFacts

CONTEXT = "processing"
NUDGE = "nudge.processing"
"""Core NATS subject that says that the queues have changed. A nudge that is lost costs one polling interval."""


class Nudges:
    """Makes others look at once, when there is a connection to do it over: workers for tasks, services for news."""

    def __init__(self) -> None:
        self.connection: Client | None = None

    async def send(self) -> None:
        """Say that a task has come, can be heard, was stopped or ended."""
        if self.connection and not self.connection.is_closed:
            await self.connection.publish(NUDGE)


class Intake:
    """Queues what was uploaded, and notes what is not played or shown any more."""

    def __init__(self, store: Store, nudges: Nudges) -> None:
        """Keep tasks in `store` and wake workers with `nudges`."""
        self._store = store
        self._nudges = nudges

    @property
    def effects(self) -> dict[type[Message], Effect]:
        """What each fact of the catalog does."""
        return {
            TrackUploaded: self.upload,
            FolderRetired: self.retirement,
            ArtworkUploaded: self.picture,
            ArtworkRetired: self.picture_retirement,
        }

    async def upload(self, _: Event, uploaded: TrackUploaded) -> None:
        """Take a job in. The catalog that asks again after the job has ended gets the outcome again."""
        job_id = UUID(uploaded.job)
        async with self._store.begin() as tx:
            added = await tx.jobs.add(job_id, _master(uploaded))
            job = await tx.jobs.find(job_id)
            if job and job.is_over:
                await tx.outbox.add(*outcome(job))
        if added:
            await self._nudges.send()

    async def retirement(self, _: Event, retired: FolderRetired) -> None:
        """Note a folder; it is removed after a grace."""
        track_id = UUID(retired.track)
        check_folder(retired.folder, track_id)
        async with self._store.begin() as tx:
            await tx.retired_folders.add(retired.folder, track_id)
            await tx.fingerprints.forget(retired.folder)

    async def picture(self, _: Event, uploaded: ArtworkUploaded) -> None:
        """Take a picture in; as with a job, asking again after the end brings the outcome again."""
        picture_id = UUID(uploaded.artwork)
        source = Source(uploaded.source_bucket, uploaded.source_key, uploaded.size_bytes, sha256=None)
        async with self._store.begin() as tx:
            added = await tx.pictures.add(picture_id, source)
            picture = await tx.pictures.find(picture_id)
            if picture and picture.is_over:
                await tx.outbox.add(*picture_outcome(picture))
        if added:
            await self._nudges.send()

    async def picture_retirement(self, _: Event, retired: ArtworkRetired) -> None:
        """Note a picture; its images are removed after a grace. Raises LookupError for one that was never taken in."""
        async with self._store.begin() as tx:
            if not await tx.pictures.retire(UUID(retired.artwork)):
                raise LookupError(f"There is no picture {retired.artwork}")


async def exchange(
    settings: NatsSettings, database: Database, intake: Intake, ended: EndedSessions, nudges: Nudges
) -> None:
    """Hear and tell facts until cancelled."""
    connection = nudges.connection = await events.connect(settings, CONTEXT)
    dead = DeadEvents(database, dead_letters)
    uploads = Listener("CATALOG", CONTEXT, intake.effects, dead)
    sessions = Listener("USER", CONTEXT, {SessionsEnded: ended.hear}, dead)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Relay(database, outbox, CONTEXT.upper()).run(connection))
            tasks.create_task(uploads.run(connection))
            tasks.create_task(sessions.run(connection))
            # Workers, which have no relay, write into the outbox what has become of tasks, and what can be heard.
            tasks.create_task(_wake(connection, database.told.ring))
    finally:
        await connection.close()


async def hear_nudges(settings: NatsSettings, woken: asyncio.Event, nudges: Nudges) -> None:
    """Set `woken` at every nudge, and let `nudges` be sent, until cancelled."""
    connection = nudges.connection = await events.connect(settings, CONTEXT)
    try:
        await _wake(connection, woken.set)
    finally:
        await connection.close()


async def _wake(connection: Client, wake: Callable[[], None]) -> None:
    subscription = await connection.subscribe(NUDGE)
    async for _ in subscription.messages:
        wake()


def outcome(job: Job) -> tuple[str, Event]:
    """Write down how a job ended, with the subject to tell it on."""
    job_id, track = str(job.id), str(job.master.track_id)
    generation, resource = job.master.generation, names.track(job.master.track_id)
    if job.status is Status.COMPLETED:
        facts = AudioFacts.FromString(job.facts or b"")
        completed = JobCompleted(job=job_id, track=track, generation=generation, folder=job.folder or "", facts=facts)
        return "spotilike.processing.job_completed", events.new(resource, completed)
    reason, message = job.reason or "", job.message or ""
    failed = JobFailed(job=job_id, track=track, generation=generation, reason=reason, message=message)
    return "spotilike.processing.job_failed", events.new(resource, failed)


def retried(job: Job) -> tuple[str, Event]:
    """Write down that a job begins anew, with the subject to tell it on."""
    track = job.master.track_id
    fact = JobRetried(job=str(job.id), track=str(track), generation=job.master.generation)
    return "spotilike.processing.job_retried", events.new(names.track(track), fact)


def picture_outcome(picture: Picture) -> tuple[str, Event]:
    """Write down what became of a picture, with the subject to tell it on."""
    artwork, resource = str(picture.id), names.artwork(picture.id)
    if picture.status is Status.COMPLETED:
        completed = ArtworkCompleted(artwork=artwork, blur_hash=picture.blur_hash or "")
        return "spotilike.processing.artwork_completed", events.new(resource, completed)
    failed = ArtworkFailed(artwork=artwork, reason=picture.reason or "", message=picture.message or "")
    return "spotilike.processing.artwork_failed", events.new(resource, failed)


def audio_facts(facts: Facts) -> AudioFacts:
    """Write what the pipeline measured for the other contexts."""
    renditions = [
        AudioFacts.Rendition(
            codec=rendition.codec,
            bitrate_bps=rendition.bitrate_bps,
            sample_rate_hz=rendition.sample_rate_hz,
            samples=rendition.samples,
            priming_samples=rendition.priming_samples,
            padding_samples=rendition.padding_samples,
            media=rendition.media,
            playlist=rendition.playlist,
            size_bytes=rendition.size_bytes,
        )
        for rendition in facts.renditions
    ]
    return AudioFacts(
        samples=facts.samples,
        sample_rate_hz=facts.sample_rate_hz,
        channels=facts.channels,
        integrated_lufs=facts.integrated_lufs,
        range_lu=facts.range_lu,
        true_peak_dbtp=facts.true_peak_dbtp,
        waveform=facts.waveforms[0],
        detailed_waveform=facts.waveforms[1],
        manifests=[AudioFacts.Manifest(codec=codec, playlist=name) for codec, name in facts.manifests.items()],
        renditions=renditions,
        source_codec=facts.source_codec,
        source_container=facts.source_container,
        source_bit_depth=facts.source_bit_depth or 0,
        head_silence_samples=facts.head_silence_samples,
        tail_silence_samples=facts.tail_silence_samples,
        cover=facts.cover,
        loudness_blocks=AudioFacts.LoudnessBlocks(
            lowest_tenths=facts.loudness_blocks.lowest_tenths, counts=facts.loudness_blocks.counts
        ),
        tags=AudioFacts.Tags(
            title=facts.tags.title,
            artist=facts.tags.artist,
            album=facts.tags.album,
            track_number=facts.tags.track_number,
        ),
    )


def _master(uploaded: TrackUploaded) -> Master:
    return Master(
        track_id=UUID(uploaded.track),
        artist_id=UUID(uploaded.artist),
        generation=uploaded.generation,
        source_bucket=uploaded.source_bucket,
        source_key=uploaded.source_key,
        size_bytes=uploaded.size_bytes,
        sha256=uploaded.sha256 or None,
        filename=uploaded.filename,
    )
