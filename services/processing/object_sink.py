"""The folder of one attempt in the object store, as the pipeline's sink."""

from dataclasses import dataclass, field

from minio.datatypes import Part

from services.common.storage import Storage

PART_BYTES = 5 << 20
"""Parts of a multipart upload: the least that S3 allows, for what is not sent yet waits in memory."""


@dataclass
class ObjectSink:
    """Writes objects below `folder`. Nobody sees one before it is whole."""

    storage: Storage
    bucket: str
    folder: str

    async def open(self, name: str, content_type: str, cache_control: str) -> "ObjectWriter":
        """Begin an object of unknown length."""
        return ObjectWriter(self.storage, self.bucket, f"{self.folder}/{name}", content_type, cache_control)

    async def put(self, name: str, data: bytes, content_type: str, cache_control: str) -> None:
        """Write a small object at once."""
        await self.storage.put(self.bucket, f"{self.folder}/{name}", data, content_type, cache_control)


@dataclass
class ObjectWriter:
    """One object being written: as a multipart upload while it grows, or at once when it stays small."""

    storage: Storage
    bucket: str
    key: str
    content_type: str
    cache_control: str
    waiting: list[bytes] = field(default_factory=list)
    waiting_bytes: int = 0
    parts: list[Part] = field(default_factory=list)
    upload_id: str | None = None

    async def write(self, data: bytes) -> None:
        """Add bytes; sends a part when there are enough."""
        self.waiting.append(data)
        self.waiting_bytes += len(data)
        if self.waiting_bytes >= PART_BYTES:
            await self._send()

    async def close(self) -> None:
        """Make the object appear."""
        if self.upload_id is None:
            await self.storage.put(self.bucket, self.key, self._take(), self.content_type, self.cache_control)
            return
        if self.waiting:
            await self._send()
        await self.storage.close_multipart(self.bucket, self.key, self.upload_id, self.parts)
        self.upload_id = None

    async def abort(self) -> None:
        """Forget what was sent."""
        if self.upload_id is not None:
            await self.storage.abort_multipart(self.bucket, self.key, self.upload_id)
            self.upload_id = None

    async def _send(self) -> None:
        if self.upload_id is None:
            self.upload_id = await self.storage.open_multipart(
                self.bucket, self.key, self.content_type, self.cache_control
            )
        part = await self.storage.put_part(self.bucket, self.key, self.upload_id, len(self.parts) + 1, self._take())
        self.parts.append(part)

    def _take(self) -> bytes:
        """Take what is not sent yet."""
        data = b"".join(self.waiting)
        self.waiting.clear()
        self.waiting_bytes = 0
        return data
