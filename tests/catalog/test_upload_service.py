"""Masters on their way in, through a real client and a real object store."""

import asyncio
from uuid import uuid4

import grpc
import pytest
from minio.datatypes import Part

from services.common.storage import Missing
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.track_pb2 import Track
from spotilike.catalog.v1.track_service_pb2 import DeleteTrackRequest
from spotilike.catalog.v1.upload_pb2 import Upload
from spotilike.catalog.v1.upload_service_pb2 import (
    AbortUploadRequest,
    CompletedPart,
    CompleteUploadRequest,
    CreateUploadRequest,
    GetUploadRequest,
)
from spotilike.events.v1.catalog_events_pb2 import TrackUploaded
from tests.catalog.refusals import refused, refused_fields, refused_with
from tests.catalog.uploads import TWO_PARTS, abort, get, key_of
from tests.support.catalog import OPEN_LIMIT, PART_BYTES


async def test_a_master_goes_from_the_client_to_the_object_store_and_is_announced(
    edge, artist, announced, store_of_masters
):
    """In parts, to URLs at the API's origin; then it has a job."""
    account, name, track = artist

    opened = await edge.open(account, track, TWO_PARTS, filename="my song.ogg", content_type="audio/ogg")
    assert [(part.number, part.size_bytes, part.uploaded) for part in opened.parts] == [
        (1, PART_BYTES, False),
        (2, 1000, False),
    ]
    assert all(part.url.startswith(f"/uploads/{key_of(opened)}?") for part in opened.parts)
    assert (opened.state, opened.track, opened.filename, opened.job) == (Upload.OPEN, track, "my song.ogg", "")

    completed = await edge.complete(account, opened, await edge.send_all(opened), sha256="0" * 64)
    assert (completed.state, completed.name, list(completed.parts)) == (Upload.COMPLETED, opened.name, [])
    assert completed.job == opened.name.replace("uploads", "jobs")

    assert (await store_of_masters.stat("uploads", key_of(opened))).size_bytes == TWO_PARTS
    [(event, fact)] = await announced(opened)
    assert (event.resource, event.actor) == (track, account.name)
    assert fact == TrackUploaded(
        job=opened.name.removeprefix("uploads/"),
        track=track.removeprefix("tracks/"),
        artist=name.removeprefix("artists/"),
        generation=1,
        source_bucket="uploads",
        source_key=key_of(opened),
        size_bytes=TWO_PARTS,
        sha256="0" * 64,
        filename="my song.ogg",
    )
    shown = await edge.shown(account, track)
    assert (shown.state, shown.job) == (Track.PROCESSING, completed.job)


async def test_an_empty_master_is_one_empty_part(edge, artist, announced):
    """It comes in, so that its job can say what is wrong with it."""
    account, _, track = artist
    opened = await edge.open(account, track, 0)

    assert [(part.number, part.size_bytes) for part in opened.parts] == [(1, 0)]
    completed = await edge.complete(account, opened, await edge.send_all(opened))

    assert completed.state == Upload.COMPLETED
    assert [fact.size_bytes for _, fact in await announced(opened)] == [0]


async def test_completing_again_answers_the_same_and_announces_nothing(edge, artist, announced):
    """Whoever lost the first answer asks again; with a request id or without."""
    account, _, track = artist
    opened = await edge.open(account, track, 6)
    sent = await edge.send_all(opened)
    request_id = str(uuid4())

    first = await edge.complete(account, opened, sent, request_id=request_id)

    assert await edge.complete(account, opened, sent, request_id=request_id) == first
    assert await edge.complete(account, opened, sent) == first
    other = edge.complete(account, opened, sent, request_id=request_id, sha256="1" * 64)
    assert await refused(other) == "REQUEST_ID_REUSED"
    assert len(await announced(opened)) == 1


async def test_completing_many_times_at_once_announces_one_master(edge, artist, announced):
    """One of them closes it in the object store, one of them writes it down."""
    account, _, track = artist
    opened = await edge.open(account, track, TWO_PARTS)
    sent = await edge.send_all(opened)

    answers = await asyncio.gather(*(edge.complete(account, opened, sent) for _ in range(6)))

    assert all(answer == answers[0] for answer in answers)
    assert [fact.generation for _, fact in await announced(opened)] == [1]


async def test_a_crash_between_the_object_store_and_the_database_loses_nothing(
    edge, artist, announced, store_of_masters, catalog_rows
):
    """The object is whole and the row still open: the client sees all parts there and completes again."""
    account, _, track = artist
    opened = await edge.open(account, track, TWO_PARTS)
    sent = await edge.send_all(opened)
    [row] = await catalog_rows("SELECT * FROM uploads WHERE source_key = :key", key=key_of(opened))
    await store_of_masters.close_multipart(
        "uploads", row.source_key, row.multipart_id, [Part(part.number, part.etag) for part in sent]
    )

    seen = await get(edge, account, opened)
    assert [(part.uploaded, part.url, bool(part.etag)) for part in seen.parts] == [(True, "", True)] * 2
    by_what_is_seen = [CompletedPart(number=part.number, etag=part.etag) for part in seen.parts]
    completed = await edge.complete(account, opened, by_what_is_seen)

    assert completed.state == Upload.COMPLETED
    assert len(await announced(opened)) == 1


async def test_a_given_up_upload_leaves_nothing_and_stays_closed(edge, artist, store_of_masters, catalog_rows):
    """Giving it up again answers the same; nothing more can be done with it."""
    account, _, track = artist
    opened = await edge.open(account, track, TWO_PARTS)
    sent = await edge.send_all(opened)
    [row] = await catalog_rows("SELECT * FROM uploads WHERE source_key = :key", key=key_of(opened))

    aborted = await abort(edge, account, opened)

    assert (aborted.state, aborted.job, list(aborted.parts)) == (Upload.ABORTED, "", [])
    assert await abort(edge, account, opened) == aborted == await get(edge, account, opened)
    with pytest.raises(Missing):
        await store_of_masters.parts("uploads", row.source_key, row.multipart_id)
    completing = edge.complete(account, opened, sent)
    assert await refused_with(completing) == ("UPLOAD_CLOSED", {"state": "ABORTED"})
    assert (await edge.shown(account, track)).state == Track.DRAFT


async def test_a_completed_upload_cannot_be_given_up(edge, artist, store_of_masters):
    """Its master stays."""
    account, _, track = artist
    completed = await edge.upload(account, track)

    assert await refused_with(abort(edge, account, completed)) == ("UPLOAD_CLOSED", {"state": "COMPLETED"})
    assert (await store_of_masters.stat("uploads", key_of(completed))).size_bytes == 6


async def test_completing_and_giving_up_at_once_end_one_way(edge, artist, announced, store_of_masters):
    """Either there is a master with a job, or nothing is left of it."""
    account, _, track = artist
    for _ in range(3):
        opened = await edge.open(account, track, 6)
        sent = await edge.send_all(opened)

        ends = await asyncio.gather(
            edge.complete(account, opened, sent), abort(edge, account, opened), return_exceptions=True
        )

        state = (await get(edge, account, opened)).state
        refusals = [end for end in ends if isinstance(end, grpc.aio.AioRpcError)]
        assert len(refusals) == 1
        if state == Upload.COMPLETED:
            assert len(await announced(opened)) == 1
            await store_of_masters.stat("uploads", key_of(opened))
        else:
            assert state == Upload.ABORTED
            assert await announced(opened) == []
            with pytest.raises(Missing):
                await store_of_masters.stat("uploads", key_of(opened))


async def test_an_overdue_upload_is_closed_and_swept_away(edge, artist, store_of_masters, catalog_rows):
    """Its parts are removed; it does not count against the quota."""
    account, _, track = artist
    opened = await edge.open(account, track, TWO_PARTS)
    sent = await edge.send_all(opened)
    await catalog_rows("UPDATE uploads SET expires_at = now() WHERE source_key = :key", key=key_of(opened))

    assert (await get(edge, account, opened)).state == Upload.EXPIRED
    assert await refused_with(edge.complete(account, opened, sent)) == ("UPLOAD_CLOSED", {"state": "EXPIRED"})
    assert await refused_with(abort(edge, account, opened)) == ("UPLOAD_CLOSED", {"state": "EXPIRED"})

    async with asyncio.timeout(10):
        while True:
            [row] = await catalog_rows("SELECT * FROM uploads WHERE source_key = :key", key=key_of(opened))
            if row.discarded_at:
                break
            await asyncio.sleep(0.02)
    assert row.state == "EXPIRED"
    with pytest.raises(Missing):
        await store_of_masters.parts("uploads", row.source_key, row.multipart_id)


async def test_a_user_has_so_many_open_uploads_and_no_more(edge, artist, store_of_masters):
    """Also when they are opened at once; what is refused leaves nothing, and ending one makes room."""
    account, _, track = artist

    ends = await asyncio.gather(*(edge.open(account, track, 6) for _ in range(OPEN_LIMIT + 3)), return_exceptions=True)

    opened = [end for end in ends if isinstance(end, Upload)]
    assert len(opened) == OPEN_LIMIT == len(await store_of_masters.open_uploads("uploads", f"{track}/"))
    assert await refused_with(edge.open(account, track, 6)) == ("UPLOAD_QUOTA", {"limit": str(OPEN_LIMIT)})
    await abort(edge, account, opened[0])
    await edge.complete(account, opened[1], await edge.send_all(opened[1]))
    assert [(await edge.open(account, track, 6)).state for _ in range(2)] == [Upload.OPEN] * 2


async def test_a_request_that_arrives_twice_opens_one_upload(edge, artist, store_of_masters):
    """The answer is rendered again, with fresh URLs."""
    account, _, track = artist
    request_id = str(uuid4())

    first = await edge.open(account, track, 6, request_id=request_id)
    second = await edge.open(account, track, 6, request_id=request_id)

    assert first.name == second.name
    assert len(await store_of_masters.open_uploads("uploads", f"{track}/")) == 1
    await edge.send_all(second)
    assert (await get(edge, account, first)).parts[0].uploaded
    assert await refused(edge.open(account, track, 7, request_id=request_id)) == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    "filename",
    [
        "-i.mp3",
        "concat:a|b",
        "../../etc/passwd",
        "http://127.0.0.1/x.m3u8",
        "ж" * 255,
        "a\nb\r.ogg",
        "%2e%2e%2f",
        "' --",
    ],
    ids=["option", "protocol", "path", "address", "long", "lines", "escaped", "quote"],
)
async def test_a_filename_is_only_a_word(edge, artist, announced, filename):
    """It is shown and told, and never becomes a key."""
    account, _, track = artist

    opened = await edge.open(account, track, 6, filename=filename, content_type='text/html\r\nX-Evil: "1"')
    completed = await edge.complete(account, opened, await edge.send_all(opened))

    assert completed.filename == filename
    [(_, fact)] = await announced(opened)
    assert (fact.filename, fact.source_key) == (filename, key_of(opened))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"filename": ""}, {"filename"}),
        ({"filename": "x" * 256}, {"filename"}),
        ({"filename": "a\0.ogg"}, {"filename"}),
        ({"size_bytes": -1}, {"size_bytes"}),
        ({"size_bytes": 2**31 + 1}, {"size_bytes"}),
        ({"track": "tracks/1"}, {"track"}),
        ({"request_id": "1"}, {"request_id"}),
    ],
    ids=["no name", "long name", "NUL", "negative", "too large", "odd track", "odd id"],
)
async def test_an_upload_that_makes_no_sense_is_not_opened(edge, studio, fields, wrong):
    """And the field is named."""
    values = {"track": f"tracks/{uuid4()}", "filename": "a.ogg", "size_bytes": 1, **fields}

    call = edge.uploads.CreateUpload(CreateUploadRequest(**values), metadata=studio.account.metadata)

    assert await refused_fields(call) == wrong


async def test_uploads_belong_to_managers_who_may_upload(edge, artist, sign_up, stranger):
    """Others do not learn that there is one."""
    account, name, track = artist
    editor, uploader = await sign_up(), await sign_up()
    await edge.manager(name, account, editor, Manager.EDIT_RELEASES, Manager.EDIT_PROFILE)
    await edge.manager(name, account, uploader, Manager.UPLOAD)
    opened = await edge.open(account, track, 6)
    sent = await edge.send_all(opened)

    async def reasons(metadata):
        complete = CompleteUploadRequest(name=opened.name, parts=sent)
        return [
            await refused(edge.uploads.GetUpload(GetUploadRequest(name=opened.name), metadata=metadata)),
            await refused(edge.uploads.CompleteUpload(complete, metadata=metadata)),
            await refused(edge.uploads.AbortUpload(AbortUploadRequest(name=opened.name), metadata=metadata)),
        ]

    assert await reasons(editor.metadata) == ["UPLOAD_NOT_FOUND"] * 3
    assert await reasons(stranger.metadata) == ["UPLOAD_NOT_FOUND"] * 3
    assert await reasons(None) == ["TOKEN_MISSING"] * 3
    assert await refused(edge.open(editor, track, 6)) == "PERMISSION_MISSING"
    assert await refused(edge.open(stranger, track, 6)) == "TRACK_NOT_FOUND"
    assert (await edge.complete(uploader, opened, sent)).state == Upload.COMPLETED


async def test_nothing_is_uploaded_for_a_track_that_is_gone(edge, artist):
    """Neither opened nor completed."""
    account, _, track = artist
    opened = await edge.open(account, track, 6)
    sent = await edge.send_all(opened)

    await edge.tracks.DeleteTrack(DeleteTrackRequest(name=track), metadata=account.metadata)

    assert await refused(edge.complete(account, opened, sent)) == "UPLOAD_NOT_FOUND"
    assert await refused(edge.open(account, track, 6)) == "TRACK_NOT_FOUND"
