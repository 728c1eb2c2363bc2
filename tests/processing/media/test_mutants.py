"""Damaged files: whatever the damage, the pipeline ends soon, with a whole track or with a reason."""

import asyncio
from pathlib import Path

import pytest

from services.processing.media.refusals import TranscodeError
from tests.processing.media.processes import processes_reading
from tests.support import audio

NAMES = ("m.mp3", "m.ogg", "m.opus", "m.flac", "m.wav", "m.aiff", "m.caf", "m.m4a", "m.mka", "m.aac")
MUTANTS_OF_A_KIND = 10
LOSSLESS = ("m.flac", "m.wav", "m.aiff", "m.caf")
FILES_OF_A_TRACK, FILES_OF_FLAC = 12, 3


@pytest.mark.parametrize("name", NAMES)
async def test_every_mutant_ends_in_a_whole_track_or_a_reason(name, tmp_path, sink, transcoded):
    """No mutant hangs, raises anything else, or leaves a process or a part of a track."""
    whole = audio.save(tmp_path / f"whole-{name}", audio.noise(1.3))

    for seed in range(MUTANTS_OF_A_KIND):
        master = audio.mutant(tmp_path / f"{seed}-{name}", whole, seed)
        try:
            async with asyncio.timeout(30):
                await transcoded(master)
            files = FILES_OF_A_TRACK + (FILES_OF_FLAC if name in LOSSLESS else 0)
        except TranscodeError:
            files = 0
        assert processes_reading(master) == []
        assert len(_taken(sink.folder)) == files


def _taken(folder: Path) -> list[str]:
    """Empty a folder and return the names that were in it."""
    names = [path.name for path in folder.iterdir()]
    for name in names:
        (folder / name).unlink()
    return names
