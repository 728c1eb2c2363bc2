"""Sounds: each instrument turns a note into samples. Everything is computed, so the same note always sounds the same.

Samples are 64-bit floats around ±1, mono until they are placed in the stereo field by `Mix`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RATE = 44100
"""Samples a second."""

Samples = NDArray[np.float64]
Instrument = Callable[[float, float], Samples]
"""Takes a frequency in hertz and a length in seconds."""

_CONCERT_A = 69
_REVERB_SECONDS = 2.2


def frequency(note: int) -> float:
    """Return the frequency of a MIDI note: 69 is the A of 440 Hz."""
    return float(440.0 * 2 ** ((note - _CONCERT_A) / 12))


def pluck(hertz: float, seconds: float) -> Samples:
    """Play a nylon string: harmonics which fade the faster the higher they are."""
    time = _time(seconds + 0.6)
    partials = [
        np.sin(2 * np.pi * hertz * n * (1 + 0.0003 * n * n) * time) * np.exp(-time * (1.8 + 0.9 * n)) / n**1.2
        for n in _audible(hertz, 10)
    ]
    return _faded(sum(partials, np.zeros_like(time)), attack=0.004, release=0.15)


def bell(hertz: float, seconds: float) -> Samples:
    """Play a glass bell: frequency modulation with an uneven ratio."""
    time = _time(seconds + 1.5)
    modulation = 2.2 * np.exp(-time * 2.5) * np.sin(2 * np.pi * hertz * 3.51 * time)
    return _faded(np.sin(2 * np.pi * hertz * time + modulation) * np.exp(-time * 1.6), attack=0.003, release=0.3)


def pad(hertz: float, seconds: float) -> Samples:
    """Play a slow choir of three slightly different voices."""
    time = _time(seconds + 0.8)
    voices = np.zeros_like(time)
    for detune in (0.997, 1.0, 1.003):
        for n in _audible(hertz, 7):
            voices += np.sin(2 * np.pi * hertz * detune * n * time + n * detune) / n**1.8
    breath = 1 + 0.15 * np.sin(2 * np.pi * 0.23 * time)
    return _faded(voices * breath / 3, attack=min(0.9, seconds / 2), release=0.8)


def organ(hertz: float, seconds: float) -> Samples:
    """Play a small reed organ with a light tremolo."""
    time = _time(seconds + 0.1)
    stops = sum((np.sin(2 * np.pi * hertz * n * time) / (n + 1) for n in (1, 2, 3, 4, 6)), np.zeros_like(time))
    return _faded(stops * (1 + 0.08 * np.sin(2 * np.pi * 5.2 * time)), attack=0.03, release=0.09)


def bass(hertz: float, seconds: float) -> Samples:
    """Play a round bass with a short knock at its beginning."""
    time = _time(seconds)
    tone = np.sin(2 * np.pi * hertz * time) + 0.35 * np.sin(4 * np.pi * hertz * time) * np.exp(-time * 6)
    return _faded(np.tanh(1.4 * tone), attack=0.008, release=0.06)


def lead(hertz: float, seconds: float) -> Samples:
    """Play a soft square wave with vibrato that sets in late."""
    time = _time(seconds + 0.12)
    vibrato = 0.006 * np.clip(time / 0.5 - 0.4, 0, 1) * np.sin(2 * np.pi * 5.5 * time)
    phase = 2 * np.pi * hertz * (time + np.cumsum(vibrato) / RATE)
    tone = sum((np.sin(n * phase) / n**1.4 for n in _audible(hertz, 9) if n % 2), np.zeros_like(time))
    return _faded(tone, attack=0.02, release=0.1)


def kick(_hertz: float, _seconds: float) -> Samples:
    """Play a bass drum: a sine which falls from 160 to 48 Hz."""
    time = _time(0.4)
    falling = 48 * time + 112 * (1 - np.exp(-time * 28)) / 28
    return _faded(np.sin(2 * np.pi * falling) * np.exp(-time * 7), attack=0.001, release=0.05)


def snare(_hertz: float, _seconds: float) -> Samples:
    """Play a snare drum: noise and a short tone."""
    time = _time(0.25)
    return _faded(
        _noise(time.size, seed=7) * np.exp(-time * 22) * 0.7 + np.sin(2 * np.pi * 190 * time) * np.exp(-time * 30),
        attack=0.001,
        release=0.03,
    )


def hat(_hertz: float, _seconds: float) -> Samples:
    """Play a closed hi-hat: the upper half of noise."""
    time = _time(0.09)
    return _faded(np.diff(_noise(time.size + 1, seed=11)) * np.exp(-time * 60) * 0.6, attack=0.001, release=0.02)


def reverb(stereo: Samples, amount: float) -> Samples:
    """Add the sound of a hall: convolution with two different decaying noises."""
    time = _time(_REVERB_SECONDS)
    length = stereo.shape[1] + time.size
    wet = np.empty((2, stereo.shape[1]))
    for side, seed in enumerate((101, 102)):
        hall = _noise(time.size, seed) * np.exp(-time * 3.2)
        hall /= np.sqrt(np.sum(hall**2))
        spectrum = np.fft.rfft(stereo[side], length) * np.fft.rfft(hall, length)
        wet[side] = np.fft.irfft(spectrum, length)[: stereo.shape[1]]
    return stereo + amount * wet


def _time(seconds: float) -> Samples:
    return np.arange(round(seconds * RATE)) / RATE


def _audible(hertz: float, most: int) -> range:
    """Return the harmonics below the limit of hearing, so that nothing folds back."""
    return range(1, max(2, min(most, int(16000 / hertz)) + 1))


def _noise(count: int, seed: int) -> Samples:
    return np.random.default_rng(seed).standard_normal(count) * 0.4


def _faded(samples: Samples, attack: float, release: float) -> Samples:
    """Take the click off both ends."""
    rise, fall = round(attack * RATE), round(release * RATE)
    samples[:rise] *= np.linspace(0, 1, rise)
    samples[-fall:] *= np.linspace(1, 0, fall)
    return samples
