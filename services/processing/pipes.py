"""Pipes from and to FFmpeg, looked at again and again.

FFmpeg reads and writes a few kilobytes at a time. Whoever is woken for each of them takes more of the processor than
the work itself, and takes it from the encoder; a pipe holds what gathers between two looks.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

LOOK_SECONDS = 0.1
"""How often a pipe of PIPE_BYTES is looked at; a smaller one, and one that fills quickly, is looked at more often."""
QUICK_SECONDS = LOOK_SECONDS / 5
LAST_SECONDS = 0.001
"""How often a pipe is looked at whose writer is ending."""
PIPE_BYTES = 1 << 20


def widen(descriptor: int) -> None:
    """Let a pipe hold so much that nobody waits for a look; a user with many pipes has to live with small ones."""
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _pause_seconds(descriptor: int, passed: int) -> float:
    """Say when a pipe should be looked at again through which so many bytes have passed since the last look."""
    size = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    seconds = QUICK_SECONDS if passed >= size // 4 else LOOK_SECONDS
    return seconds * min(1.0, size / PIPE_BYTES)


class Pipe:
    """The end of a pipe that is read. What nobody reads stays in the pipe, until its writer has to wait."""

    def __init__(self, descriptor: int, ending: asyncio.Event) -> None:
        """Read from an open descriptor, which the caller closes; `ending` is set when its writer is about to end."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._ending = ending
        self._passed = 0
        self._is_drained = False

    async def read(self, most: int) -> bytes:
        """Return what has gathered, at most so many bytes; nothing at the end."""
        while True:
            await (self._rest() if self._is_drained else asyncio.sleep(0))
            try:
                data = os.read(self._descriptor, most)
            except BlockingIOError:
                self._is_drained = True
                continue
            self._passed += len(data)
            self._is_drained = len(data) < most
            return data

    async def _rest(self) -> None:
        """Let something gather."""
        pause, self._passed = _pause_seconds(self._descriptor, self._passed), 0
        if self._ending.is_set():
            await asyncio.sleep(LAST_SECONDS)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._ending.wait()

    async def read_exactly(self, length: int) -> bytes:
        """Return so many bytes. Raises EOFError when the end comes before."""
        pieces = []
        while length:
            piece = await self.read(length)
            if not piece:
                raise EOFError
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    async def read_all(self, most: int) -> bytes:
        """Read to the end; returns the first bytes, so many at most."""
        kept = bytearray()
        while piece := await self.read(PIPE_BYTES):
            kept += piece[: most - len(kept)]
        return bytes(kept)


async def pump(source: int, end: int, is_whole: Callable[[], bool]) -> None:
    """Move a file that still grows into a pipe, until it is whole and all of it is there. The caller closes both."""
    while True:
        was_whole = is_whole()
        try:
            moved = os.splice(source, end, PIPE_BYTES, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            moved = 0  # the pipe is full
        else:
            if not moved and was_whole:
                return
        if moved < PIPE_BYTES:
            await asyncio.sleep(_pause_seconds(end, moved))
