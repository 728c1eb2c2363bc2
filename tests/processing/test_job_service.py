"""Jobs, through real clients, with the permissions of the real catalog."""

from uuid import uuid4

import grpc
import pytest

from services.processing import __main__ as processing_main
from services.processing.domain import Status
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.manager_service_pb2 import CreateManagerRequest
from spotilike.processing.v1.job_pb2 import Job
from spotilike.processing.v1.job_service_pb2 import GetJobRequest, ListJobsRequest
from spotilike.processing.v1.job_service_pb2_grpc import JobServiceStub
from tests.processing.jobs import change, refusal, uploaded
from tests.support.processing import processing_settings
from tests.support.services import error_info, run

WORDS = "words of the encoder"


HIDDEN = (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND", 1.0)


async def test_whoever_may_upload_sees_the_job(jobs, intake, studio, job):
    """How far it is, and nothing that only administrators see."""
    await change(intake, job, status=Status.PROCESSING, stage="ENCODING", percent=42, attempt=1, error_log=WORDS)
    shown = await jobs.GetJob(GetJobRequest(name=job), metadata=studio.account.metadata)
    await change(intake, job, status=Status.FAILED, stage=None, reason="CORRUPT", message="Export it again.")
    failed = await jobs.GetJob(GetJobRequest(name=job), metadata=studio.account.metadata)

    assert (shown.name, shown.state, shown.stage) == (job, Job.PROCESSING, Job.ENCODING)
    assert (shown.percent, shown.attempt, shown.error_log) == (42, 1, "")
    assert shown.track.startswith("tracks/")
    assert shown.HasField("create_time")
    assert shown.HasField("update_time")
    assert (failed.state, failed.reason, failed.message) == (Job.FAILED, "CORRUPT", "Export it again.")
    assert failed.error_log == ""


async def test_a_preview_is_shown_while_the_job_runs(jobs, intake, studio, job):
    """Then there is the track, or nothing worth hearing."""
    folder = str(uuid4())
    shown = []
    for status in (Status.PENDING, Status.PROCESSING, Status.FAILED):
        await change(intake, job, status=status, preview=folder)
        shown.append((await jobs.GetJob(GetJobRequest(name=job), metadata=studio.account.metadata)).preview_uri)

    assert shown == ["", f"/previews/{folder}/preview.m3u8", ""]


async def test_a_stranger_cannot_tell_a_job_from_none(jobs, sign_up, job):
    """Neither answer says which jobs there are."""
    stranger = await sign_up()

    theirs = await refusal(jobs.GetJob(GetJobRequest(name=job), metadata=stranger.metadata))
    unknown = await refusal(jobs.GetJob(GetJobRequest(name=f"jobs/{uuid4()}"), metadata=stranger.metadata))

    assert theirs == unknown == HIDDEN


async def test_a_manager_without_upload_sees_no_job(jobs, edge, studio, sign_up, job):
    """The permission is for uploads, not for the artist as a whole."""
    editor = await sign_up()
    manager = Manager(user=editor.name, permissions=[Manager.Permission.EDIT_RELEASES])
    request = CreateManagerRequest(parent=studio.artist, manager=manager)
    await edge.managers.CreateManager(request, metadata=studio.account.metadata)

    assert await refusal(jobs.GetJob(GetJobRequest(name=job), metadata=editor.metadata)) == HIDDEN
    assert list((await jobs.ListJobs(ListJobsRequest(), metadata=editor.metadata)).jobs) == []


async def test_nobody_sees_jobs_without_signing_in(jobs, job):
    """The contract says manager and user."""
    for call in (jobs.GetJob(GetJobRequest(name=job)), jobs.ListJobs(ListJobsRequest())):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_administrator_sees_every_job_and_the_encoder_s_words(jobs, intake, admin, job):
    """What an artist cannot use helps whoever looks for the cause."""
    await change(intake, job, error_log=WORDS)

    shown = await jobs.GetJob(GetJobRequest(name=job), metadata=admin)
    listed = await jobs.ListJobs(ListJobsRequest(page_size=1), metadata=admin)

    assert shown.error_log == WORDS
    assert [(each.name, each.error_log) for each in listed.jobs] == [(job, WORDS)]


async def test_jobs_are_listed_newest_first_in_pages_that_miss_and_repeat_none(jobs, intake, edge, studio, job):
    """A page begins where the one before ended, even when newer jobs have come."""
    names = [job] + [await uploaded(intake, edge, studio) for _ in range(4)]
    request, seen = ListJobsRequest(page_size=2), []
    while True:
        page = await jobs.ListJobs(request, metadata=studio.account.metadata)
        seen += [each.name for each in page.jobs]
        if not page.next_page_token:
            break
        await uploaded(intake, edge, studio)
        request.page_token = page.next_page_token

    assert seen == names[::-1]


async def test_jobs_are_listed_by_track_and_by_state(jobs, intake, edge, studio, job):
    """Both at once, too."""
    other = await uploaded(intake, edge, studio)
    await change(intake, other, status=Status.FAILED)
    track = (await jobs.GetJob(GetJobRequest(name=other), metadata=studio.account.metadata)).track

    async def listed(**filters):
        page = await jobs.ListJobs(ListJobsRequest(**filters), metadata=studio.account.metadata)
        return [each.name for each in page.jobs]

    assert await listed() == [other, job]
    assert await listed(track=track) == [other]
    assert await listed(state=Job.PENDING) == [job]
    assert await listed(state=Job.FAILED) == [other]
    assert await listed(track=track, state=Job.PENDING) == []


async def test_a_list_shows_only_the_caller_s_artists(jobs, sign_up, job):
    """Somebody without an artist sees nothing."""
    stranger = await sign_up()

    assert list((await jobs.ListJobs(ListJobsRequest(), metadata=stranger.metadata)).jobs) == []
    assert job


async def test_a_page_of_another_list_is_refused(jobs, intake, edge, studio, job):
    """A token belongs to its filters."""
    await uploaded(intake, edge, studio)
    page = await jobs.ListJobs(ListJobsRequest(page_size=1), metadata=studio.account.metadata)
    wrong = ListJobsRequest(page_size=1, page_token=page.next_page_token, state=Job.PENDING)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await jobs.ListJobs(wrong, metadata=studio.account.metadata)
    assert error_info(refused.value)[0] == "PAGE_TOKEN_INVALID"
    assert job


@pytest.fixture
async def lonely_jobs(user, streams, databases):
    """Return a client of a service that cannot reach the catalog."""
    settings = processing_settings(streams, user, await databases.url("processing"), "127.0.0.1:1")
    lonely = await run(processing_main.wire(settings), streams)
    yield lonely.public(JobServiceStub)
    await lonely.process.stop()


async def test_without_the_catalog_nobody_but_administrators_is_answered(lonely_jobs, studio, admin, job):
    """The call may be repeated; it is never decided without knowing."""
    one = await refusal(lonely_jobs.GetJob(GetJobRequest(name=job), metadata=studio.account.metadata))
    some = await refusal(lonely_jobs.ListJobs(ListJobsRequest(), metadata=studio.account.metadata))
    shown = await lonely_jobs.GetJob(GetJobRequest(name=job), metadata=admin)

    assert one == some == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", 1.0)
    assert shown.name == job
