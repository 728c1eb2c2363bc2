"""What is uploaded: whole masters of differing lengths, and broken ones."""

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from tests.support import audio

VICTIM_SECONDS = 20
"""Long enough to be caught in each step."""


@dataclass(frozen=True)
class Master:
    """A file, and what becomes of it: a track, or a failure for a reason."""

    path: Path
    reason: str | None = None


@dataclass(frozen=True)
class Masters:
    """All files of a run."""

    victim: Master
    others: list[Master]

    def others_of(self, first: int, count: int) -> list[Master]:
        """Choose `count` of the others, from the number `first` on."""
        return list(islice(cycle(self.others), first, first + count))


def make(folder: Path, *, long: bool) -> Masters:
    """Make the files in a folder; with long ones, which come in several parts, or without."""
    whole = [audio.save(folder / name, audio.noise(seconds)) for name, seconds in _lengths(long=long).items()]
    broken = {
        "TRUNCATED": audio.cut(folder / "cut.mp3", audio.save(folder / "to-cut.mp3", audio.noise(8)), 0.5),
        "UNSUPPORTED_CONTAINER": folder / "lyrics.ogg",
        "EMPTY": folder / "empty.ogg",
        "NO_AUDIO_STREAM": audio.picture(folder / "cover.png"),
        "CORRUPT": _damaged(folder),
    }
    broken["UNSUPPORTED_CONTAINER"].write_text("These are the lyrics.\n" * 100)
    broken["EMPTY"].touch()
    mixed = [each for bad, good in zip(broken.items(), cycle(whole), strict=False) for each in _pair(bad, good)]
    return Masters(Master(audio.save(folder / "victim.ogg", audio.noise(VICTIM_SECONDS))), mixed)


def _lengths(*, long: bool) -> dict[str, float]:
    lengths = {"short.ogg": 2.0, "song.mp3": 6.0, "song.flac": 9.0}
    return lengths | {"long.m4a": 25.0, "parts.wav": 60.0} if long else lengths


def _pair(bad: tuple[str, Path], good: Path) -> list[Master]:
    """Let two whole masters and a broken one follow each other."""
    reason, path = bad
    return [Master(good), Master(good), Master(path, reason)]


def _damaged(folder: Path) -> Path:
    data = bytearray(audio.save(folder / "damaged.flac", audio.noise(4)).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "damaged.flac").write_bytes(data)
    return folder / "damaged.flac"
