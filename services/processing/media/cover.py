"""The picture inside a master, which the artist may use as artwork."""

import asyncio
from pathlib import Path

from services.processing.domain import RefusedError
from services.processing.ffmpeg import Ffmpeg, TooManyErrorsError, cover_arguments
from services.processing.media.facts import Limits
from services.processing.media.sink import TRANSIENT, Sink
from services.processing.pictures.header import Format, read_header
from services.processing.sandbox import Allowance

MAX_BYTES = 10 << 20
NAMES = {Format.JPEG: ("cover.jpg", "image/jpeg"), Format.PNG: ("cover.png", "image/png")}


async def keep_cover(master: Path, sink: Sink, ffmpeg: Ffmpeg, limits: Limits) -> str:
    """Write the picture beside the preview as it is; answers its file name, or nothing when it cannot be offered."""
    picture = await _copy(master, ffmpeg, limits)
    try:
        name, content_type = NAMES.get(read_header(picture).format, ("", ""))
    except RefusedError:
        return ""
    if name:
        await sink.put(name, picture, content_type, TRANSIENT)
    return name


async def _copy(master: Path, ffmpeg: Ffmpeg, limits: Limits) -> bytes:
    """Read the bytes of the picture; none of one that is too big, or where FFmpeg finds it too odd."""
    allowance = Allowance(limits.memory_bytes, limits.probe_seconds)
    async with ffmpeg.run(cover_arguments, master, 1, allowance) as run:
        try:
            async with asyncio.timeout(limits.probe_seconds):
                picture, _ = await asyncio.gather(run.outputs[0].read_all(MAX_BYTES + 1), run.drain_log())
                return picture if len(picture) <= MAX_BYTES else b""
        except (TimeoutError, TooManyErrorsError):
            return b""
