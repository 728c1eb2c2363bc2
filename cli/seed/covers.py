"""Paints the pictures of the demo: rings of water in two colours, chosen by the name."""

import colorsys
import struct
import zlib

import numpy as np

_SIDE = 1500
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _BITS = 2, 8


def cover(name: str) -> bytes:
    """Return a square picture as PNG; the same name always looks the same."""
    chance = np.random.default_rng(list(name.encode()))
    hue = chance.random()
    light = np.array(colorsys.hls_to_rgb(hue, 0.72, 0.55))
    dark = np.array(colorsys.hls_to_rgb((hue + chance.uniform(0.25, 0.45)) % 1, 0.22, 0.6))
    y, x = np.mgrid[0 : 1 : _SIDE * 1j, 0 : 1 : _SIDE * 1j]
    rings = np.zeros((_SIDE, _SIDE))
    for _ in range(3):
        distance = np.hypot(x - chance.uniform(-0.1, 1.1), y - chance.uniform(-0.1, 1.1))
        rings += np.cos(2 * np.pi * chance.uniform(4, 9) * distance) * np.exp(-1.5 * distance)
    share = np.clip(0.55 * (1 - y) + 0.2 + 0.15 * rings, 0, 1)[..., None]
    return _png(np.rint(255 * (share * light + (1 - share) * dark)).astype(np.uint8))


def _png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Write rows of red, green and blue as PNG, each row after a byte that says it is as it is."""
    height, width, _ = pixels.shape
    rows = np.concatenate((np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)), axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, _BITS, _RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return _PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
