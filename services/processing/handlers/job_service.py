"""Jobs on the wire."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.common import auth, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from services.processing import interventions
from services.processing.domain import SAME_RECORDING, SAME_RECORDING_MESSAGE, Job, Status, job_not_found
from services.processing.events import Nudges
from services.processing.feed import Feed
from services.processing.masters import Masters
from services.processing.media import preview
from services.processing.permissions import UPLOAD, Permissions
from services.processing.store import Store, Transaction
from spotilike.internal.v1.audio_pb2 import AudioFacts
from spotilike.processing.v1 import job_pb2, job_service_pb2_grpc
from spotilike.processing.v1.job_service_pb2 import (
    CancelJobRequest,
    GetJobRequest,
    ListJobsRequest,
    ListJobsResponse,
    RetryJobRequest,
    WatchJobsRequest,
    WatchJobsResponse,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class JobService(job_service_pb2_grpc.JobServiceServicer):
    """Shows jobs to those who may upload for their artist, and obeys them."""

    def __init__(self, store: Store, feed: Feed, permissions: Permissions, masters: Masters, nudges: Nudges) -> None:
        """Read jobs from `store`, changes from `feed` and files from `masters`; `permissions` says who may see them.

        `nudges` wake workers for a job that begins anew, or was stopped.
        """
        self._store = store
        self._feed = feed
        self._permissions = permissions
        self._masters = masters
        self._nudges = nudges

    async def GetJob(self, request: GetJobRequest, context: Context) -> job_pb2.Job:
        """Show a job; to everybody else there is none."""
        return _shown(await self._managed(request.name))

    async def ListJobs(self, request: ListJobsRequest, context: Context) -> ListJobsResponse:
        """List the jobs that the caller may see."""
        page = PageRequest(request)
        artists = await self._visible()
        track = names.parse(request.track) if request.track else None
        status = Status(job_pb2.Job.State.Name(request.state)) if request.state else None
        async with self._store.read() as tx:
            jobs = await tx.jobs.list(artists, track, status, page)
        return ListJobsResponse(jobs=[_shown(job) for job in jobs.rows], next_page_token=jobs.next_token)

    async def WatchJobs(self, request: WatchJobsRequest, context: Context) -> AsyncIterator[WatchJobsResponse]:
        """Tell what happens to the jobs that the caller may see."""
        since = EPOCH + request.sequence * MICROSECOND if request.sequence else None
        async for changes in self._feed.follow(since, self._visible):
            sequence = (changes.until - EPOCH) // MICROSECOND if changes.until else 0
            yield WatchJobsResponse(jobs=[_shown(job) for job in changes.jobs], sequence=sequence)

    async def CancelJob(self, request: CancelJobRequest, context: Context) -> job_pb2.Job:
        """Stop a job."""
        job = await self._managed(request.name)
        async with self._store.begin() as tx:
            if await tx.requests.find(request) is None:
                await interventions.cancel(tx, job.id)
                await tx.requests.remember(request, job.id)
            job = await _found(tx, job.id)
        await self._nudges.send()
        return _shown(job)

    async def RetryJob(self, request: RetryJobRequest, context: Context) -> job_pb2.Job:
        """Start a job anew."""
        job = await self._managed(request.name)
        # Before the transaction: while one is open the object store is never asked.
        if job.status is Status.FAILED:
            await self._masters.demand(job)
        async with self._store.begin() as tx:
            if await tx.requests.find(request) is None:
                await interventions.retry(tx, job.id)
                await tx.requests.remember(request, job.id)
            job = await _found(tx, job.id)
        await self._nudges.send()
        return _shown(job)

    async def _visible(self) -> Collection[UUID] | None:
        """List the artists whose jobs the caller may see; None stands for all of them."""
        caller = auth.call()
        return None if caller.is_admin else await self._permissions.uploads_for(caller.user_id)

    async def _managed(self, name: str) -> Job:
        """Find a job for whoever may upload for its artist."""
        caller = auth.call()
        async with self._store.read() as tx:
            job = await _found(tx, names.parse(name))
        allowed = caller.is_admin or await self._permissions.may_upload(caller.user_id, job.master.artist_id)
        if not allowed:
            raise job_not_found(name)
        caller.authorize_manager({UPLOAD}, name)
        return job


async def _found(tx: Transaction, job_id: UUID) -> Job:
    job = await tx.jobs.find(job_id)
    if job is None:
        raise job_not_found(names.job(job_id))
    return job


def _shown(job: Job) -> job_pb2.Job:
    shown = job_pb2.Job(
        name=names.job(job.id),
        track=names.track(job.master.track_id),
        state=job_pb2.Job.State.Value(job.status),
        stage=job_pb2.Job.Stage.Value(job.stage or "STAGE_UNSPECIFIED"),
        percent=job.percent,
        attempt=job.attempt,
        reason=job.reason or "",
        message=job.message or "",
        error_log=(job.error_log or "") if auth.call().is_admin else "",
    )
    if job.same_as:
        shown.warnings.append(_same_recording(job.same_as))
    if job.preview and job.status is Status.PROCESSING:
        shown.preview_uri = preview.uri(job.preview)
    shown.create_time.FromDatetime(job.created_at)
    shown.update_time.FromDatetime(job.updated_at)
    if job.facts:
        facts = AudioFacts.FromString(job.facts)
        tags = facts.tags
        suggested = job_pb2.Job.Tags(
            title=tags.title, artist=tags.artist, album=tags.album, track_number=tags.track_number
        )
        if job.preview and facts.cover:
            suggested.cover_uri = preview.uri(job.preview, facts.cover)
        shown.suggested.MergeFrom(suggested)
    return shown


def _same_recording(track: UUID) -> job_pb2.Job.Warning:
    other = names.track(track) if auth.call().is_admin else ""
    return job_pb2.Job.Warning(reason=SAME_RECORDING, message=SAME_RECORDING_MESSAGE, track=other)
