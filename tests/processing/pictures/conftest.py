"""A way to have the sizes of a picture made."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.processing.ffmpeg import Ffmpeg
from services.processing.pictures.sizes import Images, make_images
from services.processing.settings import WorkerSettings

MakeImages = Callable[[bytes], Awaitable[Images]]


@pytest.fixture
def made(encoder: Ffmpeg, tmp_path: Path) -> MakeImages:
    """Return a function that makes every size of a picture, in the memory that workers allow."""
    memory_bytes = WorkerSettings.model_fields["picture_memory_bytes"].default

    async def make(picture: bytes) -> Images:
        file = tmp_path / "picture"
        file.write_bytes(picture)
        return await make_images(file, encoder, memory_bytes)

    return make
