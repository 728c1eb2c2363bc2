"""A master on the worker's disk. A long one can be encoded while the rest of it is still on its way."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from services.common.tasks import end
from services.processing.media.containers import SNIFFED, kind_of
from services.processing.pipes import pump, widen

HEAD_BYTES = 8 << 20
"""Enough to tell what a master is."""
STREAMABLE = ("wav", "flac")
"""Kinds that say at their beginning how long they are, the large ones; others are looked at as a whole."""
PATIENCE_SECONDS = 0.01


def is_streamable(beginning: bytes) -> bool:
    """Whether a master that begins so can be encoded while it arrives."""
    return kind_of(beginning) in STREAMABLE


@dataclass(frozen=True)
class Master:
    """A file, and the task that writes it, which raises what goes wrong; without one the file is whole."""

    path: Path
    arriving: asyncio.Task[None] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing any more."""
        return self.arriving is None or self.arriving.done()

    async def begun(self) -> None:
        """Wait until there is enough to begin with. Raises whatever went wrong on the way."""
        while not self.is_whole and self._size() < HEAD_BYTES:  # noqa: ASYNC110 (a thread writes the file)
            await asyncio.sleep(PATIENCE_SECONDS)
        if self.is_whole or not is_streamable(self._beginning()):
            await self.arrived()

    async def arrived(self) -> None:
        """Wait until the file is whole. Raises whatever went wrong on the way."""
        if self.arriving:
            await asyncio.shield(self.arriving)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Path]:
        """Lend a file that can be read from beginning to end: at its end there is more until all has arrived."""
        if self.is_whole:
            yield self.path
            return
        pipe = self.path.with_name("stream")
        os.mkfifo(pipe, 0o600)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # there has to be one before a writer can open it
        widen(reader)
        pumping = asyncio.create_task(self._pump(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)))
        try:
            yield pipe
            if pumping.done():
                await pumping
        finally:
            await end(pumping)
            os.close(reader)
            pipe.unlink()

    async def _pump(self, end: int) -> None:
        """Write all that arrives into a pipe, then close it."""
        try:
            with self.path.open("rb") as file:
                await pump(file.fileno(), end, lambda: self.is_whole)
        finally:
            os.close(end)

    def _beginning(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(SNIFFED)

    def _size(self) -> int:
        with suppress(FileNotFoundError):
            return self.path.stat().st_size
        return 0
