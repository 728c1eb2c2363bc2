"""The bytes of masters and pictures on their way into the object store, from the first part to the whole."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from minio.datatypes import Part

from services.catalog.domain.uploads import ArrivedPart, Arriving, Place, upload_incomplete
from services.common.storage import Missing, Storage

CONTENT_TYPE = "application/octet-stream"
"""What a client calls its file is only a word; the content decides."""


class Arrivals:
    """Files that clients send to one bucket."""

    def __init__(self, storage: Storage, bucket: str, url_life: timedelta) -> None:
        """Keep files in `bucket`; a URL that takes a part works for `url_life`."""
        self._storage = storage
        self._url_life = url_life
        self.bucket = bucket

    async def open(self, key: str) -> str:
        """Begin to take a file in; answers the id of the multipart upload."""
        return await self._storage.open_multipart(self.bucket, key, CONTENT_TYPE)

    async def url(self, file: Arriving, number: int) -> str:
        """Sign the PUT of a part, for no longer than the file is waited for."""
        life = max(min(self._url_life, file.expires_at - datetime.now(UTC)), timedelta(seconds=1))
        return await self._storage.presign_part(file.source_bucket, file.source_key, file.multipart_id, number, life)

    async def arrived(self, file: Arriving) -> frozenset[ArrivedPart]:
        """Look which parts have arrived."""
        try:
            return await self._parts(file)
        except Missing:
            return await self._parts_of_whole(file)

    async def assemble(self, file: Arriving, sent: Mapping[int, str]) -> None:
        """Make the file of its parts, unless it is whole already; refuses with the parts that are missing."""
        try:
            missing = file.missing(await self._parts(file), sent)
            if not missing:
                parts = [Part(number, sent[number]) for number, _ in file.parts()]
                await self._storage.close_multipart(file.source_bucket, file.source_key, file.multipart_id, parts)
        except Missing:
            missing = [number for number, _ in file.parts()]
        # Somebody may have closed it before: another call, or this one before a crash kept it from being written down.
        if missing and not await self._parts_of_whole(file):
            raise upload_incomplete(missing)

    async def discard(self, file: Place) -> None:
        """Leave nothing of a file, neither parts nor the whole that was made of them."""
        await self._storage.abort_multipart(file.source_bucket, file.source_key, file.multipart_id)
        await self._storage.remove(file.source_bucket, file.source_key)

    async def ping(self) -> None:
        """Raise when files cannot be taken in."""
        await self._storage.ping(self.bucket)

    async def _parts(self, file: Arriving) -> frozenset[ArrivedPart]:
        parts = await self._storage.parts(file.source_bucket, file.source_key, file.multipart_id)
        return frozenset(ArrivedPart(part.number, part.size_bytes, part.etag) for part in parts)

    async def _parts_of_whole(self, file: Arriving) -> frozenset[ArrivedPart]:
        """Answer all parts, under the tag of the whole, when the file is whole; otherwise none."""
        try:
            whole = await self._storage.stat(file.source_bucket, file.source_key)
        except Missing:
            return frozenset()
        if whole.size_bytes != file.size_bytes:
            return frozenset()
        return frozenset(ArrivedPart(number, size, whole.etag) for number, size in file.parts())
