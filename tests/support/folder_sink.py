"""A folder that takes the pipeline's results, and remembers in which order they came."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO


@dataclass
class FolderWriter:
    """One file; it has its name only once it is whole, as in an object store."""

    sink: "FolderSink"
    name: str
    file: BinaryIO

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self.file.write(data)

    async def close(self) -> None:
        """Give the file its name."""
        self.file.close()
        Path(self.file.name).rename(self.sink.folder / self.name)
        self.sink.events.append(("close", self.name))

    async def abort(self) -> None:
        """Remove what was written, unless it was closed."""
        if not self.file.closed:
            self.file.close()
            Path(self.file.name).unlink()
            self.sink.events.append(("abort", self.name))


@dataclass
class FolderSink:
    """Writes into `folder`; `events` are pairs of what happened and the file's name."""

    folder: Path
    events: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def open(self, name: str, content_type: str, cache_control: str) -> FolderWriter:
        """Begin a file."""
        self.headers[name] = (content_type, cache_control)
        self.events.append(("open", name))
        return FolderWriter(self, name, (self.folder / f"{name}.part").open("wb"))

    async def put(self, name: str, data: bytes, content_type: str, cache_control: str) -> None:
        """Write a small file."""
        self.headers[name] = (content_type, cache_control)
        (self.folder / name).write_bytes(data)
        self.events.append(("put", name))
