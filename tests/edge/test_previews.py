"""Previews come from the object store to whoever knows their address, and are never kept."""

import io
from uuid import uuid4

import pytest
from minio import Minio

from tests.support.edge import RunningEdge
from tests.support.engines import Engines

FILES = {
    "preview.m3u8": "application/vnd.apple.mpegurl",
    "preview-0.mp4": "audio/mp4",
    "preview-12.mp4": "audio/mp4",
    "cover.jpg": "image/jpeg",
    "cover.png": "image/png",
}
CONTENT = bytes(number * 7 % 256 for number in range(1000))


@pytest.fixture(scope="session")
def folder(engines: Engines) -> str:
    """Return a folder with everything that a preview can have, and something else."""
    keys = engines.s3_credentials("admin")
    store = Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")
    name = str(uuid4())
    for file, content_type in {**FILES, "notes.txt": "text/plain"}.items():
        store.put_object(
            "previews",
            f"{name}/{file}",
            io.BytesIO(CONTENT),
            len(CONTENT),
            content_type=content_type,
            metadata={"Cache-Control": "no-store"},
        )
    return name


@pytest.mark.parametrize("file", FILES)
async def test_a_file_of_a_preview_comes_without_a_token_and_is_not_kept(edge: RunningEdge, folder, file):
    """What the store keeps about itself stays behind."""
    answer = await edge.ask("GET", f"/previews/{folder}/{file}")

    assert (answer.status, answer.body) == (200, CONTENT)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (FILES[file], "no-store")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith(("x-amz-", "seaweed", "x-envoy-"))]


async def test_a_range_of_a_piece_comes_alone(edge: RunningEdge, folder):
    """As players ask for segments."""
    answer = await edge.ask("GET", f"/previews/{folder}/preview-0.mp4", headers={"range": "bytes=10-19"})

    assert (answer.status, answer.body) == (206, CONTENT[10:20])


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("{unknown}/preview.m3u8", 404, "MEDIA_NOT_FOUND"),
        ("{folder}/preview-7.mp4", 404, "MEDIA_NOT_FOUND"),
        ("{folder}/notes.txt", 404, "PATH_UNKNOWN"),
        ("{folder}/", 404, "PATH_UNKNOWN"),
        ("?prefix={folder}", 404, "PATH_UNKNOWN"),
        ("", 404, "PATH_UNKNOWN"),
    ],
)
async def test_nothing_else_can_be_had(edge: RunningEdge, folder, path, status, reason):
    """Neither a list of the bucket nor another file."""
    answer = await edge.ask("GET", "/previews/" + path.format(folder=folder, unknown=uuid4()))

    assert (answer.status, answer.json["details"][0]["reason"]) == (status, reason)


async def test_commands_for_the_store_are_not_passed_on(edge: RunningEdge, folder):
    """The query is dropped."""
    answer = await edge.ask("GET", f"/previews/{folder}/preview.m3u8?tagging&response-content-type=text/html")

    assert (answer.status, answer.headers["content-type"]) == (200, FILES["preview.m3u8"])


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_nothing_can_be_written(edge: RunningEdge, folder, method):
    """A preview is read."""
    answer = await edge.ask(method, f"/previews/{folder}/preview.m3u8")

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
