"""Loudness as FFmpeg's ebur128 filter reports it (EBU R 128, ITU-R BS.1770): of the whole, and of every block."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.loudness import ABSOLUTE_GATE_LUFS, integrated

FIGURE = re.compile(r"^    (LRA|Peak): +(-?(?:\d+\.\d+|inf|nan)) (?:LU|dBFS)$")
BLOCK = re.compile(rb"^lavfi\.r128\.M=(-?\d+\.\d+)$", re.MULTILINE)
THOUSANDTHS = 1000  # of a LU, which is what the meter's text tells
TENTH = 100  # in thousandths


@dataclass(frozen=True)
class Loudness:
    """LUFS, LU and dBTP; all None for silence."""

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True)
class Histogram:
    """How many blocks are how loud: `counts[n]` of them from `lowest_tenths + n` tenths of a LUFS to the next one.

    Blocks last 400 ms and begin every 100 ms; those below the absolute gate are left out. Loudness of several tracks
    together cannot be had from the loudness of each, but from their histograms it can.
    """

    lowest_tenths: int
    counts: tuple[int, ...]


class Blocks:
    """Collects the loudness of every block from the meter's text."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._rest = b""

    def add(self, text: bytes) -> None:
        """Take the next bytes of the text."""
        whole, newline, self._rest = (self._rest + text).rpartition(b"\n")
        for found in BLOCK.finditer(whole + newline):
            lufs = float(found[1])
            if lufs > ABSOLUTE_GATE_LUFS:
                self._counts[round(lufs * THOUSANDTHS)] += 1

    def histogram(self) -> Histogram:
        """Return what was collected; of silence, no counts at all."""
        tenths: Counter[int] = Counter()
        for thousandths, count in self._counts.items():
            tenths[thousandths // TENTH] += count
        if not tenths:
            return Histogram(0, ())
        lowest, highest = min(tenths), max(tenths)
        return Histogram(lowest, tuple(tenths[each] for each in range(lowest, highest + 1)))

    def integrated(self) -> float | None:
        """Return the integrated loudness of all blocks, in LUFS; the meter's own figure is rounded to a tenth."""
        return integrated({thousandths / THOUSANDTHS: count for thousandths, count in self._counts.items()})


def read(lines: Sequence[str], blocks: Blocks) -> Loudness:
    """Read the meter's summary. Raises KeyError when there is none."""
    figures = {found[1]: float(found[2]) for found in map(FIGURE.match, lines) if found}
    lufs = blocks.integrated()
    if lufs is None:
        return Loudness(None, None, None)
    return Loudness(round(lufs, 2), figures["LRA"], figures["Peak"])
