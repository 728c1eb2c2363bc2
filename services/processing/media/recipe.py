"""What to make of a master, and within which bounds."""

from dataclasses import dataclass, field

from services.processing.media.facts import Limits
from services.processing.media.ladder import LADDER, Codec, Rung


@dataclass(frozen=True)
class Recipe:
    """The settings of the pipeline. `fragment_seconds` is the length of a segment."""

    limits: Limits = field(default_factory=Limits)
    ladder: tuple[Rung, ...] = LADDER
    fragment_seconds: int = 4

    def rungs(self, *, lossless: bool) -> tuple[Rung, ...]:
        """Return the renditions that are worth making of a master: what was lost once, FLAC does not bring back."""
        return tuple(rung for rung in self.ladder if lossless or rung.codec is not Codec.FLAC)
