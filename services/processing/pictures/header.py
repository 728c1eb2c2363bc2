"""What a picture's own headers say before any decoder opens it: its format, its size, and whether its end is there.

A decoder makes 1.6 GB of a PNG of 48 KB when it is told to, so that the sizes are read here, and nothing is unpacked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from struct import error as OutOfData  # noqa: N812 (that is what it means here)
from struct import unpack_from

from services.processing.pictures.refusals import Reason, refusal

MAX_SIDE = 8192
MAX_PIXELS = 50_000_000
MAX_DECODED_BYTES = 256 << 20

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_DEEP = 16  # bits a channel
JPEG_FRAMES = range(0xC0, 0xD0)
JPEG_TABLES = (0xC4, 0xC8, 0xCC)  # not frames, though among their markers
JPEG_KNOWN_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, by Huffman codes
JPEG_BITS = 8
JPEG_BARE = (0x01, *range(0xD0, 0xD8))  # markers without a length
JPEG_SCAN, JPEG_END = 0xDA, b"\xff\xd9"
WEBP_SIDE = 0x3FFF  # 14 bits


class Format(StrEnum):
    """What the bytes are."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"
    ANIMATED_WEBP = "ANIMATED_WEBP"


@dataclass(frozen=True)
class Header:
    """A picture that may be opened. Sizes are in pixels, before it is turned upright."""

    format: Format
    width: int
    height: int

    @property
    def side(self) -> int:
        """Side of the largest square that it holds."""
        return min(self.width, self.height)


def read_header(data: bytes) -> Header:
    """Read the headers of a whole file. Raises RefusedError."""
    try:
        if data.startswith(PNG_SIGNATURE):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
    except (OutOfData, IndexError):
        raise refusal(Reason.TRUNCATED) from None
    raise refusal(Reason.UNSUPPORTED_FORMAT)


def _png(data: bytes) -> Header:
    length, name, width, height, depth = unpack_from(">I4sIIB", data, len(PNG_SIGNATURE))
    if (length, name) != (13, b"IHDR"):
        raise refusal(Reason.CORRUPT)
    header = _checked(Format.PNG, width, height, pixel_bytes=8 if depth == PNG_DEEP else 4)
    offset = len(PNG_SIGNATURE)
    while name != b"IEND":
        length, name = unpack_from(">I4s", data, offset)
        offset += length + 12
    if offset > len(data):
        raise refusal(Reason.TRUNCATED)
    return header


def _jpeg(data: bytes) -> Header:
    header, offset, marker = None, 2, 0
    while marker != JPEG_SCAN:
        while data[offset + 1] == 0xFF:  # noqa: PLR2004 (filling before a marker)
            offset += 1
        start, marker = data[offset], data[offset + 1]
        if start != 0xFF:  # noqa: PLR2004 (what every marker begins with)
            raise refusal(Reason.CORRUPT)
        if marker in JPEG_BARE:
            offset += 2
            continue
        length, bits, height, width = unpack_from(">HBHH", data, offset + 2)
        if header is None and marker in JPEG_FRAMES and marker not in JPEG_TABLES:
            if marker not in JPEG_KNOWN_FRAMES or bits != JPEG_BITS:
                raise refusal(Reason.UNSUPPORTED_FORMAT)
            header = _checked(Format.JPEG, width, height)
        offset += 2 + length
    if header is None:
        raise refusal(Reason.CORRUPT)
    if data.find(JPEG_END, offset) < 0:  # between the scans these two bytes mean nothing else
        raise refusal(Reason.TRUNCATED)
    return header


def _webp(data: bytes) -> Header:
    end = 8 + unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise refusal(Reason.TRUNCATED)
    chunks = list(_webp_chunks(data, 12, end))
    sizes = [size for size in (_webp_size(data, name, offset) for name, offset in chunks) if size]
    if not sizes:
        raise refusal(Reason.CORRUPT)
    animated = any(name == b"ANIM" for name, _ in chunks)
    width, height = sizes[0]
    if any(wide > width or high > height for wide, high in sizes):
        raise refusal(Reason.CORRUPT)  # a frame that does not fit its canvas
    return _checked(Format.ANIMATED_WEBP if animated else Format.WEBP, width, height)


def _webp_chunks(data: bytes, offset: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield name and start of every chunk's payload, of those inside the frames of an animation too."""
    while offset + 8 <= end:
        name, size = unpack_from("<4sI", data, offset)
        yield name, offset + 8
        if name == b"ANMF":
            yield from _webp_chunks(data, offset + 8 + 16, min(offset + 8 + size, end))
        offset += 8 + size + size % 2


def _webp_size(data: bytes, name: bytes, offset: int) -> tuple[int, int] | None:
    """Read what a chunk says about the size of the canvas or of a frame."""
    if name == b"VP8X":
        return 1 + int.from_bytes(data[offset + 4 : offset + 7], "little"), 1 + int.from_bytes(
            data[offset + 7 : offset + 10], "little"
        )
    if name == b"VP8 ":
        width, height = unpack_from("<HH", data, offset + 6)
        return width & WEBP_SIDE, height & WEBP_SIDE
    if name == b"VP8L":
        bits = unpack_from("<I", data, offset + 1)[0]
        return 1 + (bits & WEBP_SIDE), 1 + (bits >> 14 & WEBP_SIDE)
    return None


def _checked(kind: Format, width: int, height: int, pixel_bytes: int = 4) -> Header:
    """Refuse a picture whose pixels would not fit."""
    if not (width and height):
        raise refusal(Reason.CORRUPT)
    pixels = width * height
    if max(width, height) > MAX_SIDE or pixels > MAX_PIXELS or pixels * pixel_bytes > MAX_DECODED_BYTES:
        raise refusal(Reason.TOO_MANY_PIXELS)
    return Header(kind, width, height)
