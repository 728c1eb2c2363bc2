"""The encoder, once for a run, and a way to have a master transcoded."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.processing.ffmpeg import Ffmpeg
from services.processing.media.facts import Facts, Stage
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.recipe import Recipe
from tests.support.folder_sink import FolderSink

Transcode = Callable[..., Awaitable[Facts]]


def silent(stage: Stage, percent: int) -> None:
    """Hear progress and say nothing."""


@pytest.fixture(scope="session")
async def ffmpeg():
    """Return the bundled FFmpeg behind every wall this machine has."""
    return await Ffmpeg.find()


@pytest.fixture
def sink(tmp_path: Path):
    """Return an empty folder for results."""
    folder = tmp_path / "results"
    folder.mkdir()
    return FolderSink(folder)


@pytest.fixture
def transcoded(ffmpeg, sink) -> Transcode:
    """Return a function that transcodes a master into the sink of this test."""

    async def run(master: Path, recipe: Recipe | None = None) -> Facts:
        return await transcode(Master(master), sink, ffmpeg, recipe or Recipe(), silent)

    return run
