"""Minima and maxima of the sound for a seek bar, in constant memory for any length."""

import json

import numpy as np
from numpy.typing import NDArray

SIZES = {"waveform.json": 1000, "waveform-detailed.json": 10_000}
"""File names, and how many points each has at most."""
CAPACITY = 1 << 17  # even at every doubling, and fine enough to cut about 10,000 equal points from
FIRST_WIDTH = 8  # samples; a second at 8 kHz still has its thousand points

Samples = NDArray[np.int16]


class Waveform:
    """Collects mono samples into buckets of equal width, which doubles whenever CAPACITY buckets are full."""

    def __init__(self) -> None:
        self.samples = 0
        self._width = FIRST_WIDTH
        self._lows = np.empty(CAPACITY, np.int16)
        self._highs = np.empty(CAPACITY, np.int16)
        self._full = 0
        self._rest = np.empty(0, np.int16)

    def add(self, samples: Samples) -> None:
        """Take the next samples of the sound."""
        self.samples += len(samples)
        rest = np.concatenate((self._rest, samples))
        while len(rest) >= self._width:
            if self._full == CAPACITY:
                self._double()
            buckets = min(len(rest) // self._width, CAPACITY - self._full)
            # One bucket a column: numpy compares whole rows at once, many times faster than along short ones.
            taken = np.ascontiguousarray(rest[: buckets * self._width].reshape(buckets, self._width).T)
            self._lows[self._full : self._full + buckets] = taken.min(axis=0)
            self._highs[self._full : self._full + buckets] = taken.max(axis=0)
            self._full += buckets
            rest = rest[buckets * self._width :]
        self._rest = rest.copy()

    def points(self, most: int) -> tuple[int, Samples, Samples]:
        """Return samples a point, minima and maxima: at most so many of them, of equal width but for the last."""
        lows, highs = self._lows[: self._full], self._highs[: self._full]
        if len(self._rest):
            lows, highs = np.append(lows, self._rest.min()), np.append(highs, self._rest.max())
        merged = max(1, -(-len(lows) // most))
        starts = np.arange(0, len(lows), merged)
        return merged * self._width, np.minimum.reduceat(lows, starts), np.maximum.reduceat(highs, starts)

    def document(self, sample_rate: int, most: int) -> bytes:
        """Return at most so many points in the JSON form of BBC audiowaveform, version 2, which many widgets read."""
        width, lows, highs = self.points(most)
        return json.dumps(
            {
                "version": 2,
                "channels": 1,
                "sample_rate": sample_rate,
                "samples_per_pixel": width,
                "bits": 16,
                "length": len(lows),
                "data": np.column_stack((lows, highs)).ravel().tolist(),
            },
            separators=(",", ":"),
        ).encode()

    def _double(self) -> None:
        half = CAPACITY // 2
        self._lows[:half] = self._lows.reshape(half, 2).min(axis=1)
        self._highs[:half] = self._highs.reshape(half, 2).max(axis=1)
        self._full = half
        self._width *= 2
