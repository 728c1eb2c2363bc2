"""Log files of the parts: one per part, rotated, and short memories for failure messages."""

import collections
import os
from pathlib import Path

_ROTATE_BYTES = 10 << 20
_KEPT_FILES = 3
_REMEMBERED_LINES = 20


class PartLog:
    """Appends lines to `<folder>/<name>.log`; full files move to `.log.1` … `.log.3`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / f"{name}.log"
        self._stream = self._file.open("ab", buffering=0)
        self._size = self._file.stat().st_size
        self.last_lines: collections.deque[str] = collections.deque(maxlen=_REMEMBERED_LINES)

    def write(self, line: bytes) -> None:
        """Append one line. A full disk loses log lines and stops nothing."""
        self.last_lines.append(line.decode(errors="replace").rstrip())
        try:
            self._size += self._stream.write(line)
            if self._size > _ROTATE_BYTES:
                self._rotate()
        except OSError:
            return

    def tail(self) -> str:
        """Return the last lines, indented, to stand under the sentence which says what failed."""
        return os.linesep.join(f"    {line}" for line in self.last_lines)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _rotate(self) -> None:
        self._stream.close()
        for number in range(_KEPT_FILES, 0, -1):
            older = self._file.with_name(f"{self._file.name}.{number}")
            newer = self._file.with_name(f"{self._file.name}.{number - 1}") if number > 1 else self._file
            if newer.exists():
                newer.replace(older)
        self._stream = self._file.open("ab", buffering=0)
        self._size = 0
