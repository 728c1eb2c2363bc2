"""Integrated loudness of many blocks: which are loud enough to count, and their mean power (ITU-R BS.1770-5)."""

from collections.abc import Mapping
from math import log10

ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0


def integrated(blocks: Mapping[float, int]) -> float | None:
    """Answer the loudness in LUFS of blocks, counted by their loudness in LUFS; None when none of them can be heard."""
    audible = {lufs: count for lufs, count in blocks.items() if lufs > ABSOLUTE_GATE_LUFS and count}
    if not audible:
        return None
    gate = _mean(audible) + RELATIVE_GATE_LU
    return _mean({lufs: count for lufs, count in audible.items() if lufs > gate})


def _mean(blocks: Mapping[float, int]) -> float:
    power: float = sum(count * 10 ** (lufs / 10) for lufs, count in blocks.items())
    return 10 * log10(power / sum(blocks.values()))
