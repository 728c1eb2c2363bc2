"""Secrets: made once per data folder, one file of mode 0600 each."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from services.provision.made import Made


def write_private(file: Path, text: str) -> None:
    """Write a file which only its owner can read, whole or not at all."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)


class SecretFiles(Made):
    """The folder of secrets: `made/` holds what was invented here, `<process>/` what each process may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def for_process(self, process: str, values: Mapping[str, str]) -> Path:
        """Write the settings of one process as files and return their folder, its SPOTILIKE_SECRETS_DIR."""
        folder = self._folder / process
        for name, value in values.items():
            write_private(folder / name.lower(), value)
        return folder

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Return what is kept under this name; `make` makes it when there is nothing."""
        file = self._folder / "made" / name
        if not file.exists():
            write_private(file, make())
        return file.read_text()
