"""Pictures that are not taken, and how that is said."""

import asyncio
import struct
import time
import zlib

import pytest

from services.processing.domain import RefusedError
from services.processing.pictures.header import MAX_SIDE, read_header
from services.processing.pictures.refusals import MESSAGES, Reason
from tests.support import audio, pictures

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
MUTANTS = 12


def cut(picture):
    """Leave the second half of a picture away."""
    return picture[: len(picture) // 2]


def cut_with_thumbnail(jpeg):
    """Leave the second half of a photograph away, whose thumbnail has an end."""
    return cut(pictures.turned(jpeg, 1, jpeg))


def large_frame_in_small_canvas():
    """Say that a WebP is small, and what is inside large."""
    inner = pictures.plain("webp", 3000, 3000)[12:]
    canvas = b"VP8X" + struct.pack("<IIHBHB", 10, 0, 63, 0, 63, 0)
    return b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(inner)) + b"WEBP" + canvas + inner


def damaged_png():
    """Change the compressed bytes of a PNG."""
    rows = bytearray(zlib.compress(bytes(range(256)) * 257))
    rows[len(rows) // 2] ^= 0xFF
    return pictures.png(256, 256, bytes(rows))


ODD = {
    "text": (lambda: b"This is a letter.\n" * 100, Reason.UNSUPPORTED_FORMAT),
    "svg": (lambda: SVG, Reason.UNSUPPORTED_FORMAT),
    "gif": (lambda: b"GIF89a" + bytes(100), Reason.UNSUPPORTED_FORMAT),
    "playlist": (lambda: b"#EXTM3U\nfile:///etc/passwd\n", Reason.UNSUPPORTED_FORMAT),
    "one byte": (lambda: b"\x89", Reason.UNSUPPORTED_FORMAT),
    "arithmetic jpeg": (lambda: pictures.drawn("jpg").replace(b"\xff\xc0", b"\xff\xc9", 1), Reason.UNSUPPORTED_FORMAT),
    "signature only": (lambda: pictures.PNG_SIGNATURE, Reason.TRUNCATED),
    "cut png": (lambda: cut(pictures.drawn("png")), Reason.TRUNCATED),
    "cut jpeg": (lambda: cut(pictures.drawn("jpg")), Reason.TRUNCATED),
    "cut jpeg with thumbnail": (lambda: cut_with_thumbnail(pictures.drawn("jpg")), Reason.TRUNCATED),
    "cut webp": (lambda: cut(pictures.drawn("webp")), Reason.TRUNCATED),
    "png without rows": (lambda: pictures.png(64, 64, b""), Reason.CORRUPT),
    "damaged png": (damaged_png, Reason.CORRUPT),
    "png of no width": (lambda: pictures.png(0, 64, b""), Reason.CORRUPT),
    "jpeg without frame": (lambda: pictures.drawn("jpg").replace(b"\xff\xc0", b"\xff\xe0", 1), Reason.CORRUPT),
    "frame beyond its canvas": (large_frame_in_small_canvas, Reason.CORRUPT),
    "two sizes in one jpeg": (lambda: pictures.second_frame(pictures.drawn("jpg"), 60_000, 60_000), Reason.CORRUPT),
    "text bomb": (pictures.text_bomb, Reason.CORRUPT),
    "bomb": (pictures.png_bomb, Reason.TOO_MANY_PIXELS),
    "long side": (lambda: pictures.plain("png", MAX_SIDE + 1, 2), Reason.TOO_MANY_PIXELS),
    "too deep": (lambda: pictures.png(6000, 6000, b"", depth=16, color=6), Reason.TOO_MANY_PIXELS),
}


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_picture_is_refused_with_its_reason(name, made):
    """For good, with a sentence."""
    make, reason = ODD[name]

    with pytest.raises(RefusedError) as refused:
        await made(make())

    failure = refused.value.failure
    assert (failure.reason, failure.transient) == (reason, False), failure.log
    assert failure.message == MESSAGES[reason]


def test_a_bomb_is_refused_before_anything_opens_it():
    """By its header alone, in no time; 48 KB would become 400 million pixels."""
    bomb = pictures.png_bomb()
    began = time.process_time()

    with pytest.raises(RefusedError):
        read_header(bomb)

    assert len(bomb) < 100_000
    assert time.process_time() - began < 0.05


async def test_sound_is_no_picture(made, tmp_path):
    """Though FFmpeg could open it."""
    song = audio.save(tmp_path / "song.mp3", audio.tones(1)).read_bytes()

    with pytest.raises(RefusedError) as refused:
        await made(song)

    assert refused.value.failure.reason == Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
async def test_every_mutant_ends_in_all_sizes_or_a_lasting_reason(ending, made):
    """No mutant hangs, crashes the encoder, or raises anything else."""
    whole, transient = pictures.drawn(ending), {}
    for seed in range(MUTANTS):
        try:
            async with asyncio.timeout(30):
                images = await made(pictures.mutant(whole, seed))
        except RefusedError as refused:
            transient[seed] = refused.failure.transient
        else:
            assert all(images.files.values())
    assert not any(transient.values())


def test_every_reason_has_a_sentence():
    """No reason reaches anybody without words."""
    assert set(MESSAGES) == set(Reason)
    assert all(message.endswith(".") for message in MESSAGES.values())
