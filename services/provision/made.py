"""Secrets that are made once and kept: whoever asks again for a name gets the same value."""

import base64
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import nkeys


class Made(ABC):
    """The secrets of one installation, each made when it is first asked for."""

    @abstractmethod
    def once(self, name: str, make: Callable[[], str]) -> str:
        """Return what is kept under this name; `make` makes it when there is nothing."""

    def password(self, name: str) -> str:
        """Return the secret of this name: 256 bits, URL-safe, so that it fits into a connection string as it is."""
        return self.once(name, lambda: secrets.token_urlsafe(32))

    def fernet_key(self, name: str) -> str:
        """Return the Fernet key of this name (32 bytes, URL-safe base64 with padding)."""
        return self.once(name, lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())

    def nkey_seed(self, name: str) -> str:
        """Return the seed of this name, the private half of an nkey of NATS."""
        return self.once(name, new_seed)


class MadeBefore(Made):
    """Goes on with the secrets of an earlier time."""

    def __init__(self, kept: Mapping[str, str]) -> None:
        self.new: dict[str, str] = {}
        """What was not there before."""
        self._kept = kept

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Return what is kept under this name; `make` makes it when there is nothing."""
        if name in self._kept:
            return self._kept[name]
        if name not in self.new:
            self.new[name] = make()
        return self.new[name]


def new_seed() -> str:
    """Make the seed of a new nkey."""
    return str(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode())
