"""What the edge answers by itself: the player's built files and the description of the API."""

import base64
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy import security
from envoy.headers import headers

HASHED = "public, max-age=31536000, immutable"
"""Vite writes a hash into the names under assets/: another content has another name."""
FRESH = "no-cache"

_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}
"""What Python's table lacks or names in the old way."""


@dataclass(frozen=True)
class Page:
    """One file that the edge answers from memory."""

    path: str
    content: bytes
    content_type: str
    cache_control: str

    def route(self, match: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write the route that answers the page at its path, or at what `match` says."""
        chosen = dict(match or {"path": self.path})
        chosen["headers"] = [_READING, *chosen.get("headers", [])]
        answered = security.PAGE | {"content-type": self.content_type, "cache-control": self.cache_control}
        return {
            "name": "page",
            "match": chosen,
            "direct_response": {"status": 200, "body": {"inline_bytes": base64.b64encode(self.content).decode()}},
            "response_headers_to_add": headers(answered),
        }


_READING = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
_NAVIGATION = {
    # A page of the player: no file name, not below the API or the store, and asked for by a browser's address bar.
    "safe_regex": {"regex": r"/[^.]*"},
    "headers": [{"name": "accept", "string_match": {"contains": "text/html"}}],
}


def web_pages(root: Path) -> list[Page]:
    """Read the built player; a folder that is not there has no pages."""
    return [_page(root, file) for file in sorted(root.rglob("*")) if file.is_file()]


def openapi_page(file: Path) -> Page:
    """Read the description of the API."""
    return Page("/openapi.json", file.read_bytes(), "application/json", FRESH)


def page_routes(pages: list[Page]) -> list[dict[str, Any]]:
    """Route every page; the player's own addresses get its index, which shows them."""
    return list(_routes(pages))


def _routes(pages: list[Page]) -> Iterator[dict[str, Any]]:
    for page in pages:
        yield page.route()
        if page.path == "/index.html":
            yield page.route({"path": "/"})
    index = next((page for page in pages if page.path == "/index.html"), None)
    yield {"name": "unknown", "match": {"prefix": "/v1/"}, "direct_response": {"status": 404}}
    if index:
        yield index.route(_NAVIGATION)


def _page(root: Path, file: Path) -> Page:
    path = f"/{file.relative_to(root).as_posix()}"
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if kind.startswith("text/") else ""
    return Page(path, file.read_bytes(), kind + charset, HASHED if path.startswith("/assets/") else FRESH)
