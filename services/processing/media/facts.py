"""What is known of a master after the pipeline, and the bounds it was held to."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from services.processing.media.ladder import Codec
from services.processing.media.loudness import Histogram

LOSSLESS = ("pcm_", "flac", "alac")


class Stage(StrEnum):
    """What the pipeline is doing. Values are those of `Job.Stage`."""

    PROBING = "PROBING"
    ENCODING = "ENCODING"
    PUBLISHING = "PUBLISHING"


@dataclass(frozen=True)
class Limits:
    """Bounds of one master. Times are in seconds; `slowest_encode` is a multiple of real time."""

    min_seconds: float = 1.0
    max_seconds: int = 7200
    max_channels: int = 8
    max_sample_rate_hz: int = 192_000
    max_renditions_bytes: int = 4 << 30
    memory_bytes: int = 512 << 20
    probe_seconds: int = 20
    slowest_encode: float = 1.0
    encode_grace_seconds: int = 60

    def encode_seconds(self, music_seconds: float | None) -> int:
        """Return how long an encode may take: by default as long as the music lasts, and a minute."""
        expected = self.max_seconds if music_seconds is None else min(music_seconds, self.max_seconds)
        return ceil(expected / self.slowest_encode) + self.encode_grace_seconds


@dataclass(frozen=True)
class Tags:
    """What the master says about itself; empty strings and 0 when it does not."""

    title: str = ""
    artist: str = ""
    album: str = ""
    track_number: int = 0


@dataclass(frozen=True)
class Source:
    """The master as it came. `bit_depth` is None for lossy codecs.

    `seconds` is the length by the file's own account; `declared` says that the container states it, and that it is not
    a guess from size and bit rate. `pictured` says that there is a picture inside.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    bit_depth: int | None
    seconds: float | None
    declared: bool
    pictured: bool
    tags: Tags

    @property
    def lossless(self) -> bool:
        """Whether the codec keeps every sample."""
        return self.codec.startswith(LOSSLESS)


@dataclass(frozen=True)
class Rendition:
    """One encoding. Samples are per channel; priming and padding surround the `samples` that play.

    `bitrate_bps` is nominal, of FLAC the average; average and peak are measured as RFC 8216, section 4.3.4.2, defines
    them.
    """

    codec: Codec
    codecs: str
    bitrate_bps: int
    average_bitrate_bps: int
    peak_bitrate_bps: int
    sample_rate_hz: int
    samples: int
    priming_samples: int
    padding_samples: int
    media: str
    playlist: str
    size_bytes: int


@dataclass(frozen=True)
class Facts:
    """Everything that was measured and made. Loudness is that of the stereo signal which is played; None is silence.

    Silence is counted in samples at the source's rate. `waveforms` are file names, the coarse one first;
    `cover` is that of the picture inside the master, beside the preview, or empty.
    """

    samples: int
    sample_rate_hz: int
    channels: int
    duration_seconds: float
    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    loudness_blocks: Histogram
    head_silence_samples: int
    tail_silence_samples: int
    source_codec: str
    source_container: str
    source_bit_depth: int | None
    tags: Tags
    cover: str
    fingerprint: bytes
    waveforms: tuple[str, ...]
    manifests: dict[Codec, str]
    renditions: tuple[Rendition, ...]
