"""Reads FFmpeg's fragmented MP4 from a pipe, box by box (ISO/IEC 14496-12)."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from struct import Struct, unpack, unpack_from

from services.processing.pipes import Pipe

BOX = Struct(">I4s")
MAX_BOX = 32 << 20  # four seconds of the widest lossless audio are a seventh of it

TFHD_BASE_OFFSET, TFHD_DESCRIPTION, TFHD_DURATION = 0x01, 0x02, 0x08
TRUN_DATA_OFFSET, TRUN_FIRST_FLAGS, TRUN_DURATION = 0x001, 0x004, 0x100
TRUN_FIELDS = (TRUN_DURATION, 0x200, 0x400, 0x800)


class BrokenStreamError(Exception):
    """The bytes are not the fragmented MP4 that FFmpeg was asked for."""


@dataclass(frozen=True)
class Header:
    """`ftyp` and `moov`. Priming is counted in units of the timescale, which for audio is the sample rate."""

    data: bytes
    timescale: int
    priming: int


@dataclass(frozen=True)
class Fragment:
    """One `moof` with its `mdat`, in bytes and units of the timescale."""

    data: bytes
    duration: int


async def read_header(reader: Pipe) -> Header | None:
    """Read up to and including `moov`; None when the stream ends before it. Raises BrokenStreamError."""
    data = b""
    while box := await _read_box(reader):
        kind, head, content = box
        data += head + content
        if kind == b"moov":
            timescale = unpack_from(">I", _find(content, b"trak/mdia/mdhd"), 12)[0]
            return Header(data, timescale, _priming(content))
    return None


async def read_fragments(reader: Pipe) -> AsyncIterator[Fragment]:
    """Yield the whole fragments until the stream ends. Raises BrokenStreamError."""
    moof, duration = b"", 0
    while box := await _read_box(reader):
        kind, head, content = box
        if kind == b"moof":
            moof, duration = head + content, _duration(content)
        elif kind == b"mdat":
            yield Fragment(b"".join((moof, head, content)), duration)


async def _read_box(reader: Pipe) -> tuple[bytes, bytes, bytes] | None:
    """Read a box: its name, its size and name as they are, and its content."""
    try:
        head = await reader.read_exactly(BOX.size)
        size, kind = BOX.unpack(head)
        if not BOX.size <= size <= MAX_BOX:
            raise BrokenStreamError(f"A box of {size} bytes")
        return kind, head, await reader.read_exactly(size - BOX.size)
    except EOFError:
        return None


def _find(data: bytes, path: bytes) -> bytes:
    """Return the content of the box at this path, without its own header. Raises BrokenStreamError."""
    for name in path.split(b"/"):
        found = next((content for kind, content in _boxes(data) if kind == name), None)
        if found is None:
            raise BrokenStreamError(f"No {name!r} box")
        data = found
    return data


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = 0
    while offset + BOX.size <= len(data):
        size, kind = BOX.unpack_from(data, offset)
        if size < BOX.size:
            raise BrokenStreamError(f"A box of {size} bytes")
        yield kind, data[offset + BOX.size : offset + size]
        offset += size


def _priming(moov: bytes) -> int:
    """Return the start of the edit list, which is what an encoder put before the sound."""
    try:
        return int(unpack_from(">i", _find(moov, b"trak/edts/elst"), 12)[0])
    except BrokenStreamError:
        return 0


def _duration(moof: bytes) -> int:
    """Sum up the durations of the packets of one fragment."""
    traf = _find(moof, b"traf")
    tfhd, trun = _find(traf, b"tfhd"), _find(traf, b"trun")
    flags, count = unpack(">II", trun[:8])
    flags &= 0xFFFFFF
    if not flags & TRUN_DURATION:
        return int(count * _default_duration(tfhd))
    start = 8 + 4 * bool(flags & TRUN_DATA_OFFSET) + 4 * bool(flags & TRUN_FIRST_FLAGS)
    fields = sum(1 for field in TRUN_FIELDS if flags & field)
    return sum(unpack_from(f">{count * fields}I", trun, start)[::fields])


def _default_duration(tfhd: bytes) -> int:
    flags = unpack(">I", tfhd[:4])[0] & 0xFFFFFF
    if not flags & TFHD_DURATION:
        raise BrokenStreamError("A fragment without durations")
    offset = 8 + 8 * bool(flags & TFHD_BASE_OFFSET) + 4 * bool(flags & TFHD_DESCRIPTION)
    return int(unpack_from(">I", tfhd, offset)[0])
