"""Writes a performed song as the file an artist would upload."""

import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from cli.seed.arrangement import perform
from cli.seed.songs import Song
from cli.seed.sound import RATE

_CODECS = {
    "wav": ["-c:a", "pcm_s16le"],
    "flac": ["-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24"],
    "ogg": ["-c:a", "libvorbis", "-q:a", "6"],
}
CONTENT_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg"}


def render(song: Song, artist: str, album: str) -> bytes:
    """Return the master of a song: the same bytes at every call of the same FFmpeg."""
    samples = perform(song).T.astype("<f4")
    tags = {"title": song.title, "artist": artist, "album": album}
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        *("-nostdin", "-loglevel", "error", "-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", "pipe:0"),
        *(word for name, value in tags.items() for word in ("-metadata", f"{name}={value}")),
        *_CODECS[song.master],
        *("-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", song.master),
    ]
    with tempfile.TemporaryDirectory() as folder:
        # A file, not a pipe: the header gets the true length when the end is known.
        file = Path(folder) / f"master.{song.master}"
        subprocess.run([*command, str(file)], input=np.ascontiguousarray(samples).tobytes(), check=True)  # noqa: S603
        return file.read_bytes()
