"""The cookie that keeps a browser's refresh token out of the reach of scripts.

It is sent to one path only, and only by pages of this origin (RFC 6265bis: Secure, HttpOnly, SameSite=Strict). A page
of another origin that finds a way to make the browser send it all the same is told by the header Origin.
"""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from services.user import domain

NAME = "__Secure-spotilike-refresh"
PATH = "/spotilike.user.v1.SessionService/RefreshSession"
AUTHORITY_HEADER = "x-spotilike-authority"
"""Host and port that the client asked for, as the edge saw them."""

Metadata = Iterable[tuple[str, str | bytes]]


def keep(token: str, seconds: float) -> tuple[str, str]:
    """Write the header that makes a browser keep a token for so long."""
    return ("set-cookie", f"{NAME}={token}; Path={PATH}; Max-Age={int(seconds)}; Secure; HttpOnly; SameSite=Strict")


def drop() -> tuple[str, str]:
    """Write the header that makes a browser forget the token."""
    return keep("", 0)


def read(metadata: Metadata) -> str | None:
    """Find the token that a browser sent; refused with ORIGIN_FORBIDDEN when another site made it do so."""
    headers = [(name, value) for name, value in metadata if isinstance(value, str)]
    tokens = [token for name, value in headers if name == "cookie" and (token := _token(value))]
    if not tokens:
        return None
    named = dict(headers)
    origin = urlsplit(named.get("origin", ""))
    if not origin.netloc or origin.netloc != named.get(AUTHORITY_HEADER):
        raise domain.origin_forbidden()
    return tokens[0]


def _token(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(NAME)
    except CookieError:
        return None
    return morsel.value if morsel and morsel.value else None
