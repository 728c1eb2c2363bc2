"""Turns a song into samples: each style places the notes of its instruments bar by bar."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cli.seed import sound
from cli.seed.songs import Song
from cli.seed.sound import RATE, Instrument, Samples

_TAIL_SECONDS = 2.5
_BELL_CHANCE = 0.55
_PEAK = 0.89
"""About -1 dBFS, so that a lossy encoder has room."""


@dataclass(frozen=True)
class Bar:
    """Where in the song we are: times are in seconds, notes are MIDI numbers."""

    song: Song
    number: int
    beats: int
    beat: float
    start: float

    @property
    def is_intro(self) -> bool:
        """Tell whether the rhythm has not set in yet."""
        return self.number < len(self.song.chords)

    @property
    def is_last(self) -> bool:
        """Tell whether this bar ends the song."""
        return self.number == self.song.bars - 1

    def chord(self, voices: int = 3) -> list[int]:
        """Return the chord of this bar, stacked in thirds from the tonic's octave; the last one is the tonic."""
        root = 0 if self.is_last else self.song.chords[self.number % len(self.song.chords)]
        return [self.note(root + 2 * voice) for voice in range(voices)]

    def note(self, degree: int) -> int:
        """Return a degree of the scale; 7 is the octave."""
        octave, step = divmod(degree, len(self.song.scale))
        return self.song.key + 12 * octave + self.song.scale[step]


class Mix:
    """The stereo picture into which notes are placed."""

    def __init__(self, seconds: float) -> None:
        self._samples = np.zeros((2, round(seconds * RATE)))

    def play(  # noqa: PLR0913 - a note has these properties
        self, instrument: Instrument, note: int, at: float, beats: float, *, gain: float, pan: float = 0.0
    ) -> None:
        """Add a note: `at` and `beats` in seconds, `pan` from -1 (left) to 1 (right)."""
        samples = instrument(sound.frequency(note), beats) * gain
        start = round(at * RATE)
        end = min(start + samples.size, self._samples.shape[1])
        angle = (pan + 1) * np.pi / 4
        self._samples[0, start:end] += samples[: end - start] * np.cos(angle)
        self._samples[1, start:end] += samples[: end - start] * np.sin(angle)

    def master(self, hall: float) -> Samples:
        """Return the finished stereo samples."""
        wet = sound.reverb(self._samples, hall)
        return np.asarray(wet * (_PEAK / np.max(np.abs(wet))))


def _drift(mix: Mix, bar: Bar, melody: np.random.Generator) -> None:
    length = bar.beats * bar.beat
    for place, note in enumerate(bar.chord(4)):
        mix.play(sound.pad, note, bar.start, length, gain=0.22, pan=-0.6 + 0.4 * place)
    mix.play(sound.bass, bar.chord()[0] - 24, bar.start, length, gain=0.3)
    for beat in range(bar.beats):
        if melody.random() < _BELL_CHANCE and not bar.is_last:
            note = bar.chord(4)[melody.integers(4)] + 12
            mix.play(sound.bell, note, bar.start + beat * bar.beat, bar.beat, gain=0.16, pan=melody.uniform(-0.8, 0.8))


def _bells(mix: Mix, bar: Bar, melody: np.random.Generator) -> None:
    chord = bar.chord(4)
    mix.play(sound.bass, chord[0] - 12, bar.start, bar.beats * bar.beat, gain=0.22)
    for half in range(bar.beats * 2):
        note = chord[(0, 2, 1, 3)[half % 4]] + 12 * (half // 4 % 2)
        mix.play(sound.bell, note, bar.start + half * bar.beat / 2, bar.beat, gain=0.2, pan=0.5 * (-1) ** half)
    if not bar.is_intro:
        note = chord[melody.integers(1, 4)] + 12
        mix.play(sound.organ, note, bar.start + bar.beat, bar.beat * (bar.beats - 1), gain=0.1, pan=0.1)


def _folk(mix: Mix, bar: Bar, melody: np.random.Generator) -> None:
    chord = [bar.chord()[0] - 12, *bar.chord(4)]
    for half, string in enumerate((0, 3, 2, 4, 1, 3, 2, 4)):
        at = bar.start + half * bar.beat / 2
        mix.play(sound.pluck, chord[string], at, bar.beat, gain=0.42 if half % 4 == 0 else 0.3, pan=-0.35)
    if bar.is_intro or bar.is_last:
        return
    mix.play(sound.pluck, chord[0] - 12, bar.start, bar.beat * 2, gain=0.35, pan=0.2)
    degree = int(melody.integers(0, 5))
    for step, beats in ((0, 1.5), (1, 0.5), (-1, 2)):
        at = bar.start + {0: 0, 1: 1.5, -1: 2}[step] * bar.beat
        mix.play(sound.organ, bar.note(degree + step) + 12, at, beats * bar.beat, gain=0.13, pan=0.35)


def _waltz(mix: Mix, bar: Bar, melody: np.random.Generator) -> None:
    root, *upper = bar.chord(3)
    mix.play(sound.pluck, root - 12, bar.start, bar.beat, gain=0.5)
    for beat in (1, 2):
        for place, note in enumerate(upper):
            mix.play(sound.pluck, note, bar.start + beat * bar.beat, bar.beat, gain=0.22, pan=-0.4 + 0.3 * place)
    if bar.is_intro:
        return
    degree = int(melody.integers(2, 7))
    mix.play(sound.organ, bar.note(degree) + 12, bar.start, bar.beat * 2, gain=0.14, pan=0.4)
    mix.play(sound.bell, bar.note(degree + 1) + 12, bar.start + 2 * bar.beat, bar.beat, gain=0.12, pan=0.5)


def _house(mix: Mix, bar: Bar, melody: np.random.Generator) -> None:
    chord = bar.chord(4)
    for beat in range(bar.beats):
        at = bar.start + beat * bar.beat
        mix.play(sound.kick, 0, at, bar.beat, gain=0.7)
        for place, note in enumerate(chord):
            mix.play(sound.organ, note, at + bar.beat / 2, bar.beat * 0.3, gain=0.13, pan=-0.5 + 0.33 * place)
        if not bar.is_intro:
            mix.play(sound.hat, 0, at + bar.beat / 2, bar.beat, gain=0.35, pan=0.3)
            mix.play(sound.bass, chord[0] - 24, at + bar.beat / 2, bar.beat * 0.45, gain=0.5)
            if beat % 2:
                mix.play(sound.snare, 0, at, bar.beat, gain=0.4)
    if bar.number >= 2 * len(bar.song.chords) and not bar.is_last:
        for eighth in range(0, bar.beats * 2, 2):
            note = chord[melody.integers(4)] + 12
            at = bar.start + (eighth + 0.5 * melody.integers(2)) * bar.beat / 2
            mix.play(sound.lead, note, at, bar.beat * 0.6, gain=0.14, pan=-0.2)


def _beat(mix: Mix, bar: Bar, melody: np.random.Generator) -> None:
    chord = bar.chord(4)
    for place, note in enumerate(chord):
        mix.play(sound.pad, note + 12, bar.start, bar.beats * bar.beat, gain=0.14, pan=-0.5 + 0.33 * place)
    for position in (0, 1.75, 2.5):
        mix.play(sound.kick, 0, bar.start + position * bar.beat, bar.beat, gain=0.8)
        mix.play(sound.bass, chord[0] - 12, bar.start + position * bar.beat, bar.beat * 0.7, gain=0.4)
    for beat in (1, 3):
        mix.play(sound.snare, 0, bar.start + beat * bar.beat, bar.beat, gain=0.5)
    for eighth in range(bar.beats * 2):
        swing = 0.12 * bar.beat if eighth % 2 else 0.0
        mix.play(sound.hat, 0, bar.start + eighth * bar.beat / 2 + swing, bar.beat, gain=0.25, pan=0.25)
    if not bar.is_intro:
        for beat in range(bar.beats):
            note = chord[melody.integers(4)] + 12
            mix.play(sound.pluck, note, bar.start + beat * bar.beat, bar.beat, gain=0.3, pan=-0.3)


@dataclass(frozen=True)
class Style:
    """How a bar is played, how many beats it has and how large the hall is."""

    play: Callable[[Mix, Bar, np.random.Generator], None]
    beats: int
    hall: float


STYLES: Mapping[str, Style] = {
    "drift": Style(_drift, beats=4, hall=0.5),
    "bells": Style(_bells, beats=4, hall=0.4),
    "folk": Style(_folk, beats=4, hall=0.18),
    "waltz": Style(_waltz, beats=3, hall=0.22),
    "house": Style(_house, beats=4, hall=0.1),
    "beat": Style(_beat, beats=4, hall=0.12),
}


def seconds(song: Song) -> float:
    """Return how long a song is, with the time in which its last notes fade."""
    return song.bars * STYLES[song.style].beats * 60 / song.tempo + _TAIL_SECONDS


def perform(song: Song) -> Samples:
    """Return the song as stereo samples; the same song is always the same."""
    style = STYLES[song.style]
    beat = 60 / song.tempo
    mix = Mix(seconds(song))
    melody = np.random.default_rng(list(song.title.encode()))
    for number in range(song.bars):
        style.play(mix, Bar(song, number, style.beats, beat, number * style.beats * beat), melody)
    return mix.master(style.hall)
