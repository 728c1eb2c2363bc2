"""The object store (S3): masters, renditions and pictures.

The client library blocks, so every call runs in a thread of its own pool. Keys are made by the server from UUIDs.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.helpers import DictType
from opentelemetry.trace import SpanKind

from services.common import tracing
from services.common.settings import StorageSettings

CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
THREADS = 16
RANGE_BYTES = 8 << 20
PIECE_BYTES = 1 << 20

Answer = TypeVar("Answer")


class Missing(Exception):  # noqa: N818 (an answer of the store, not a fault)
    """The object, the bucket or the multipart upload does not exist."""


@dataclass(frozen=True)
class ObjectInfo:
    """What the store knows of an object."""

    size_bytes: int
    etag: str


@dataclass(frozen=True)
class PartInfo:
    """A part of a multipart upload that has arrived."""

    number: int
    size_bytes: int
    etag: str


class Storage:
    """One identity's view of the object store. The store's own names of buckets may have a prefix."""

    def __init__(self, settings: StorageSettings) -> None:
        """Speak to the store at `settings.s3_endpoint`."""
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        retries = urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
        self._client = Minio(
            settings.s3_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3_tls,
            region=settings.s3_region,
            http_client=urllib3.PoolManager(maxsize=THREADS, timeout=timeout, retries=retries),
        )
        # Every address is /bucket/key, by which the edge knows what is asked for, whatever store it is.
        self._client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        self._prefix = settings.s3_bucket_prefix
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")

    async def stat(self, bucket: str, key: str) -> ObjectInfo:
        """Look at an object; raises Missing."""
        found = await self._run("StatObject", bucket, lambda named: self._client.stat_object(named, key))
        return ObjectInfo(int(found.size or 0), str(found.etag))

    async def put(self, bucket: str, key: str, data: bytes, content_type: str, cache_control: str) -> None:
        """Write a small object."""
        headers: DictType = {"Content-Type": content_type, "Cache-Control": cache_control}
        await self._run("PutObject", bucket, lambda named: self._client._put_object(named, key, data, headers))  # noqa: SLF001 (see multipart)

    async def put_once(self, bucket: str, key: str, data: bytes, content_type: str, cache_control: str) -> None:
        """Write a small object that nothing ever replaces; what is there already stays as it is."""
        headers: DictType = {"Content-Type": content_type, "Cache-Control": cache_control, "If-None-Match": "*"}
        try:
            await self._run("PutObject", bucket, lambda named: self._client._put_object(named, key, data, headers))  # noqa: SLF001 (see multipart)
        except S3Error as error:
            if error.code != "PreconditionFailed":
                raise

    async def download(self, bucket: str, key: str, write: Callable[[bytes], Any]) -> int:
        """Read an object piece by piece into `write`, in a thread; answers its length in bytes.

        It is asked for range by range: a store that is asked for all of it reads ahead as fast as it can, which takes
        the processor from whoever works on what has come already.
        """

        def copy(named: str) -> int:
            size = int(self._client.stat_object(named, key).size or 0)
            return sum(self._read(named, key, offset, write) for offset in range(0, size, RANGE_BYTES))

        return await self._run("GetObject", bucket, copy)

    def _read(self, named: str, key: str, offset: int, write: Callable[[bytes], Any]) -> int:
        response = self._client.get_object(named, key, offset, RANGE_BYTES)
        try:
            length = 0
            for piece in response.stream(PIECE_BYTES):
                write(piece)
                length += len(piece)
            return length
        finally:
            response.close()
            response.release_conn()

    async def keys(self, bucket: str, prefix: str) -> list[str]:
        """List the keys that begin with `prefix`."""
        return list(await self.sizes(bucket, prefix))

    async def sizes(self, bucket: str, prefix: str) -> dict[str, int]:
        """List the objects whose keys begin with `prefix`, and how many bytes each has."""

        def read(named: str) -> dict[str, int]:
            found = self._client.list_objects(named, prefix, recursive=True)
            return {str(each.object_name): int(each.size or 0) for each in found}

        return await self._run("ListObjects", bucket, read)

    async def remove(self, bucket: str, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        await self._run("RemoveObject", bucket, lambda named: self._client.remove_object(named, key))

    # Multipart uploads. The client library keeps these calls to itself although S3 documents them; the tests run
    # every one of them against a real store.

    async def open_multipart(self, bucket: str, key: str, content_type: str, cache_control: str = "") -> str:
        """Begin a multipart upload and answer its id."""
        headers: DictType = {"Content-Type": content_type}
        if cache_control:
            headers["Cache-Control"] = cache_control
        return await self._run(
            "CreateMultipartUpload",
            bucket,
            lambda named: str(self._client._create_multipart_upload(named, key, headers)),  # noqa: SLF001
        )

    async def put_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> Part:
        """Send one part."""
        etag = await self._run(
            "UploadPart",
            bucket,
            lambda named: self._client._upload_part(named, key, data, None, upload_id, number),  # noqa: SLF001
        )
        return Part(number, etag)

    async def parts(self, bucket: str, key: str, upload_id: str) -> list[PartInfo]:
        """List the parts that have arrived; raises Missing when the upload is closed or unknown."""

        def read(named: str) -> list[PartInfo]:
            found: list[PartInfo] = []
            marker: str | None = None
            while True:
                page = self._client._list_parts(  # noqa: SLF001
                    named, key, upload_id, max_parts=1000, part_number_marker=marker
                )
                found += [PartInfo(part.part_number, int(part.size or 0), part.etag.strip('"')) for part in page.parts]
                if not page.is_truncated:
                    return found
                marker = str(page.next_part_number_marker)

        return await self._run("ListParts", bucket, read)

    async def close_multipart(self, bucket: str, key: str, upload_id: str, parts: list[Part]) -> None:
        """Make the object of its parts; raises Missing when the upload is closed or unknown."""
        await self._run(
            "CompleteMultipartUpload",
            bucket,
            lambda named: self._client._complete_multipart_upload(named, key, upload_id, parts),  # noqa: SLF001
        )

    async def abort_multipart(self, bucket: str, key: str, upload_id: str) -> None:
        """Give a multipart upload up; one that is not there is no error."""
        try:
            await self._run(
                "AbortMultipartUpload",
                bucket,
                lambda named: self._client._abort_multipart_upload(named, key, upload_id),  # noqa: SLF001
            )
        except Missing:
            return

    async def open_uploads(self, bucket: str, prefix: str) -> list[tuple[str, str]]:
        """List key and id of the multipart uploads below `prefix` that are open, at most 1000."""
        found = await self._run(
            "ListMultipartUploads",
            bucket,
            lambda named: self._client._list_multipart_uploads(named, prefix=prefix),  # noqa: SLF001
        )
        return [(str(upload.object_name), str(upload.upload_id)) for upload in found.uploads]

    async def presign_part(self, bucket: str, key: str, upload_id: str, number: int, expires: timedelta) -> str:
        """Sign the PUT of one part; answers path and query at the edge, which knows the prefix, too."""
        url = await self._run(
            "PresignUrl",
            bucket,
            lambda named: self._client.get_presigned_url(
                "PUT",
                named,
                key,
                expires=expires,
                extra_query_params={"uploadId": upload_id, "partNumber": str(number)},
            ),
        )
        split = urlsplit(url)
        return f"/{split.path.removeprefix(f'/{self._prefix}')}?{split.query}"

    async def ping(self, bucket: str) -> None:
        """Raise when the store does not answer or the bucket is missing."""
        if not await self._run("HeadBucket", bucket, self._client.bucket_exists):
            raise Missing(bucket)

    async def _run(self, operation: str, bucket: str, work: Callable[[str], Answer]) -> Answer:
        """Do something in a bucket, by the store's own name of it."""

        def guarded() -> Answer:
            with _translated():
                return work(f"{self._prefix}{bucket}")

        # Without the key: the names of folders of previews are secrets.
        with tracing.step(f"s3 {operation} {bucket}", SpanKind.CLIENT, **tracing.STORAGE):
            return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the client library's errors into Missing or ConnectionError; the rest is unexpected."""
    try:
        yield
    except S3Error as error:
        if error.code in ("NoSuchKey", "NoSuchUpload", "NoSuchBucket"):
            raise Missing(str(error.code)) from error
        if error.code in ("InternalError", "ServiceUnavailable", "SlowDown"):
            raise ConnectionError("the object store does not answer") from error
        raise
    except (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError) as error:
        raise ConnectionError("the object store does not answer") from error
