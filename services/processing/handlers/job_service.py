"""Jobs on the wire."""

from services.common import auth, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from services.processing.domain import Job, Status, job_not_found
from services.processing.permissions import UPLOAD, Permissions
from services.processing.store import Store
from spotilike.internal.v1.audio_pb2 import AudioFacts
from spotilike.processing.v1 import job_pb2, job_service_pb2_grpc
from spotilike.processing.v1.job_service_pb2 import GetJobRequest, ListJobsRequest, ListJobsResponse


class JobService(job_service_pb2_grpc.JobServiceServicer):
    """Shows jobs to those who may upload for their artist."""

    def __init__(self, store: Store, permissions: Permissions) -> None:
        """Read jobs from `store`; `permissions` says who may see them."""
        self._store = store
        self._permissions = permissions

    async def GetJob(self, request: GetJobRequest, context: Context) -> job_pb2.Job:
        """Show a job; to everybody else there is none."""
        caller = auth.call()
        async with self._store.read() as tx:
            job = await tx.jobs.find(names.parse(request.name))
        if job is None:
            raise job_not_found(request.name)
        allowed = caller.is_admin or await self._permissions.may_upload(caller.user_id, job.master.artist_id)
        if not allowed:
            raise job_not_found(request.name)
        caller.authorize_manager({UPLOAD}, request.name)
        return _shown(job, to_admin=caller.is_admin)

    async def ListJobs(self, request: ListJobsRequest, context: Context) -> ListJobsResponse:
        """List the jobs that the caller may see."""
        caller = auth.call()
        page = PageRequest(request)
        artists = None if caller.is_admin else await self._permissions.uploads_for(caller.user_id)
        track = names.parse(request.track) if request.track else None
        status = Status(job_pb2.Job.State.Name(request.state)) if request.state else None
        async with self._store.read() as tx:
            jobs = await tx.jobs.list(artists, track, status, page)
        shown = [_shown(job, to_admin=caller.is_admin) for job in jobs.rows]
        return ListJobsResponse(jobs=shown, next_page_token=jobs.next_token)


def _shown(job: Job, *, to_admin: bool) -> job_pb2.Job:
    shown = job_pb2.Job(
        name=names.job(job.id),
        track=names.track(job.master.track_id),
        state=job_pb2.Job.State.Value(job.status),
        stage=job_pb2.Job.Stage.Value(job.stage or "STAGE_UNSPECIFIED"),
        percent=job.percent,
        attempt=job.attempt,
        reason=job.reason or "",
        message=job.message or "",
        error_log=(job.error_log or "") if to_admin else "",
    )
    shown.create_time.FromDatetime(job.created_at)
    shown.update_time.FromDatetime(job.updated_at)
    if job.facts:
        tags = AudioFacts.FromString(job.facts).tags
        shown.suggested.MergeFrom(
            job_pb2.Job.Tags(title=tags.title, artist=tags.artist, album=tags.album, track_number=tags.track_number)
        )
    return shown
