"""HLS playlists over one CMAF file a rendition (RFC 8216; byte ranges of a single file)."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.processing.media.facts import Rendition

VERSION = 7  # EXT-X-MAP in a playlist of fMP4 segments


@dataclass(frozen=True)
class Segment:
    """One fragment of the file: bytes and seconds."""

    size: int
    seconds: float


@dataclass(frozen=True)
class Piece:
    """A file with some fragments of a growing rendition, from `start` on; in the first one the header comes before."""

    media: str
    start: int
    segments: Sequence[Segment]


def target_duration(segments: Sequence[Segment]) -> int:
    """Return EXT-X-TARGETDURATION, which no rounded EXTINF may exceed."""
    return max(1, *(int(segment.seconds + 0.5) for segment in segments)) if segments else 1


def average_bitrate(segments: Sequence[Segment]) -> int:
    """Return bits a second over the whole rendition."""
    return round(8 * sum(s.size for s in segments) / sum(s.seconds for s in segments))


def peak_bitrate(segments: Sequence[Segment]) -> int:
    """Return the largest bit rate of neighbours that last 0.5 to 1.5 target durations together (RFC 8216, 4.1)."""
    target = target_duration(segments)
    peak = average_bitrate(segments)
    for first in range(len(segments)):
        size, seconds = 0, 0.0
        for segment in segments[first:]:
            size, seconds = size + segment.size, seconds + segment.seconds
            if seconds > 1.5 * target:
                break
            if seconds >= 0.5 * target:
                peak = max(peak, round(8 * size / seconds))
    return peak


def media_playlist(media: str, header_size: int, segments: Sequence[Segment]) -> str:
    """Write the playlist of one rendition: its header at the front of the file, then fragment after fragment."""
    lines = [
        *_head("VOD", target_duration(segments), media, header_size),
        *_ranges(media, header_size, segments),
        "#EXT-X-ENDLIST",
    ]
    return "\n".join([*lines, ""])


def growing_playlist(header_size: int, pieces: Sequence[Piece], longest_seconds: int, *, is_over: bool) -> str:
    """Write the playlist of a rendition that is still being made; what it names stays as it is.

    `longest_seconds` is promised of all segments, those to come included (RFC 8216, 4.3.3.1).
    """
    lines = _head("EVENT", longest_seconds, pieces[0].media, header_size)
    for piece in pieces:
        lines += _ranges(piece.media, piece.start, piece.segments)
    return "\n".join([*lines, *["#EXT-X-ENDLIST"] * is_over, ""])


def _head(kind: str, target_seconds: int, media: str, header_size: int) -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_seconds}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{kind}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{media}",BYTERANGE="{header_size}@0"',
    ]


def _ranges(media: str, start: int, segments: Sequence[Segment]) -> list[str]:
    """Name the segments of a file, one behind the other from `start` on."""
    lines = []
    for segment in segments:
        lines += [f"#EXTINF:{segment.seconds:.6f},", f"#EXT-X-BYTERANGE:{segment.size}@{start}", media]
        start += segment.size
    return lines


def multivariant_playlist(renditions: Sequence[Rendition]) -> str:
    """Write the playlist that names the renditions of one codec family, cheapest first."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for rendition in sorted(renditions, key=lambda each: each.peak_bitrate_bps):
        rates = f"BANDWIDTH={rendition.peak_bitrate_bps},AVERAGE-BANDWIDTH={rendition.average_bitrate_bps}"
        lines += [f'#EXT-X-STREAM-INF:{rates},CODECS="{rendition.codecs}"', rendition.playlist]
    return "\n".join([*lines, ""])
