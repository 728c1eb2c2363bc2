"""Private folders for masters. Those of workers that were killed are removed by the next one that starts."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "spotilike-worker-"


@contextmanager
def folder(parent: Path | None) -> Iterator[Path]:
    """Lend a folder that only this user can read and that is locked while this process lives.

    The kernel gives the lock up however the process ends, so a folder without a lock belongs to nobody.
    """
    root = parent or Path(tempfile.gettempdir())
    _remove_stale(root)
    path, lock = _make(root)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _make(root: Path) -> tuple[Path, int]:
    """Make a folder and lock it; once more when another process removed it before it was locked."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        with suppress(FileNotFoundError, BlockingIOError):
            lock = _lock(path)
            if path.exists():
                return path, lock
            os.close(lock)


def _remove_stale(root: Path) -> None:
    for path in root.glob(f"{PREFIX}*"):
        with suppress(OSError):  # in use, or another user's, or gone by now
            lock = _lock(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _lock(path: Path) -> int:
    """Lock a folder. Raises BlockingIOError when another process has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
