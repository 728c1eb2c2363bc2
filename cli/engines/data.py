"""The data folder: everything which one installation of Spotilike keeps on this machine."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cli.problem import Problem

ROOT = Path(__file__).resolve().parents[2]
"""The checkout this command was started from."""

MINIMUM_FREE_BYTES = 1 << 30
"""PostgreSQL's log, JetStream and SeaweedFS each reserve space at their first start; below this they stop half-way."""

_LONGEST_SOCKET_PATH = 100
"""A Unix socket's path holds 107 bytes (unix(7)); SeaweedFS appends a suffix of its own to some."""


class DataFolder:
    """Paths inside the data folder, its lock and the checks made before anything is started in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self.tls = self.path / "tls"
        self.secrets = self.path / "secrets"
        self.scratch = self.path / "scratch"
        self.mail = self.path / "mail"
        self.ports = self.path / "ports.json"

    def make(self) -> None:
        """Create the folder, readable by its owner only, or raise `Problem` when it cannot be written."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.logs, self.tls, self.secrets, self.scratch):
                folder.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise Problem(f"The disk which holds {self.path} is full: free some space and try again.") from error
            raise Problem(
                f"The data folder {self.path} cannot be written ({error.strerror}): "
                "choose another with --data DIR or change its permissions."
            ) from error
        free = shutil.disk_usage(self.path).free
        if free < MINIMUM_FREE_BYTES:
            raise Problem(
                f"Only {free >> 20} MB are free on the disk which holds {self.path}: "
                f"Spotilike needs at least {MINIMUM_FREE_BYTES >> 20} MB."
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process, or raise `BlockingIOError` when another process runs in it."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            os.close(descriptor)

    def is_locked(self) -> bool:
        """Tell whether a supervisor runs in this folder (also while it starts or stops)."""
        try:
            with (self.path / "lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def holder(self) -> int:
        """Return the process id of the supervisor which holds the folder."""
        return int((self.path / "lock").read_text())

    def socket(self, name: str) -> Path:
        """Return the path of a Unix socket, outside the data folder when its own path is too long for one."""
        near = self.path / "run"
        folder = near if len(os.fsencode(near / name)) <= _LONGEST_SOCKET_PATH else self._short_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / name

    def _short_folder(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        folder = Path("/tmp") / f"spotilike-{os.geteuid()}-{digest}"  # noqa: S108 - ownership is checked below
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if folder.is_symlink() or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise Problem(f"{folder} belongs to somebody else: remove it or choose a shorter path with --data DIR.")
        return folder
