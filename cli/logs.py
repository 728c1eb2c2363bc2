"""`logs`: what the parts wrote, the last lines first and then, if asked, what comes."""

import os
import time
from pathlib import Path

import typer

from cli.engines.data import DataFolder
from cli.engines.parts import is_one_of
from cli.problem import Problem

_SHOWN_LINES = 50
_POLL_SECONDS = 0.2
_TAIL_BYTES = 64 << 10


def logs(data: DataFolder, name: str | None, *, follow: bool) -> None:
    """Print the last lines of one part, of those that share a name, or of all; names stand in front of several."""
    files = sorted(data.logs.glob("*.log"))
    names = [file.stem for file in files]
    if name is not None:
        files = [file for file in files if is_one_of(file.stem, name)]
        if not files:
            known = ", ".join(names) or "none yet"
            raise Problem(f"There is no log of {name} in {data.logs}. There are: {known}.")
    width = max((len(file.stem) for file in files), default=0)
    followed = [_LogFile(file, "" if len(files) == 1 else f"{file.stem:<{width}} | ") for file in files]
    for log in followed:
        log.show_last(_SHOWN_LINES)
    while follow:
        time.sleep(_POLL_SECONDS)
        for log in followed:
            log.show_new()


class _LogFile:
    """One log file, followed through its rotations."""

    def __init__(self, file: Path, prefix: str) -> None:
        self._file = file
        self._prefix = prefix
        self._stream = file.open("rb")

    def show_last(self, count: int) -> None:
        """Print the last lines."""
        end = self._stream.seek(0, 2)
        self._stream.seek(max(0, end - _TAIL_BYTES))
        self._show(self._stream.read().splitlines()[-count:])

    def show_new(self) -> None:
        """Print what was written since."""
        self._show(self._stream.read().splitlines())
        if self._file.exists() and self._file.stat().st_ino != self._inode():
            self._stream.close()
            self._stream = self._file.open("rb")

    def _inode(self) -> int:
        return os.fstat(self._stream.fileno()).st_ino

    def _show(self, lines: list[bytes]) -> None:
        for line in lines:
            typer.echo(f"{self._prefix}{line.decode(errors='replace')}")
