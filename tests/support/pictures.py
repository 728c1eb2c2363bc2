"""Pictures for tests, drawn here: ordinary ones by FFmpeg, odd ones byte by byte. And the way back, for comparison."""

import random
import struct
import subprocess
import zlib
from collections.abc import Iterable

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Rows by columns by red, green and blue."""

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIZE_CODES = {0: "00", 10: "01", 11: "10"}
"""Huffman codes of a difference's length in bits: of none, of full and of no ink."""
QUARTERS = "color=red:s={w}x{h}[a];color=lime:s={w}x{h}[b];color=blue:s={w}x{h}[c];color=white:s={w}x{h}[d]"


def drawn(ending: str, width: int = 400, height: int = 400, *arguments: str) -> bytes:
    """Draw four quarters, red and green above, blue and white below; the ending chooses the format."""
    colors = QUARTERS.format(w=width // 2, h=height // 2)
    graph = f"{colors};[a][b]hstack[above];[c][d]hstack[below];[above][below]vstack"
    return _ffmpeg("-filter_complex", graph, "-frames:v", "1", *_written(ending), *arguments)


def plain(ending: str, width: int, height: int, *arguments: str) -> bytes:
    """Paint one colour on any size."""
    return _ffmpeg(
        "-f", "lavfi", "-i", f"color=red:s={width}x{height}", "-frames:v", "1", *_written(ending), *arguments
    )


def animated(ending: str) -> bytes:
    """Draw an animation that begins red and goes on blue, as APNG or WebP."""
    graph = "color=red:s=100x100:r=1:d=1[a];color=blue:s=100x100:r=1:d=1[b];[a][b]concat=n=2:v=1"
    form = {"png": ("-f", "apng", "-plays", "0"), "webp": ("-c:v", "libwebp_anim", "-lossless", "1", "-f", "webp")}
    return _ffmpeg("-filter_complex", graph, *form[ending])


def png(width: int, height: int, rows: bytes, *extra: bytes, depth: int = 8, color: int = 0) -> bytes:
    """Write a PNG by hand: `rows` are compressed already, `extra` are chunks before them."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"".join([PNG_SIGNATURE, header, *extra, _chunk(b"IDAT", rows), _chunk(b"IEND", b"")])


def png_bomb(side: int = 20_000) -> bytes:
    """Write a PNG of a few KB whose pixels would fill the memory."""
    return png(side, side, _zeros(side * (side // 8 + 1)), depth=1)


def text_bomb(length: int = 1 << 30) -> bytes:
    """Write a small picture with a comment that unpacks to `length` bytes."""
    comment = _chunk(b"zTXt", b"Comment\0\0" + _zeros(length))
    return png(8, 8, zlib.compress(bytes(8 * 9)), comment)


def cmyk_jpeg(width: int = 64, height: int = 64, inks: tuple[int, int, int, int] = (255, 255, 0, 255)) -> bytes:
    """Write a JPEG of four inks by hand, yellow unless told otherwise; as Adobe does, 255 is no ink."""
    flat = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    adobe = b"\xff\xee" + struct.pack(">H5sHHHB", 14, b"Adobe", 100, 0, 0, 0)
    parts = b"".join(bytes([number, 0x11, 0]) for number in range(1, 5))
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 8 + 3 * 4, 8, height, width, 4) + parts
    dc = bytes([0, len(SIZE_CODES), *[0] * 14, *SIZE_CODES])
    ac = bytes([1, *[0] * 15, 0])  # nothing but the end of a block
    tables = b"".join(
        b"\xff\xc4" + struct.pack(">HB", 3 + len(table), kind) + table for kind, table in ((0x00, dc), (0x10, ac))
    )
    blocks = -(-width // 8) * -(-height // 8)
    scans = b"".join(_scan(number, 8 * (ink - 128), blocks) for number, ink in enumerate(inks, 1))
    return b"\xff\xd8" + adobe + flat + frame + tables + scans + b"\xff\xd9"


def turned(jpeg: bytes, orientation: int, comment: bytes = b"") -> bytes:
    """Say in a JPEG's EXIF how to turn it, and whatever else."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0) + comment
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def second_frame(jpeg: bytes, width: int, height: int) -> bytes:
    """Say the size of a JPEG a second time, and differently."""
    start = jpeg.index(b"\xff\xc0")
    end = start + 2 + struct.unpack_from(">H", jpeg, start + 2)[0]
    frame = jpeg[start : start + 5] + struct.pack(">HH", height, width) + jpeg[start + 9 : end]
    return jpeg[:end] + frame + jpeg[end:]


def mutant(picture: bytes, seed: int) -> bytes:
    """Damage some bytes of a picture; the same seed always does the same."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    data = bytearray(picture)
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.choice((len(data), chance.randrange(1, len(data))))])


def pixels(image: bytes) -> Pixels:
    """Decode an image, a square."""
    raw = _ffmpeg("-f", "image2pipe", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "rgb24", stdin=image)
    side = round((len(raw) / 3) ** 0.5)
    return np.frombuffer(raw, np.uint8).reshape(side, side, 3)


def corners(image: bytes) -> list[str]:
    """Name the colours in the middle of the quarters, row by row."""
    square = pixels(image)
    quarter = len(square) // 4
    return [color(square[y, x]) for y in (quarter, -quarter) for x in (quarter, -quarter)]


def color(pixel: Iterable[int]) -> str:
    """Name the colour of a pixel, by which of its parts are bright."""
    names = {
        (1, 0, 0): "red",
        (0, 1, 0): "green",
        (0, 0, 1): "blue",
        (1, 1, 0): "yellow",
        (1, 1, 1): "white",
        (0, 0, 0): "black",
    }
    return names[tuple(int(part > 127) for part in pixel)]  # type: ignore[index]  # three parts


def _written(ending: str) -> list[str]:
    codecs = {"png": "png", "jpg": "mjpeg", "webp": "libwebp"}
    return ["-c:v", codecs[ending], "-f", "image2pipe"]


def _ffmpeg(*arguments: str, stdin: bytes = b"") -> bytes:
    command = [FFMPEG, "-hide_banner", "-loglevel", "error", *arguments, "pipe:1"]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - our own words


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _zeros(length: int) -> bytes:
    """Compress so many zero bytes."""
    packer = zlib.compressobj(9)
    piece = bytes(1 << 20)
    packed = [packer.compress(piece[: min(len(piece), length - start)]) for start in range(0, length, len(piece))]
    return b"".join([*packed, packer.flush()])


def _scan(number: int, value: int, blocks: int) -> bytes:
    """Code one component: the first block has the value, all others say that nothing changes."""
    size = abs(value).bit_length()
    code = value if value > 0 else value + (1 << size) - 1
    end = "0"
    bits = f"{SIZE_CODES[size]}{code:0{size}b}{end}" + f"{SIZE_CODES[0]}{end}" * (blocks - 1)
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, number, 0x00, 0, 63, 0) + data
