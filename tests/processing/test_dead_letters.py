"""What was given up waits for a person, who tries it once more or throws it away."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest
from alembic import command
from sqlalchemy import column, delete, insert, select, table

from services.common import events
from services.common.migrate import configuration
from services.common.pages import PageRequest
from services.processing.domain import Failure, Status
from services.processing.tables import dead_letters, retired_folders
from spotilike.events.v1.catalog_events_pb2 import FolderRetired
from spotilike.processing.v1.dead_letter_service_pb2 import (
    DiscardDeadLetterRequest,
    ListDeadLettersRequest,
    ReplayDeadLetterRequest,
)
from spotilike.processing.v1.dead_letter_service_pb2_grpc import DeadLetterServiceStub
from spotilike.processing.v1.job_service_pb2 import RetryJobRequest
from tests.processing.jobs import change, precondition
from tests.support.services import error_info

PASSING = Failure("ENCODER_CRASHED", "Try again.", "words of the encoder", transient=True)
LASTING = Failure("CORRUPT", "Export it again.")
LONG_AGO = datetime(2020, 2, 29, tzinfo=UTC)
FAILED = {"status": Status.FAILED, "reason": "ENCODER_CRASHED"}


@pytest.fixture
async def letters(processing, intake):
    """Return a client; no letter is there yet."""
    async with intake.database.begin() as connection:
        await connection.execute(delete(dead_letters))
    return processing.public(DeadLetterServiceStub)


async def listed(letters, admin, **page):
    """Return all letters."""
    return list((await letters.ListDeadLetters(ListDeadLettersRequest(**page), metadata=admin)).dead_letters)


async def put_aside(intake, payload, error="ValueError"):
    """Put an event aside; return the name of its letter."""
    event = events.new("tracks/test", payload).SerializeToString()
    values = {"subject": "spotilike.catalog.folder_retired", "payload": event, "error": error}
    async with intake.database.begin() as connection:
        statement = insert(dead_letters).values(**values).returning(dead_letters.c.id)
        return f"deadLetters/{await connection.scalar(statement)}"


async def bury(intake, job):
    """Let a job fail until it is given up."""
    await change(intake, job, **FAILED)
    async with intake.store.begin() as tx:
        await tx.dead_letters.add_job(UUID(job.split("/")[1]), "words of the encoder")


async def not_found(call):
    """Return the reason of a call about something that is not there."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    return error_info(refused.value)[0]


async def buried(workshop):
    """Return the jobs that have letters, with what they say."""
    async with workshop.database.read() as connection:
        rows = (await connection.execute(select(dead_letters))).all()
    return {row.job_id: row.error for row in rows}


async def test_a_job_that_failed_for_a_passing_reason_after_all_tries_is_put_aside(workshop):
    """Nobody knows whether the next try would pass. Before the last one there is no letter."""
    job_id = await workshop.offer_content(b"music")
    queue = workshop.queue(tries=2, retry_seconds=0.0)
    await queue.fail(await workshop.take(queue), PASSING)
    assert await buried(workshop) == {}

    await queue.fail(await workshop.take(queue), PASSING)
    assert await buried(workshop) == {job_id: "words of the encoder"}


async def test_a_job_that_ends_its_workers_is_put_aside(workshop):
    """It is poison, and a person has to see why."""
    job_id = await workshop.offer_content(b"music")
    for _ in range(3):
        await workshop.take(workshop.queue(lease_seconds=-1.0))

    assert await workshop.queue().take() is None
    assert list(await buried(workshop)) == [job_id]


async def test_a_master_that_is_at_fault_is_not_put_aside(workshop):
    """The artist is told what to do; nobody else can do anything about it."""
    await workshop.offer_content(b"music")
    await workshop.queue().fail(await workshop.take(), LASTING)

    assert await buried(workshop) == {}


async def test_what_was_put_aside_before_there_were_letters_is_one(databases):
    """An installation that is upgraded loses nothing."""
    name = f"processing_{databases.worker}_{uuid4().hex[:8]}"
    await databases.engines.postgres.create_database("processing", name)
    url = databases.engines.database_url("processing", "owner", name)
    migrations = configuration("processing", url)
    await asyncio.to_thread(command.upgrade, migrations, "0004")
    aside = "INSERT INTO dead_events (subject, payload, error, created_at) VALUES ('subject', 'event', 'error', %s)"
    with psycopg.connect(url) as connection:
        connection.execute(aside, [LONG_AGO])
    await asyncio.to_thread(command.upgrade, migrations, "head")

    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT subject, payload, error, created_at, job_id FROM dead_letters").fetchall()
    assert rows == [("subject", b"event", "error", LONG_AGO, None)]


async def test_what_the_release_before_puts_aside_is_a_letter_too(workshop):
    """While both run at once, it writes to a table of another name."""
    values = {"subject": "spotilike.catalog.folder_retired", "payload": b"event", "error": "ValueError"}
    async with workshop.database.begin() as connection:
        await connection.execute(insert(table("dead_events", *map(column, values))).values(**values))

    async with workshop.store.read() as tx:
        (letter,) = (await tx.dead_letters.list(PageRequest(ListDeadLettersRequest()))).rows
    assert (letter.subject, letter.payload, letter.error) == tuple(values.values())


async def test_letters_are_listed_newest_first_in_pages(letters, intake, admin, job):
    """Jobs and events together."""
    await bury(intake, job)
    event = await put_aside(intake, FolderRetired(), "x" * 20_000)

    newest, oldest = await listed(letters, admin)
    assert (newest.name, newest.subject, newest.job) == (event, "spotilike.catalog.folder_retired", "")
    assert len(newest.error) == 16_384
    assert (oldest.job, oldest.subject, oldest.error) == (job, "", "words of the encoder")
    page = await letters.ListDeadLetters(ListDeadLettersRequest(page_size=1), metadata=admin)
    assert [letter.name for letter in page.dead_letters] == [event]
    rest = await listed(letters, admin, page_size=1, page_token=page.next_page_token)
    assert rest == [oldest]


async def test_a_replayed_event_is_applied_and_its_letter_is_gone(letters, intake, admin):
    """Whatever was in the way is removed."""
    track = uuid4()
    fact = FolderRetired(track=str(track), folder=f"tracks/{track}/{uuid4()}")
    name = await put_aside(intake, fact)
    await letters.ReplayDeadLetter(ReplayDeadLetterRequest(name=name), metadata=admin)

    noted = select(retired_folders.c.folder).where(retired_folders.c.track_id == track)
    async with intake.database.read() as connection:
        assert list(await connection.scalars(noted)) == [fact.folder]
    assert await listed(letters, admin) == []
    again = letters.ReplayDeadLetter(ReplayDeadLetterRequest(name=name), metadata=admin)
    assert await not_found(again) == "DEAD_LETTER_NOT_FOUND"


async def test_an_event_that_fails_as_before_keeps_its_letter(letters, intake, admin):
    """The client reads nothing of the inside."""
    track = uuid4()
    name = await put_aside(intake, FolderRetired(track=str(track), folder=f"tracks/{track}"))

    call = letters.ReplayDeadLetter(ReplayDeadLetterRequest(name=name), metadata=admin)
    assert await precondition(call) == "REPLAY_FAILED"
    assert [letter.name for letter in await listed(letters, admin)] == [name]


async def test_a_replayed_job_begins_anew_and_its_letter_is_gone(letters, intake, admin, job):
    """As if its artist had tried it again."""
    await bury(intake, job)
    (letter,) = await listed(letters, admin)
    await letters.ReplayDeadLetter(ReplayDeadLetterRequest(name=letter.name), metadata=admin)

    found = await intake.job(UUID(job.split("/")[1]))
    assert (found.status, found.attempt, found.reason) == (Status.PENDING, 0, None)
    assert await listed(letters, admin) == []


async def test_a_job_whose_master_is_gone_keeps_its_letter(letters, intake, admin, job):
    """There is nothing to try."""
    await bury(intake, job)
    await change(intake, job, source_key="tracks/nothing/here")
    (letter,) = await listed(letters, admin)

    call = letters.ReplayDeadLetter(ReplayDeadLetterRequest(name=letter.name), metadata=admin)
    assert await precondition(call) == "MASTER_MISSING"
    assert await listed(letters, admin) == [letter]


async def test_a_job_that_is_tried_again_is_dead_no_more(letters, jobs, intake, admin, job):
    """The letter would speak of what is not so any more."""
    await bury(intake, job)
    await jobs.RetryJob(RetryJobRequest(name=job), metadata=admin)

    assert await listed(letters, admin) == []


async def test_a_discarded_letter_is_gone_and_its_job_stays_as_it_is(letters, intake, admin, job):
    """Its artist may still try again. The same request is carried out once."""
    await bury(intake, job)
    (letter,) = await listed(letters, admin)
    request = DiscardDeadLetterRequest(name=letter.name, request_id=str(uuid4()))
    for _ in range(2):
        await letters.DiscardDeadLetter(request, metadata=admin)

    assert await listed(letters, admin) == []
    assert (await intake.job(UUID(job.split("/")[1]))).status is Status.FAILED
    again = letters.DiscardDeadLetter(DiscardDeadLetterRequest(name=letter.name), metadata=admin)
    assert await not_found(again) == "DEAD_LETTER_NOT_FOUND"


async def test_a_repeated_replay_is_carried_out_once(letters, intake, admin, job):
    """The answer was lost, and the job was given up again meanwhile."""
    await bury(intake, job)
    (letter,) = await listed(letters, admin)
    request = ReplayDeadLetterRequest(name=letter.name, request_id=str(uuid4()))
    await letters.ReplayDeadLetter(request, metadata=admin)
    await bury(intake, job)
    await letters.ReplayDeadLetter(request, metadata=admin)

    assert (await intake.job(UUID(job.split("/")[1]))).status is Status.FAILED
    assert [each.job for each in await listed(letters, admin)] == [job]
