"""Brings uploaded files from the object store to the worker's disk and makes sure that they arrived whole."""

import asyncio
import errno
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from services.common.storage import Missing, Storage
from services.common.tasks import end
from services.processing.domain import Failure, RefusedError, Source
from services.processing.media.master import HEAD_BYTES, Master, is_streamable
from services.processing.media.refusals import MESSAGES, Reason

SOURCE_MISSING = "SOURCE_MISSING"
GENTLE_BYTES, GENTLE_BYTES_A_SECOND = 64 << 20, 32 << 20
"""What comes first comes no faster than this: many times what an encoder takes, and few enough to let it start."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NoRoomError(Exception):
    """The worker's disk is full. It is not the file's fault, and there may be room later, or elsewhere."""


@dataclass
class Copy:
    """Keeps and hashes what passes, in a thread; of what is encoded meanwhile, the first part at a gentle pace."""

    file: BinaryIO
    digest: Any = field(default_factory=hashlib.sha256)
    length: int = 0
    is_streamed: bool = False

    def write(self, piece: bytes) -> None:
        """Take a piece; after a cancelled download the closed file refuses it, which ends the reading thread."""
        if not self.length:
            self.is_streamed = is_streamable(piece)
        elif self.is_streamed and HEAD_BYTES < self.length < GENTLE_BYTES:
            time.sleep(len(piece) / GENTLE_BYTES_A_SECOND)
        self.file.write(piece)
        self.digest.update(piece)
        self.length += len(piece)


async def fetch(storage: Storage, source: Source, path: Path) -> None:
    """Download a file to `path`. Raises RefusedError, NoRoomError, and ConnectionError while the store is away.

    A file of another length than announced is a broken transfer, which may go better next time. One of the right
    length with another hash is read a second time, so that the word for it is certain, and then refused for good. If
    only the first reading was wrong, it may have been used already, and the whole work is tried again.
    """
    if await _digest(storage, source, path) == source.sha256 or source.sha256 is None:
        return
    was_transfer = await _digest(storage, source, path.with_name("again")) == source.sha256
    raise RefusedError(Failure(Reason.CHECKSUM_MISMATCH, MESSAGES[Reason.CHECKSUM_MISMATCH], transient=was_transfer))


@asynccontextmanager
async def arriving(storage: Storage, source: Source, path: Path) -> AsyncIterator[Master]:
    """Lend a master while it is downloaded to `path`; whoever needs all of it waits for that."""
    task = asyncio.create_task(fetch(storage, source, path))
    try:
        yield Master(path, task)
    finally:
        await end(task)


async def _digest(storage: Storage, source: Source, path: Path) -> str:
    """Download once; answers the SHA-256 in hexadecimal."""
    with path.open("wb") as file:
        copy = Copy(file)
        try:
            length = await storage.download(source.source_bucket, source.source_key, copy.write)
        except Missing:
            message = "The uploaded file is not there any more. Upload it again."
            raise RefusedError(Failure(SOURCE_MISSING, message, transient=True)) from None
        except OSError as error:
            if error.errno in NO_ROOM:
                raise NoRoomError(str(error)) from error
            raise
    if length != source.size_bytes:
        log = f"{length} bytes of {source.size_bytes} arrived."
        failure = Failure(Reason.CHECKSUM_MISMATCH, MESSAGES[Reason.CHECKSUM_MISMATCH], log, transient=True)
        raise RefusedError(failure)
    digest: str = copy.digest.hexdigest()
    return digest
