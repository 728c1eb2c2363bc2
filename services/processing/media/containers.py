"""What a file's own structure says before any decoder opens it: its kind, and whether its end is there.

FFmpeg plays a cut WAV or Ogg to the last byte and reports success, so these two are walked here. Only headers are read.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from

SNIFFED = 64
MAGIC = (
    ("ogg", 0, b"OggS"),
    ("flac", 0, b"fLaC"),
    ("wav", 8, b"WAVE"),
    ("aiff", 8, b"AIF"),
    ("mov", 4, b"ftyp"),
    ("matroska", 0, b"\x1a\x45\xdf\xa3"),
    ("caf", 0, b"caff"),
    ("w64", 0, b"riff\x2e\x91\xcf\x11"),
    ("mp3", 0, b"ID3"),
    ("picture", 0, b"\x89PNG"),
    ("picture", 0, b"\xff\xd8\xff"),
    ("picture", 0, b"GIF8"),
    ("picture", 0, b"BM"),
    ("picture", 8, b"WEBP"),
)
FRONT_LOADED = ("flac",)
"""Kinds that say before their sound everything that they say; behind the sound of a WAV there may be tags."""
UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # what recorders write who cannot seek back to the header

OGG_HEADER, OGG_FIRST, OGG_LAST = 27, 0x02, 0x04


@dataclass(frozen=True)
class Structure:
    """`kind` is None for bytes that begin like nothing we know; `chained` means several recordings in one Ogg.

    `complete` says whether the end is there, and is None where only decoding can tell.
    """

    kind: str | None
    size_bytes: int
    complete: bool | None = None
    chained: bool = False


def inspect(master: Path) -> Structure:
    """Look at a file's headers. Reads the whole length of an Ogg by seeking, so call it off the event loop."""
    size = master.stat().st_size
    if not size:
        return Structure(None, 0)
    with master.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        kind = kind_of(data[:SNIFFED])
        if kind == "ogg":
            return _inspect_ogg(data)
        if kind == "wav":
            return Structure(kind, size, complete=_wav_is_complete(data))
        return Structure(kind, size)


def kind_of(start: bytes) -> str | None:
    """Say what a file may be that begins so; None for bytes that begin like nothing we know."""
    return next((kind for kind, offset, magic in MAGIC if start.startswith(magic, offset)), None)


def _inspect_ogg(data: mmap.mmap) -> Structure:
    """Find whether every logical stream that begins also ends (RFC 3533, section 6), and whether all begin together."""
    open_streams: set[int] = set()
    music_began = chained = False
    for flags, serial in _ogg_pages(data):
        if flags & OGG_FIRST:
            chained |= music_began
            open_streams.add(serial)
        else:
            music_began = True
        if flags & OGG_LAST:
            open_streams.discard(serial)
    return Structure("ogg", len(data), complete=not open_streams, chained=chained)


def _ogg_pages(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield flags and serial number of every page that is whole, finding the next one where the chain is broken."""
    offset = 0
    while (offset := data.find(b"OggS", offset)) >= 0 and offset + OGG_HEADER <= len(data):
        segments = data[offset + OGG_HEADER - 1]
        body = offset + OGG_HEADER + segments
        end = body + sum(data[offset + OGG_HEADER : body])
        if end > len(data):
            return
        yield data[offset + 5], unpack_from("<I", data, offset + 14)[0]
        offset = end


def _wav_is_complete(data: mmap.mmap) -> bool:
    """Whether the data chunk ends inside the file, give or take a tenth of a second."""
    offset, bytes_a_second, long_size = 12, 0, 0
    while offset + 8 <= len(data):
        name, size = unpack_from("<4sI", data, offset)
        offset += 8
        if name == b"ds64" and offset + 16 <= len(data):
            long_size = unpack_from("<8xQ", data, offset)[0]
        elif name == b"fmt " and offset + 12 <= len(data):
            bytes_a_second = unpack_from("<8xI", data, offset)[0]
        elif name == b"data":
            expected = long_size or (0 if size in UNKNOWN_SIZES else size)
            return expected <= len(data) - offset + bytes_a_second // 10
        offset += size + size % 2
    return True
