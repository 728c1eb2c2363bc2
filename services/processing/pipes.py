"""Pipes from and to FFmpeg, looked at again and again.

FFmpeg reads and writes a few kilobytes at a time. Whoever is woken for each of them takes more of the processor than
the work itself, and takes it from the encoder; a pipe holds what gathers between two looks.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

LOOK_SECONDS = 0.03
"""How often a pipe of PIPE_BYTES is looked at; a smaller one is looked at more often."""
PIPE_BYTES = 1 << 20


def widen(descriptor: int) -> None:
    """Let a pipe hold so much that nobody waits for a look; a user with many pipes has to live with small ones."""
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _look_seconds(descriptor: int) -> float:
    return LOOK_SECONDS * min(1.0, fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) / PIPE_BYTES)


class Pipe:
    """The end of a pipe that is read. What nobody reads stays in the pipe, until its writer has to wait."""

    def __init__(self, descriptor: int) -> None:
        """Read from an open descriptor, which the caller closes."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._look_seconds = _look_seconds(descriptor)
        self._pause_seconds = 0.0

    async def read(self, most: int) -> bytes:
        """Return what has gathered, at most so many bytes; nothing at the end."""
        while True:
            await asyncio.sleep(self._pause_seconds)
            try:
                data = os.read(self._descriptor, most)
            except BlockingIOError:
                self._pause_seconds = self._look_seconds
                continue
            self._pause_seconds = 0.0 if len(data) == most else self._look_seconds
            return data

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
    look_seconds = _look_seconds(end)
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
            await asyncio.sleep(look_seconds)
