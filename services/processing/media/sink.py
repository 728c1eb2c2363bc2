"""Where the pipeline writes; the object store of the worker, a folder in tests."""

from typing import Protocol

MEDIA_TYPE, PLAYLIST_TYPE, JSON_TYPE = "audio/mp4", "application/vnd.apple.mpegurl", "application/json"
IMMUTABLE, REVALIDATED, TRANSIENT = "max-age=31536000, immutable", "no-cache", "no-store"


class Writer(Protocol):
    """One file being written. Nobody sees it before `close` returns."""

    async def write(self, data: bytes) -> None:
        """Add bytes. They may be held back until there are enough to send."""

    async def close(self) -> None:
        """Make the file appear, whole."""

    async def abort(self) -> None:
        """Forget the file; after `close`, do nothing."""


class Sink(Protocol):
    """One folder of results."""

    async def open(self, name: str, content_type: str, cache_control: str) -> Writer:
        """Begin a file of unknown length."""

    async def put(self, name: str, data: bytes, content_type: str, cache_control: str) -> None:
        """Write a small file at once."""
