"""Loudness as FFmpeg's ebur128 filter reports it at its end (EBU R 128, ITU-R BS.1770)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FIGURE = re.compile(r"^    (I|LRA|Peak): +(-?(?:\d+\.\d+|inf|nan)) (?:LUFS|LU|dBFS)$")
GATE_LUFS = -70.0  # what the meter shows when no block was above its absolute gate


@dataclass(frozen=True)
class Loudness:
    """LUFS, LU and dBTP; all None for silence."""

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None


def read(lines: Sequence[str]) -> Loudness:
    """Read the meter's summary. Raises KeyError when there is none."""
    figures = {found[1]: float(found[2]) for found in map(FIGURE.match, lines) if found}
    if not figures["I"] > GATE_LUFS or not figures["Peak"] > float("-inf"):
        return Loudness(None, None, None)
    return Loudness(figures["I"], figures["LRA"], figures["Peak"])
