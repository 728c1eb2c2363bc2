"""Looks for secrets where they must not be, in whatever writing."""

import base64
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote

WIDTH = 12
"""Bytes of a writing by which it is first looked up; all of it is compared then."""

_RUN = re.compile(rb"[\w%+/=.~-]{12,}")
"""Everything that a writing of a secret may be a part of: words without blanks, quotes or controls."""

Place = tuple[str, bytes]
"""A name and what stands there."""


class Search:
    """A search for many secrets at once."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Look for `secrets`, by what they are."""
        self._writings: dict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
        for name, secret in secrets.items():
            assert len(secret) >= 2 * WIDTH, f"{name} is too short to be told from chance"
            for writing in writings(secret.encode()):
                self._writings[writing[:WIDTH]].append((writing, name))

    def leaks(self, places: Iterable[Place]) -> dict[str, set[str]]:
        """Answer where which secrets were found."""
        found: dict[str, set[str]] = defaultdict(set)
        for place, content in places:
            for name in self._found(content):
                found[place].add(name)
        return dict(found)

    def _found(self, content: bytes) -> Iterator[str]:
        for match in _RUN.finditer(content):
            run = match[0]
            for start in range(len(run) - WIDTH + 1):
                for writing, name in self._writings.get(run[start : start + WIDTH], ()):
                    if run.startswith(writing, start):
                        yield name


def writings(secret: bytes) -> set[bytes]:
    """Write a secret in every way in which it could be lying about."""
    plain = {secret, quote(secret, safe="").encode(), secret.hex().encode(), secret.hex().upper().encode()}
    return plain | {
        writing for encode in (base64.b64encode, base64.urlsafe_b64encode) for writing in _inside(encode, secret)
    }


def _inside(encode: Callable[[bytes], bytes], secret: bytes) -> Iterator[bytes]:
    """Write a secret in base64 as it looks inside of something longer: three bytes become four letters together."""
    for before in range(3):
        first = -(-before * 4 // 3)
        whole = (before + len(secret)) * 8 // 6
        yield encode(bytes(before) + secret + bytes(3))[first:whole]
