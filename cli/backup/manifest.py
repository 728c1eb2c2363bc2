"""What a backup consists of, with the checksum of every file."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cli.engines.secret_files import write_private
from cli.problem import Problem

FORMAT = 1
_NAME = "manifest.json"
_PIECE = 1 << 20


@dataclass(frozen=True)
class File:
    """A file of the backup."""

    size: int
    sha256: str


@dataclass(frozen=True)
class StoredObject:
    """An object of the store, whose content is a file of the backup."""

    bucket: str
    key: str
    etag: str
    content_type: str
    cache_control: str

    @property
    def path(self) -> str:
        """Return where in the backup its content is."""
        return f"objects/{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Dump:
    """One database."""

    path: str
    revision: str
    """Of the schema."""
    rows: dict[str, int]
    """How many each table has."""


@dataclass(frozen=True)
class Manifest:
    """Everything that belongs to a backup."""

    taken_at: str
    """When the databases were as they are in it, in ISO 8601."""
    postgres: str
    dumps: dict[str, Dump] = field(default_factory=dict)
    objects: list[StoredObject] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    """Every file by its path, objects and dumps as well."""
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """Read the manifest of a folder; None when it holds no backup."""
        file = folder / _NAME
        if not file.exists():
            return None
        known = json.loads(file.read_text())
        if known["format"] != FORMAT:
            raise Problem(f"{file} was written by another version of Spotilike: use that one.")
        known["dumps"] = {context: Dump(**dump) for context, dump in known["dumps"].items()}
        known["objects"] = [StoredObject(**each) for each in known["objects"]]
        known["files"] = {path: File(**each) for path, each in known["files"].items()}
        return cls(**known)

    def write(self, folder: Path) -> None:
        """Put it into a folder, which from then on is this backup."""
        write_private(folder / _NAME, json.dumps(asdict(self), indent=1))

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.files.values())

    def damaged(self, folder: Path) -> Iterator[str]:
        """Read every file again, and name those that are missing or are not what they were."""
        for path, known in self.files.items():
            file = folder / path
            if not file.is_file() or describe(file) != known:
                yield path


def describe(file: Path) -> File:
    """Read a file for its length and checksum."""
    digest = hashlib.sha256()
    size = 0
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return File(size, digest.hexdigest())
