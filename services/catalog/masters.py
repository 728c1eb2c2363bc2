"""The bytes of masters in the object store, from the first part to the whole."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from minio.datatypes import Part

from services.catalog.domain import ArrivedPart, NewUpload, Upload, upload_incomplete
from services.common.storage import Missing, Storage

CONTENT_TYPE = "application/octet-stream"
"""What a client calls its file is only a word; the content decides."""


class Masters:
    """Masters in one bucket."""

    def __init__(self, storage: Storage, bucket: str, url_life: timedelta) -> None:
        """Keep masters in `bucket`; a URL that takes a part works for `url_life`."""
        self._storage = storage
        self._url_life = url_life
        self.bucket = bucket

    async def open(self, key: str) -> str:
        """Begin to take a master in; answers the id of the multipart upload."""
        return await self._storage.open_multipart(self.bucket, key, CONTENT_TYPE)

    async def url(self, upload: Upload, number: int) -> str:
        """Sign the PUT of a part, for no longer than the upload lives."""
        life = max(min(self._url_life, upload.expires_at - datetime.now(UTC)), timedelta(seconds=1))
        return await self._storage.presign_part(
            upload.source_bucket, upload.source_key, upload.multipart_id, number, life
        )

    async def arrived(self, upload: Upload) -> frozenset[ArrivedPart]:
        """Look which parts have arrived."""
        try:
            return await self._parts(upload)
        except Missing:
            return await self._parts_of_whole(upload)

    async def assemble(self, upload: Upload, sent: Mapping[int, str]) -> None:
        """Make the master of its parts, unless it is whole already; refuses with the parts that are missing."""
        try:
            if missing := upload.missing(await self._parts(upload), sent):
                raise upload_incomplete(missing)
            parts = [Part(number, sent[number]) for number, _ in upload.parts()]
            await self._storage.close_multipart(upload.source_bucket, upload.source_key, upload.multipart_id, parts)
        except Missing:
            # Somebody closed it before: another call, or this one before a crash kept it from being written down.
            if not await self._parts_of_whole(upload):
                raise upload_incomplete([number for number, _ in upload.parts()]) from None

    async def discard(self, upload: Upload | NewUpload) -> None:
        """Leave nothing of an upload that is given up, neither parts nor a master that was just made of them."""
        await self._storage.abort_multipart(upload.source_bucket, upload.source_key, upload.multipart_id)
        await self._storage.remove(upload.source_bucket, upload.source_key)

    async def ping(self) -> None:
        """Raise when masters cannot be taken in."""
        await self._storage.ping(self.bucket)

    async def _parts(self, upload: Upload) -> frozenset[ArrivedPart]:
        parts = await self._storage.parts(upload.source_bucket, upload.source_key, upload.multipart_id)
        return frozenset(ArrivedPart(part.number, part.size_bytes, part.etag) for part in parts)

    async def _parts_of_whole(self, upload: Upload) -> frozenset[ArrivedPart]:
        """Answer all parts, under the tag of the whole, when the master is whole; otherwise none."""
        try:
            whole = await self._storage.stat(upload.source_bucket, upload.source_key)
        except Missing:
            return frozenset()
        if whole.size_bytes != upload.size_bytes:
            return frozenset()
        return frozenset(ArrivedPart(number, size, whole.etag) for number, size in upload.parts())
