"""Acoustic fingerprints: whether two masters hold the same recording, whatever they were encoded with.

Chromaprint describes a sound by items of 32 bits, about eight a second, each of which covers some two seconds. The same
recording gives nearly the same bits; another one differs in every second bit. How they are searched for and compared
follows AcoustID's `acoustid-index` and `pg_acoustid`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ITEM = np.dtype("<u4")
SECONDS = 120
"""How much of a recording is described, from its beginning."""

SILENCE = 627964279  # what Chromaprint says of digital silence
LOW_BITS = 4  # of an item, which change most easily
FIRST_TERM, TERMS = 80, 120  # from ten seconds on, for a quarter of a minute: beginnings are much alike
LEAST_OVERLAP = 64  # items; what is shorter proves nothing
OFFSETS = 3  # ways to lay one recording over the other that are looked at
MOST_ERRORS = 0.2  # share of bits: lossy encodings reach 0.1, other recordings 0.4 and more


@dataclass(frozen=True)
class Fingerprint:
    """The items of one master, as bytes."""

    data: bytes

    @property
    def terms(self) -> list[int]:
        """What to find it by: the same recording has some of these, too. Empty for silence and very short sounds."""
        items = self.items
        first = max(0, min(FIRST_TERM, len(items) - TERMS))
        chosen = items[first : first + TERMS]
        return sorted({int(item) >> LOW_BITS for item in chosen if item != SILENCE})

    def is_same_recording(self, other: "Fingerprint") -> bool:
        """Whether both hold one recording, of which either may begin later."""
        return any(self._errors(other, offset) <= MOST_ERRORS for offset in self._offsets(other))

    @property
    def items(self) -> NDArray[np.uint32]:
        """What the sound is like, eighth of a second by eighth of a second."""
        return np.frombuffer(self.data, ITEM)

    def _offsets(self, other: "Fingerprint") -> list[int]:
        """List by how many items the other one seems to lie behind, the likeliest first."""
        mine, theirs = self.items >> LOW_BITS, other.items >> LOW_BITS
        at, behind = np.nonzero(mine[:, None] == theirs[None, :])
        offsets, votes = np.unique(behind - at, return_counts=True)
        return [int(offset) for offset in offsets[np.argsort(-votes, kind="stable")][:OFFSETS]]

    def _errors(self, other: "Fingerprint", offset: int) -> float:
        """Return the share of bits that differ where both have sound; 1 when that is too short to tell."""
        mine, theirs = self.items[max(0, -offset) :], other.items[max(0, offset) :]
        length = min(len(mine), len(theirs))
        if length < LEAST_OVERLAP:
            return 1.0
        return float(np.bitwise_count(mine[:length] ^ theirs[:length]).mean()) / (8 * ITEM.itemsize)
