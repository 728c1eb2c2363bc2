"""The cookie that keeps a browser's refresh token out of the reach of scripts.

It is sent to one path only, and only by pages of this origin (RFC 6265bis: Secure, HttpOnly, SameSite=Strict). A page
of another origin that finds a way to make the browser send it, or take one, all the same is told by the header Origin.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from services.user import domain

NAME = "__Secure-spotilike-refresh"
PATH = "/spotilike.user.v1.SessionService/RefreshSession"
AUTHORITY_HEADER = "x-spotilike-authority"
"""Host and port that the client asked for, as the edge saw them."""


class Cookies:
    """The cookies of one installation."""

    def __init__(self, scheme: str) -> None:
        """Trust pages that came by `scheme`, `http` or `https`."""
        self._scheme = scheme

    def read(self, metadata: Iterable[tuple[str, Any]]) -> str | None:
        """Find the token that a browser sent; refused with ORIGIN_FORBIDDEN when another site made it do so."""
        headers = list(metadata)
        tokens = [token for name, value in headers if name == "cookie" for token in _tokens(value)]
        if not tokens:
            return None
        self.check_origin(headers)
        return tokens[0]

    def check_origin(self, metadata: Iterable[tuple[str, Any]]) -> None:
        """Pass pages of the origin at which they call; others are refused with ORIGIN_FORBIDDEN."""
        named = dict(metadata)
        authority = named.get(AUTHORITY_HEADER)
        if not authority or named.get("origin") != f"{self._scheme}://{authority}":
            raise domain.origin_forbidden()


def keep(token: str, seconds: float) -> tuple[str, str]:
    """Write the header that makes a browser keep a token for so long."""
    return ("set-cookie", f"{NAME}={token}; Path={PATH}; Max-Age={int(seconds)}; Secure; HttpOnly; SameSite=Strict")


def drop() -> tuple[str, str]:
    """Write the header that makes a browser forget the token."""
    return keep("", 0)


def _tokens(header: str) -> Iterator[str]:
    """Find the token among all cookies of a host, whatever the others look like."""
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == NAME and value:
            yield value
