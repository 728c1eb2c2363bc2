"""Pictures come from the object store, for everybody and for ever."""

import io
from pathlib import Path
from uuid import uuid4

import pytest
from minio import Minio

from cli.engines.ports import PortBook
from services.common import images
from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge, running
from tests.support.engines import Engines

IMAGE = bytes(number * 5 % 256 for number in range(20_000))
CACHED = "public, max-age=31536000, immutable"
TYPES = {"webp": "image/webp", "jpg": "image/jpeg"}


@pytest.fixture(scope="session")
def picture(engines: Engines) -> str:
    """Return the key of a picture with all its images."""
    artwork = uuid4()
    keys = engines.s3_credentials("admin")
    store = Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")
    for size in images.SIZES:
        for ending in images.ENDINGS:
            store.put_object(
                "images",
                f"{artwork}/{images.file_name(size, ending)}",
                io.BytesIO(IMAGE),
                len(IMAGE),
                content_type=TYPES[ending],
                metadata={"Cache-Control": CACHED},
            )
    store.put_object("images", f"{artwork}/original.png", io.BytesIO(IMAGE), len(IMAGE))
    return images.key(artwork)


async def test_every_image_comes_to_everybody_with_its_own_headers(edge: RunningEdge, picture):
    """Without a token; what the store keeps about itself stays behind."""
    for size in images.SIZES:
        for ending in images.ENDINGS:
            answer = await edge.ask("GET", images.uri(picture, size, ending))
            assert (answer.status, answer.body) == (200, IMAGE)
            assert answer.headers["content-type"] == TYPES[ending]
            assert answer.headers["cache-control"] == CACHED
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert not [name for name in answer.headers if name.startswith(("x-amz-", "seaweed", "x-envoy-"))]


async def test_head_tells_the_length(edge: RunningEdge, picture):
    """Nothing else is sent."""
    answer = await edge.ask("HEAD", images.uri(picture))
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", str(len(IMAGE)))


async def test_what_the_client_has_is_not_sent_again(edge: RunningEdge, picture):
    """By entity tag."""
    etag = (await edge.ask("HEAD", images.uri(picture))).headers["etag"]
    answer = await edge.ask("GET", images.uri(picture), headers={"if-none-match": etag})
    assert (answer.status, answer.body) == (304, b"")


async def test_a_token_or_a_cookie_changes_nothing_and_reaches_no_store(edge: RunningEdge, picture, bearer):
    """Nor does a bad one: nobody is asked who they are."""
    for headers in (bearer, {"authorization": "Bearer nonsense"}, {"cookie": "a=b"}, {"x-media-token": "x"}):
        answer = await edge.ask("GET", images.uri(picture), headers=headers)
        assert (answer.status, answer.body) == (200, IMAGE)


async def test_a_query_changes_nothing(edge: RunningEdge, picture):
    """The store would read lists and permissions out of it."""
    for query in ("acl", "uploads", "versionId=1", "response-content-type=text/html", "X-Amz-Signature=0"):
        answer = await edge.ask("GET", f"{images.uri(picture)}?{query}")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, IMAGE, "image/webp")


async def test_a_missing_picture_is_not_found(edge: RunningEdge):
    """In our words, not in the store's XML; and not kept, for it may come."""
    answer = await edge.ask("GET", images.uri(images.key(uuid4())))
    assert (answer.status, answer.reason) == (404, "IMAGE_NOT_FOUND")
    assert answer.headers["cache-control"] == "no-store"
    assert (await edge.ask("HEAD", images.uri(images.key(uuid4())))).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/images",
        "/images/",
        "/{picture}",
        "/{picture}/",
        "/{picture}/original.png",
        "/{picture}/641.webp",
        "/{picture}/640.png",
        "/{picture}/640.webp/",
        "/{picture}/640.webp%00",
        "/{picture}/x/../original.png",
        "/{picture}/../../audio/tracks/a/b/aac.mp4",
        "/{picture}/%2e%2e/%2e%2e/audio/x",
        "/images/..%2fuploads",
        "/images/uploads/640.webp",
    ],
)
async def test_nothing_but_images_is_there(edge: RunningEdge, picture, path):
    """No lists, no other names, no other buckets."""
    answer = await edge.ask_raw(f"GET {path.format(picture=picture)}\r\n")
    assert answer.status in (400, 404)
    assert answer.reason in ("PATH_UNKNOWN", "REQUEST_MALFORMED")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
async def test_images_can_only_be_read(edge: RunningEdge, picture, bearer, method):
    """Whoever asks."""
    answer = await edge.ask(method, images.uri(picture), headers=bearer)
    assert (answer.status, answer.reason) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_without_the_store_the_client_is_told_to_come_back(
    engines: Engines, echo: EchoServices, picture, tmp_path: Path
):
    """Not that the picture were gone."""
    nobody = PortBook(tmp_path / "ports.json").take("store")
    async with running(engines, echo, tmp_path / "edge", store=("127.0.0.1", nobody)) as edge:
        answer = await edge.ask("GET", images.uri(picture))
        assert (answer.status, answer.reason) == (503, "DEPENDENCY_UNAVAILABLE")
