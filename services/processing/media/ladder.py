"""The ladder: which renditions every master gets."""

from dataclasses import dataclass
from enum import StrEnum

OPUS_RATE = 48_000
AAC_RATES = (44_100, 48_000)


class Codec(StrEnum):
    """A codec family; a player chooses one and switches quality inside it. Values are the API's words."""

    AAC = "AAC"
    OPUS = "OPUS"

    @property
    def playlist(self) -> str:
        """File name of the family's multivariant playlist."""
        return f"{self.lower()}.m3u8"


@dataclass(frozen=True)
class Rung:
    """One rendition to make. `frame` is the codec's packet in samples, `codecs` its RFC 6381 name."""

    codec: Codec
    bitrate_bps: int
    encoder: str
    codecs: str
    frame: int

    @property
    def name(self) -> str:
        """Stem of the file names, such as `opus-96`."""
        return f"{self.codec.lower()}-{self.bitrate_bps // 1000}"

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
        return source_rate if self.codec is Codec.AAC and source_rate in AAC_RATES else OPUS_RATE


def _aac(kilobits: int) -> Rung:
    return Rung(Codec.AAC, kilobits * 1000, encoder="aac", codecs="mp4a.40.2", frame=1024)


def _opus(kilobits: int) -> Rung:
    return Rung(Codec.OPUS, kilobits * 1000, encoder="libopus", codecs="opus", frame=960)


LADDER = (_aac(128), _opus(48), _opus(96), _opus(160))
