"""From a picture to its squares: read the header, decode and scale in the sandbox, publish each square once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import blurhash
import numpy as np

from services.common.images import ENDINGS, SIZES, file_name
from services.common.storage import Storage
from services.processing.ffmpeg import Ffmpeg, Run, TooManyErrorsError, crashed, picture_arguments
from services.processing.pictures.header import Header, read_header
from services.processing.pictures.refusals import Reason, refusal
from services.processing.sandbox import Allowance

SECONDS = 60
MAX_IMAGE_BYTES = 16 << 20
BLUR_COMPONENTS = 4  # a side; more would show shapes

CONTENT_TYPES = {"webp": "image/webp", "jpg": "image/jpeg"}
CACHE_CONTROL = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Images:
    """What was made of a picture."""

    files: dict[str, bytes]
    """By name: every size in every format."""
    blur_hash: str


async def make_images(picture: Path, ffmpeg: Ffmpeg, memory_bytes: int) -> Images:
    """Make all sizes of a picture and its blur hash. Raises RefusedError."""
    header = await asyncio.to_thread(lambda: read_header(picture.read_bytes()))
    *images, pixels = await _squares(picture, header, ffmpeg, Allowance(memory_bytes, cpu_seconds=SECONDS))
    names = [file_name(size, ending) for size in SIZES for ending in ENDINGS]
    side = min(SIZES[0], header.side)
    return Images(dict(zip(names, images, strict=True)), await asyncio.to_thread(_blur_hash, pixels, side))


async def publish(images: Images, storage: Storage, bucket: str, folder: str) -> None:
    """Write every image that is not there yet: its address never shows anything else."""
    writes = [
        storage.put_once(bucket, f"{folder}/{name}", data, CONTENT_TYPES[name.rsplit(".", 1)[1]], CACHE_CONTROL)
        for name, data in images.files.items()
    ]
    await asyncio.gather(*writes)


async def _squares(picture: Path, header: Header, ffmpeg: Ffmpeg, allowance: Allowance) -> list[bytes]:
    """Run FFmpeg; answers every image and, at the end, the smallest one's pixels."""

    def arguments(outputs: Sequence[int]) -> list[str]:
        return picture_arguments(header, outputs)

    async with ffmpeg.run(arguments, picture, len(SIZES) * len(ENDINGS) + 1, allowance) as run:
        try:
            async with asyncio.timeout(SECONDS):
                reading = [output.read_all(MAX_IMAGE_BYTES) for output in run.outputs]
                *made, _ = await asyncio.gather(*reading, run.drain_log())
                status = await run.wait()
        except TimeoutError:
            raise refusal(Reason.ENCODER_CRASHED, run.log.text) from None
        except TooManyErrorsError:
            raise refusal(Reason.CORRUPT, run.log.text) from None
    _refuse(run, status, made)
    return [image for image in made if image is not None]


def _refuse(run: Run, status: int, made: Sequence[bytes | None]) -> None:
    """Take only what was decoded without any error."""
    if crashed(status):
        raise refusal(Reason.ENCODER_CRASHED, run.log.text)
    if status or run.log.errors or not all(made):
        raise refusal(Reason.CORRUPT, run.log.text)


def _blur_hash(pixels: bytes, side: int) -> str:
    square = np.frombuffer(pixels, np.uint8).reshape(side, side, 3).tolist()
    return str(blurhash.encode(square, BLUR_COMPONENTS, BLUR_COMPONENTS))
