"""Pages of lists (AIP-158): opaque tokens over a keyset, bound to the arguments of the list."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from services.common import errors
from spotilike.internal.v1.page_token_pb2 import PageToken

DEFAULT_SIZE = 50
LARGEST_SIZE = 200
VERSION = 1

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list."""

    rows: Sequence[Row]
    next_token: str
    """Empty on the last page."""


class PageRequest:
    """Which page of which list is asked for."""

    def __init__(self, request: Message) -> None:
        """Read `page_size` and `page_token` of a List request; a token of another list is refused."""
        fields: Any = request
        self.size = min(fields.page_size or DEFAULT_SIZE, LARGEST_SIZE)
        self._arguments_hash = _arguments_hash(request)
        self.after: tuple[str, ...] | None = None
        """Keyset of the last row of the page before; None on the first page."""
        if fields.page_token:
            self.after = self._read(fields.page_token)

    @property
    def limit(self) -> int:
        """How many rows to select: one more than the page holds, to learn whether there is a next one."""
        return self.size + 1

    def keyset(self, *readers: Callable[[str], Any]) -> tuple[Any, ...] | None:
        """Read the sort key after which the page begins, a reader for each column; None on the first page."""
        if self.after is None:
            return None
        try:
            return tuple(reader(text) for reader, text in zip(readers, self.after, strict=True))
        except ValueError as forged:
            raise _invalid() from forged

    def page(self, rows: Sequence[Row], keyset: Callable[[Row], Sequence[object]]) -> Page[Row]:
        """Cut what was selected into the page; `keyset` gives the sort key of a row."""
        if len(rows) <= self.size:
            return Page(rows, "")
        kept = rows[: self.size]
        token = PageToken(
            version=VERSION,
            arguments_hash=self._arguments_hash,
            keyset=[str(value) for value in keyset(kept[-1])],
        )
        return Page(kept, base64.urlsafe_b64encode(token.SerializeToString()).decode().rstrip("="))

    def _read(self, text: str) -> tuple[str, ...]:
        try:
            token = PageToken.FromString(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, DecodeError, ValueError) as damaged:
            raise _invalid() from damaged
        if token.version != VERSION or token.arguments_hash != self._arguments_hash:
            raise _invalid()
        return tuple(token.keyset)


def _arguments_hash(request: Message) -> bytes:
    arguments = type(request)()
    arguments.CopyFrom(request)
    arguments.ClearField("page_size")
    arguments.ClearField("page_token")
    name = request.DESCRIPTOR.full_name.encode()
    return hashlib.sha256(name + b"\0" + arguments.SerializeToString(deterministic=True)).digest()[:16]


def _invalid() -> errors.InvalidArgument:
    return errors.InvalidArgument(
        "PAGE_TOKEN_INVALID", "This page token does not belong to this list. Start again without one."
    )
