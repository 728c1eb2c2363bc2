"""Secrets: made once per data folder, one file of mode 0600 each."""

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Write a file which only its owner can read, whole or not at all."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)


class SecretFiles:
    """The folder of secrets: `made/` holds what was invented here, `<process>/` what each process may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def password(self, name: str) -> str:
        """Return the secret of this name: 256 bits, URL-safe, so that it fits into a connection string as it is."""
        return self._made(name, lambda: secrets.token_urlsafe(32))

    def fernet_key(self, name: str) -> str:
        """Return the Fernet key of this name (32 bytes, URL-safe base64 with padding)."""
        return self._made(name, lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())

    def for_process(self, process: str, values: Mapping[str, str]) -> Path:
        """Write the settings of one process as files and return their folder, its SPOTILIKE_SECRETS_DIR."""
        folder = self._folder / process
        for name, value in values.items():
            write_private(folder / name.lower(), value)
        return folder

    def _made(self, name: str, make: Callable[[], str]) -> str:
        file = self._folder / "made" / name
        if not file.exists():
            write_private(file, make())
        return file.read_text()
