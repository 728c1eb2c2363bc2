"""Parts of masters go through the edge to the store, by presigned addresses and nothing else."""

import hashlib
import itertools
import os
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from minio import Minio

from tests.support.edge import RunningEdge
from tests.support.engines import Engines

PART = os.urandom(300_000)
MEBIBYTE = 1 << 20


@pytest.fixture(scope="session")
def store(engines: Engines) -> Minio:
    """Return the store as the catalog sees it."""
    keys = engines.s3_credentials("catalog")
    return Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")


def presigned(store: Minio, bucket: str, key: str, method: str = "PUT") -> str:
    """Sign an address; only path and query are handed out."""
    url = urlsplit(store.get_presigned_url(method, bucket, key, expires=timedelta(minutes=5)))
    return f"{url.path}?{url.query}"


@pytest.fixture
def key() -> str:
    """Return the key of a new object."""
    return f"tracks/{uuid4()}/{uuid4()}"


async def test_a_part_arrives_as_it_was_sent(edge: RunningEdge, store: Minio, key):
    """The entity tag comes back: it completes the upload."""
    answer = await edge.ask("PUT", presigned(store, "uploads", key), content=PART)
    assert answer.status == 200
    assert answer.headers["etag"].strip('"') == hashlib.md5(PART, usedforsecurity=False).hexdigest()
    assert store.get_object("uploads", key).data == PART


async def test_a_multipart_upload_goes_through(edge: RunningEdge, store: Minio, key):
    """Each part has its own address."""
    upload = store._create_multipart_upload("uploads", key, {})  # noqa: SLF001 (the client keeps it to itself)
    url = urlsplit(
        store.get_presigned_url("PUT", "uploads", key, extra_query_params={"uploadId": upload, "partNumber": "1"})
    )
    answer = await edge.ask("PUT", f"{url.path}?{url.query}", content=PART)
    assert (answer.status, bool(answer.headers["etag"])) == (200, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda address: address.replace("X-Amz-Signature=", "X-Amz-Signature=0"),
        lambda address: address.replace("X-Amz-Expires=300", "X-Amz-Expires=900"),
        lambda address: address.replace("/uploads/tracks/", "/uploads/others/"),
        lambda address: address + "&partNumber=2",
        lambda address: address.partition("?")[0] + "?X-Amz-Signature=abc",
    ],
)
async def test_a_changed_address_opens_nothing(edge: RunningEdge, store: Minio, key, change):
    """The store's refusal is told in our words."""
    answer = await edge.ask("PUT", change(presigned(store, "uploads", key)), content=b"x")
    assert (answer.status, answer.reason) == (403, "UPLOAD_URL_INVALID")


async def test_an_address_without_signature_opens_nothing(edge: RunningEdge, key, bearer):
    """Not even with an access token; the store is not asked."""
    answer = await edge.ask("PUT", f"/uploads/{key}", content=b"x", headers=bearer)
    assert (answer.status, answer.reason) == (403, "UPLOAD_URL_INVALID")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
async def test_masters_can_only_be_sent(edge: RunningEdge, store: Minio, key, method):
    """Even where the signature would allow more."""
    signable = method if method in ("GET", "HEAD", "DELETE") else "GET"
    answer = await edge.ask(method, presigned(store, "uploads", key, signable))
    assert answer.status == 405
    assert answer.headers["allow"] == "PUT"


@pytest.mark.parametrize(
    ("bucket", "refusal"), [("audio", (404, "PATH_UNKNOWN")), ("images", (405, "METHOD_NOT_ALLOWED"))]
)
async def test_other_buckets_take_no_uploads(edge: RunningEdge, engines: Engines, bucket, refusal, key):
    """Though signed by somebody who may write there."""
    keys = engines.s3_credentials("admin")
    admin = Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")
    answer = await edge.ask("PUT", presigned(admin, bucket, key), content=b"x")
    assert (answer.status, answer.reason) == refusal


async def test_somebody_elses_master_cannot_be_copied(edge: RunningEdge, store: Minio, key):
    """The store would copy it for a header that no signature covers."""
    source = f"{key}-other"
    await edge.ask("PUT", presigned(store, "uploads", source), content=PART)
    headers = {"x-amz-copy-source": f"/uploads/{source}"}
    await edge.ask("PUT", presigned(store, "uploads", key), content=b"mine", headers=headers)
    assert store.get_object("uploads", key).data == b"mine"


async def test_a_part_may_be_large_but_not_endless(edge: RunningEdge, store: Minio, key):
    """64 MiB pass, a byte more does not, whether the length is announced or not."""
    largest = bytes(64 * MEBIBYTE)
    assert (await edge.ask("PUT", presigned(store, "uploads", key), content=largest)).status == 200

    announced = f"PUT {presigned(store, 'uploads', key)}\r\nContent-Length: {len(largest) + 1}\r\n"
    answer = await edge.ask_raw(announced)
    assert (answer.status, answer.reason) == (413, "BODY_TOO_LARGE")
    endless = f"PUT {presigned(store, 'uploads', key)}\r\nTransfer-Encoding: chunked\r\n"
    answer = await edge.ask_raw(endless, itertools.repeat(bytes(MEBIBYTE)))
    assert (answer.status, answer.reason) == (413, "BODY_TOO_LARGE")


async def test_no_signature_is_logged(edge: RunningEdge, store: Minio, key):
    """A presigned address is a secret for its time."""
    address = presigned(store, "uploads", key)
    mark = uuid4().hex
    await edge.ask("PUT", address, content=b"x", headers={"user-agent": mark})
    await edge.ask("PUT", address, content=b"x")
    await edge.log_entry('"upload"')
    signature = address.partition("X-Amz-Signature=")[2]
    assert signature
    assert signature not in edge.log.read_text()
    assert key not in edge.log.read_text()
