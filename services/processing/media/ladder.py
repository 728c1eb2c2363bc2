"""The ladder: which renditions are made of a master."""

import re
from dataclasses import dataclass
from enum import StrEnum

OPUS_RATE = 48_000
AAC_RATES = (44_100, 48_000)
KILOBITS = {"aac": range(96, 321), "opus": range(32, 321)}  # below, AAC is no pleasure; above, nothing is gained
LOSSY_RUNG = re.compile(r"(aac|opus)-([1-9][0-9]+)")
LOSSLESS_RUNG = "flac-lossless"


class Codec(StrEnum):
    """A codec family; a player chooses one and switches quality inside it. Values are the API's words."""

    AAC = "AAC"
    OPUS = "OPUS"
    FLAC = "FLAC"

    @property
    def playlist(self) -> str:
        """File name of the family's multivariant playlist."""
        return f"{self.lower()}.m3u8"


@dataclass(frozen=True)
class Rung:
    """One rendition to make. `codecs` is the codec's RFC 6381 name.

    `frame` is the codec's packet in samples, and 0 where the last packet is as short as the sound makes it.
    `bitrate_bps` is None where the sound decides.
    """

    name: str
    codec: Codec
    bitrate_bps: int | None
    encoder: str
    codecs: str
    frame: int

    @property
    def media(self) -> str:
        """File name of the CMAF file."""
        return f"{self.name}.mp4"

    @property
    def playlist(self) -> str:
        """File name of the media playlist."""
        return f"{self.name}.m3u8"

    def sample_rate(self, source_rate: int) -> int:
        """Return samples a second of the rendition: the source's where the codec has it, 48 kHz otherwise."""
        kept = self.codec is Codec.FLAC or (self.codec is Codec.AAC and source_rate in AAC_RATES)
        return source_rate if kept else OPUS_RATE


def _rung(name: str) -> Rung:
    """Read one word of a ladder. Raises ValueError."""
    if name == LOSSLESS_RUNG:
        return Rung(name, Codec.FLAC, None, encoder="flac", codecs="fLaC", frame=0)
    found = LOSSY_RUNG.fullmatch(name)
    if found is None or int(found[2]) not in KILOBITS[found[1]]:
        raise ValueError(f"{name} is no rendition: write aac-96 to aac-320, opus-32 to opus-320 or {LOSSLESS_RUNG}")
    bitrate = int(found[2]) * 1000
    if found[1] == "aac":
        return Rung(name, Codec.AAC, bitrate, encoder="aac", codecs="mp4a.40.2", frame=1024)
    return Rung(name, Codec.OPUS, bitrate, encoder="libopus", codecs="opus", frame=960)


def ladder(names: str) -> tuple[Rung, ...]:
    """Read renditions separated by commas. Raises ValueError for words that say nothing, and without any AAC."""
    words = [name.strip() for name in names.split(",")]
    if len(set(words)) < len(words):
        raise ValueError("A rendition stands in the list twice")
    rungs = tuple(map(_rung, words))
    if not any(rung.codec is Codec.AAC for rung in rungs):
        raise ValueError("Without an AAC rendition there are browsers which play nothing: add aac-128")
    return rungs


LADDER = ladder(f"aac-128,opus-48,opus-96,opus-160,{LOSSLESS_RUNG}")
