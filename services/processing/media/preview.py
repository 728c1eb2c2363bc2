"""What the artist hears while the master is being encoded: one rendition in pieces, and a playlist that grows."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.common.buckets import PREVIEWS
from services.processing.media.cmaf import Fragment, Header
from services.processing.media.playlists import Piece, Segment, growing_playlist
from services.processing.media.sink import MEDIA_TYPE, PLAYLIST_TYPE, TRANSIENT, Sink

PLAYLIST = "preview.m3u8"
PIECE_SECONDS = 2.0
"""How often a piece is written, at most: an encoder is many times faster than music, and a piece costs two writes."""


def uri(folder: str, name: str = PLAYLIST) -> str:
    """Answer the path at the edge of a file that the artist may see or hear."""
    return f"/{PREVIEWS}/{folder}/{name}"


@dataclass
class Preview:
    """One preview. `audible` hears that it can be played, with every piece until it answers that it took note."""

    sink: Sink
    fragment_seconds: int
    audible: Callable[[], Awaitable[bool]]
    header: bytes = b""
    pieces: list[Piece] = field(default_factory=list)
    waiting: bytearray = field(default_factory=bytearray)
    segments: list[Segment] = field(default_factory=list)
    written_at: float = 0.0
    is_known: bool = False

    async def begin(self, header: Header) -> None:
        """Hear the header, which comes before all fragments."""
        self.header = header.data

    async def add(self, fragment: Fragment, segment: Segment) -> None:
        """Take a fragment; the first one can be heard at once, others a little later, several of them together."""
        self.waiting += fragment.data
        self.segments.append(segment)
        if not self.pieces or asyncio.get_running_loop().time() - self.written_at >= PIECE_SECONDS:
            await self._write(is_over=False)

    async def end(self) -> None:
        """Write what waits, and say that nothing follows."""
        if self.pieces or self.segments:
            await self._write(is_over=True)

    async def _write(self, *, is_over: bool) -> None:
        """Write a piece, then the playlist that names it."""
        if self.segments:
            start = 0 if self.pieces else len(self.header)
            piece = Piece(f"preview-{len(self.pieces)}.mp4", start, tuple(self.segments))
            data = self.header[:start] + bytes(self.waiting)
            await self.sink.put(piece.media, data, MEDIA_TYPE, TRANSIENT)
            self.pieces.append(piece)
            self.waiting.clear()
            self.segments.clear()
        playlist = growing_playlist(len(self.header), self.pieces, self.fragment_seconds, is_over=is_over)
        await self.sink.put(PLAYLIST, playlist.encode(), PLAYLIST_TYPE, TRANSIENT)
        self.written_at = asyncio.get_running_loop().time()
        self.is_known = self.is_known or await self.audible()
