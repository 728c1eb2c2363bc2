"""The parts of a master, sent to a real object store."""

import httpx

from spotilike.catalog.v1.upload_pb2 import Upload
from spotilike.catalog.v1.upload_service_pb2 import CompletedPart
from tests.catalog.refusals import refused_fields, refused_with
from tests.catalog.uploads import TWO_PARTS, get, key_of
from tests.support.catalog import PART_BYTES


async def test_an_upload_with_a_missing_part_cannot_be_completed(edge, artist, announced):
    """The refusal says which parts to send again; then it goes on."""
    account, _, track = artist
    opened = await edge.open(account, track, 2 * PART_BYTES + 10)
    first, last = await edge.send(opened.parts[0], bytes(PART_BYTES)), await edge.send(opened.parts[2], bytes(10))

    short = edge.complete(account, opened, [first, last])
    assert await refused_with(short) == ("UPLOAD_INCOMPLETE", {"missing": "2"})
    claimed = edge.complete(account, opened, [first, CompletedPart(number=2, etag=first.etag), last])
    assert await refused_with(claimed) == ("UPLOAD_INCOMPLETE", {"missing": "2"})
    unnamed = edge.complete(account, opened, [first])
    assert await refused_with(unnamed) == ("UPLOAD_INCOMPLETE", {"missing": "2,3"})
    assert await announced(opened) == []

    second = await edge.send(opened.parts[1], bytes(PART_BYTES))
    assert (await edge.complete(account, opened, [last, second, first])).state == Upload.COMPLETED


async def test_a_part_of_another_length_is_missing(edge, artist):
    """What arrived has to be what was announced."""
    account, _, track = artist
    opened = await edge.open(account, track, TWO_PARTS)
    first = await edge.send(opened.parts[0], bytes(PART_BYTES))
    short = await edge.send(opened.parts[1], bytes(999))

    assert await refused_with(edge.complete(account, opened, [first, short])) == (
        "UPLOAD_INCOMPLETE",
        {"missing": "2"},
    )
    seen = await get(edge, account, opened)
    assert [(part.number, part.uploaded) for part in seen.parts] == [(1, True), (2, False)]
    right = await edge.send(opened.parts[1], bytes(1000))
    assert (await edge.complete(account, opened, [first, right])).state == Upload.COMPLETED


async def test_a_part_that_was_sent_twice_is_the_one_that_the_client_names(edge, artist, store_of_masters):
    """The object store keeps both; which one is last nobody knows, so a resumed upload sends it again."""
    account, _, track = artist
    opened = await edge.open(account, track, TWO_PARTS)
    first, second = [await edge.send(opened.parts[0], letter * PART_BYTES) for letter in (b"a", b"b")]
    rest = await edge.send(opened.parts[1], b"c" * 1000)

    assert [part.uploaded for part in (await get(edge, account, opened)).parts] == [False, True]
    assert first.etag != second.etag
    bare = CompletedPart(number=1, etag=second.etag.strip('"'))
    await edge.complete(account, opened, [bare, rest])

    master: list[bytes] = []
    await store_of_masters.download("uploads", key_of(opened), master.append)
    assert b"".join(master) == b"b" * PART_BYTES + b"c" * 1000


async def test_parts_that_do_not_belong_to_the_upload_are_named(edge, artist):
    """Beyond the end, or twice."""
    account, _, track = artist
    opened = await edge.open(account, track, 6)
    [sent] = await edge.send_all(opened)

    beyond = edge.complete(account, opened, [sent, CompletedPart(number=2, etag="x")])
    assert await refused_fields(beyond) == {"parts[1].number"}
    assert await refused_fields(edge.complete(account, opened, [sent, sent])) == {"parts[1].number"}
    assert await refused_fields(edge.complete(account, opened, [])) == {"parts"}


async def test_an_interrupted_upload_goes_on_with_what_is_missing(edge, artist):
    """Fresh URLs for missing parts, tags for the ones that are there."""
    account, _, track = artist
    opened = await edge.open(account, track, TWO_PARTS)
    sent = await edge.send(opened.parts[0], bytes(PART_BYTES))

    seen = await get(edge, account, opened)

    assert (seen.parts[0].uploaded, seen.parts[0].url, seen.parts[0].etag) == (True, "", sent.etag.strip('"'))
    assert (seen.parts[1].uploaded, seen.parts[1].etag) == (False, "")
    rest = await edge.send(seen.parts[1], bytes(1000))
    mine = CompletedPart(number=1, etag=seen.parts[0].etag)
    assert (await edge.complete(account, opened, [mine, rest])).state == Upload.COMPLETED


async def test_a_url_takes_its_part_and_nothing_else(edge, artist, engines):
    """A changed number, key or method is refused by the object store."""
    account, _, track = artist
    part = (await edge.open(account, track, TWO_PARTS)).parts[1]

    async with httpx.AsyncClient(base_url=f"http://{engines.s3_endpoint}") as client:
        answers = [
            await client.put(part.url.replace("partNumber=2", "partNumber=1"), content=b"x"),
            await client.put(part.url.replace("/tracks/", "/tracks/0"), content=b"x"),
            await client.get(part.url),
            await client.delete(part.url),
        ]

    assert [answer.status_code for answer in answers] == [403] * 4
