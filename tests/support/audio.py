"""Masters for tests, made here: signals by numpy, files by FFmpeg. And the way back, for comparison."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
"""Samples by channels, full scale at 1."""

RATE = 44_100
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def tones(seconds: float, rate: int = RATE, channels: int = 2) -> Sound:
    """Make a sine in every channel, each of its own pitch."""
    time = np.arange(round(seconds * rate)) / rate
    pitches = [220.0 * (3 + number) / 3 for number in range(channels)]
    return np.stack([0.3 * np.sin(2 * np.pi * pitch * time) for pitch in pitches], axis=1).astype(np.float32)


def sweep(seconds: float, rate: int = RATE, channels: int = 2) -> Sound:
    """Make a sweep from 100 Hz to 8 kHz: no two moments of it are alike, so a shift shows."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (100 * time + (8000 - 100) / (2 * seconds) * time**2)
    return np.repeat(0.4 * np.sin(phase)[:, None], channels, axis=1).astype(np.float32)


def noise(seconds: float, rate: int = RATE, channels: int = 2) -> Sound:
    """Make noise that swells and fades, so that meters have to gate and average."""
    generator = np.random.default_rng(7)
    time = np.arange(round(seconds * rate)) / rate
    swell = 0.02 + 0.2 * np.sin(np.pi * time / seconds) ** 2
    return (swell[:, None] * generator.uniform(-1, 1, (len(time), channels))).astype(np.float32)


def music(seconds: float, rate: int = RATE, channels: int = 2) -> Sound:
    """Make noise that is as loud in every octave, as music roughly is: FLAC makes about two thirds of it, too."""
    generator = np.random.default_rng(7)
    samples = round(seconds * rate)
    spectrum = np.fft.rfft(generator.standard_normal((samples, channels)), axis=0)
    spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1))[:, None]
    sound = np.fft.irfft(spectrum, samples, axis=0)
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)


def silence(seconds: float, rate: int = RATE, channels: int = 2) -> Sound:
    """Make digital silence."""
    return np.zeros((round(seconds * rate), channels), np.float32)


def resampled(sound: Sound, samples: int) -> Sound:
    """Stretch a sound to another number of samples by its spectrum, which is exact but for its two ends."""
    spectrum = np.fft.rfft(sound, axis=0)
    return (np.fft.irfft(spectrum, samples, axis=0) * samples / len(sound)).astype(np.float32)


def save(path: Path, sound: Sound, rate: int = RATE, *arguments: str) -> Path:
    """Encode a sound; the name's ending chooses the format, `arguments` go to FFmpeg before it."""
    raw = ("-f", "f32le", "-ar", str(rate), "-ac", str(sound.shape[1]), "-i", "pipe:0")
    _ffmpeg("-y", *raw, *arguments, str(path), stdin=sound.tobytes())
    return path


def converted(path: Path, master: Path, *arguments: str) -> Path:
    """Write a master in another form."""
    _ffmpeg("-i", str(master), *arguments, "-y", str(path))
    return path


def picture(path: Path) -> Path:
    """Draw a small picture; the name's ending chooses the format."""
    _ffmpeg("-y", "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", str(path))
    return path


def with_cover(path: Path, master: Path, cover: Path) -> Path:
    """Copy a master and embed a cover."""
    inputs = ("-i", str(master), "-i", str(cover))
    _ffmpeg("-y", *inputs, "-map", "0:a", "-map", "1:v", "-c", "copy", "-disposition:v", "attached_pic", str(path))
    return path


def cut(path: Path, master: Path, share: float) -> Path:
    """Keep only the first share of a file's bytes."""
    data = master.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def mutant(path: Path, master: Path, seed: int) -> Path:
    """Damage a file in one of several ways; the same seed always does the same."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    data = bytearray(master.read_bytes())
    damage: Callable[[bytearray, random.Random], bytearray] = chance.choice(
        (_flip, _flip_header, _zero, _drop, _repeat)
    )
    path.write_bytes(damage(data, chance))
    return path


def decode(path: Path, channels: int = 2, *arguments: str) -> Sound:
    """Decode a file or a playlist as players do, edit lists applied; `arguments` go to FFmpeg before the input."""
    raw = _ffmpeg(*arguments, "-i", str(path), "-f", "f32le", "-ac", str(channels), "pipe:1")
    return np.frombuffer(raw, np.float32).reshape(-1, channels)


def _ffmpeg(*arguments: str, stdin: bytes = b"") -> bytes:
    command = [FFMPEG, "-hide_banner", "-loglevel", "error", *arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - our own words


def _flip(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _flip_header(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randint(1, 5)):
        data[chance.randrange(min(300, len(data)))] = chance.randrange(256)
    return data


def _zero(data: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.randint(1, 2000))
    data[start:end] = bytes(end - start)
    return data


def _drop(data: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(data))
    del data[start : start + chance.randint(1, len(data) // 2)]
    return data


def _repeat(data: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randint(1, 4000)]
    return data[:start] + piece * 3 + data[start:]
