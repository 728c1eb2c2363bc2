"""A strict reading of RFC 8216 and of the files that playlists name: what is wrong with a folder of renditions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TAG = re.compile(r"#(EXT[A-Z0-9-]*)(?::(.*))?")
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)')
SECONDS, RANGE = re.compile(r"(\d+\.\d+),"), re.compile(r"(\d+)@(\d+)")
SAMPLE_ENTRIES = {b"mp4a": "mp4a.40.2", b"Opus": "opus", b"fLaC": "fLaC"}
ONCE = {"EXTM3U", "EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS"}
ONCE_IN_MEDIA = ONCE | {
    *("EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-PLAYLIST-TYPE", "EXT-X-MAP", "EXT-X-ENDLIST")
}
LEAST_VERSION = 6  # EXT-X-MAP beside whole segments, section 7


@dataclass(frozen=True)
class Tag:
    """One line that begins with #EXT."""

    name: str
    value: str


@dataclass
class Reading:
    """The lines of one playlist, and what was found wrong with it."""

    name: str
    lines: list[Tag | str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def expect(self, met: object, rule: str) -> None:
        """Note the rule unless it is met."""
        if not met:
            self.faults.append(f"{self.name}: {rule}")

    def value(self, name: str) -> str:
        """Return the value of a tag; an empty string when there is none."""
        return next((line.value for line in self.lines if isinstance(line, Tag) and line.name == name), "")

    def names(self) -> list[str]:
        """Return the names of all tags in their order."""
        return [line.name for line in self.lines if isinstance(line, Tag)]


@dataclass(frozen=True)
class Segment:
    """One segment as a media playlist describes it."""

    seconds: float
    start: int
    size: int


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the playlists of a folder; every one of them has to belong to a family."""
    named: set[str] = set()
    playlists = {path.name: _read(path) for path in folder.glob("*.m3u8")}
    families = [reading for reading in playlists.values() if "EXT-X-STREAM-INF" in reading.names()]
    for family in families:
        named |= {family.name, *(line for line in family.lines if isinstance(line, str))}
        _check_family(family, folder)
    lone = [f"{name}: is named by a family, and is there" for name in sorted(playlists.keys() ^ named)]
    return lone + [fault for reading in playlists.values() for fault in reading.faults]


def _read(path: Path) -> Reading:
    """Split a playlist into tags and addresses (section 4.1)."""
    reading = Reading(path.name)
    text = path.read_bytes().decode()
    reading.expect(text.startswith("#EXTM3U\n"), "begins with #EXTM3U, without a mark of the byte order")
    for line in text.splitlines():
        if tag := TAG.fullmatch(line):
            reading.lines.append(Tag(tag[1], tag[2] or ""))
        elif line and not line.startswith("#"):
            reading.lines.append(line)
    return reading


def _check_common(reading: Reading, once: set[str], repeated: set[str]) -> None:
    names = reading.names()
    for name in sorted(once):
        reading.expect(names.count(name) == 1, f"has {name} once")
    reading.expect(set(names) <= once | repeated, "has no other tags than its kind may have")
    version = reading.value("EXT-X-VERSION")
    reading.expect(version.isdecimal() and int(version) >= LEAST_VERSION, "states a version that has all its tags")


def _check_family(family: Reading, folder: Path) -> None:
    """Check a multivariant playlist and its variants (section 4.3.4)."""
    _check_common(family, ONCE, {"EXT-X-STREAM-INF"})
    variants = [line for line in family.lines if isinstance(line, str)]
    family.expect(len(variants) == len(set(variants)), "names a variant once")
    body = [line for line in family.lines if isinstance(line, str) or line.name == "EXT-X-STREAM-INF"]
    for stream, variant in zip(body[::2], body[1::2], strict=False):
        if not isinstance(stream, Tag) or not isinstance(variant, str):
            break
        attributes = _attributes(family, stream.value)
        segments, codec = _check_media(folder, variant, family)
        peak, average = _rates(segments)
        for rate, expected in (("BANDWIDTH", peak), ("AVERAGE-BANDWIDTH", average)):
            family.expect(_is_near(attributes.get(rate, ""), expected), f"states {rate}={expected:.0f} for {variant}")
        family.expect(attributes.get("CODECS") == f'"{codec}"', f'states CODECS="{codec}" for {variant}')
    family.expect(len(body) == 2 * len(variants) == 2 * family.names().count("EXT-X-STREAM-INF"), "pairs its lines")


def _attributes(reading: Reading, text: str) -> dict[str, str]:
    """Read an attribute list (section 4.2)."""
    pairs = ATTRIBUTE.findall(text)
    reading.expect(ATTRIBUTE.sub("", text) == "", "has well-formed attributes")
    reading.expect(len(pairs) == len(dict(pairs)), "has each attribute once")
    return dict(pairs)


def _check_media(folder: Path, name: str, family: Reading) -> tuple[list[Segment], str]:
    """Check a media playlist (section 4.3.3) against the bytes it names; answers its segments and its codec."""
    if not (folder / name).is_file():
        family.expect(met=False, rule=f"names {name}, which is there")
        return [], ""
    reading = _read(folder / name)
    _check_common(reading, ONCE_IN_MEDIA, {"EXTINF", "EXT-X-BYTERANGE"})
    reading.expect(reading.value("EXT-X-PLAYLIST-TYPE") == "VOD", "is VOD")
    reading.expect(reading.value("EXT-X-MEDIA-SEQUENCE") == "0", "begins with segment 0")
    reading.expect(reading.names()[-1:] == ["EXT-X-ENDLIST"], "ends with EXT-X-ENDLIST")
    first = next((at for at, line in enumerate(reading.lines) if isinstance(line, Tag) and line.name == "EXTINF"), 0)
    head = {line.name for line in reading.lines[:first] if isinstance(line, Tag)}
    reading.expect(head == ONCE_IN_MEDIA - {"EXT-X-ENDLIST"}, "says what holds for all segments before the first one")
    segments = list(_segments(reading, reading.lines[first:-1]))
    target = reading.value("EXT-X-TARGETDURATION")
    longest = max((int(segment.seconds + 0.5) for segment in segments), default=0)
    reading.expect(target.isdecimal() and int(target) >= longest > 0, "has a target that no segment exceeds")
    codec = _check_bytes(reading, folder, segments)
    family.faults += reading.faults
    return segments, codec


def _segments(reading: Reading, lines: Sequence[Tag | str]) -> Iterator[Segment]:
    """Read the segments, three lines each."""
    reading.expect(len(lines) % 3 == 0 and lines, "has three lines for every segment")
    for length, span, address in zip(lines[::3], lines[1::3], lines[2::3], strict=False):
        seconds = SECONDS.fullmatch(_value(length, "EXTINF"))
        place = RANGE.fullmatch(_value(span, "EXT-X-BYTERANGE"))
        reading.expect(
            seconds and place and isinstance(address, str), "has a length, a range and an address for every segment"
        )
        if seconds and place:
            yield Segment(float(seconds[1]), int(place[2]), int(place[1]))


def _value(line: Tag | str, name: str) -> str:
    return line.value if isinstance(line, Tag) and line.name == name else ""


def _check_bytes(reading: Reading, folder: Path, segments: Sequence[Segment]) -> str:
    """Check that the ranges cover the file, box by box; answers the codec that the file has."""
    attributes = _attributes(reading, reading.value("EXT-X-MAP"))
    media = attributes.get("URI", "").strip('"')
    addresses = {line for line in reading.lines if isinstance(line, str)}
    reading.expect(addresses == {media} and (folder / media).is_file(), "names one file, which is there")
    if not (media and (folder / media).is_file()):
        return ""
    data = (folder / media).read_bytes()
    header = re.fullmatch(r'"(\d+)@0"', attributes.get("BYTERANGE", ""))
    end = int(header[1]) if header else 0
    reading.expect(_boxes(data[:end]) == [b"ftyp", b"moov"], "has a map of ftyp and moov")
    for segment in segments:
        reading.expect(segment.start == end, "has no gap before a segment")
        end = segment.start + segment.size
        reading.expect(_boxes(data[segment.start : end]) == [b"moof", b"mdat"], "has one fragment in each segment")
    reading.expect(end == len(data), "reaches to the end of the file")
    return SAMPLE_ENTRIES.get(data[data.find(b"stsd") + 16 :][:4], "")


def _boxes(data: bytes) -> list[bytes]:
    """Return the names of the boxes; none of them for bytes which are not whole boxes."""
    names, offset = [], 0
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset : offset + 4])
        names.append(data[offset + 4 : offset + 8])
        offset += max(size, 8)
    return names if offset == len(data) else []


def _is_near(text: str, rate: float) -> bool:
    """Whether a decimal integer is this rate, as far as lengths of whole microseconds tell it."""
    return text.isdecimal() and abs(int(text) - rate) <= 1 + rate * 1e-5


def _rates(segments: Sequence[Segment]) -> tuple[float, float]:
    """Return peak and average bits a second: the peak over all contiguous 0.5 to 1.5 targets (section 4.1)."""
    if not segments:
        return 0.0, 0.0
    target = max(int(segment.seconds + 0.5) for segment in segments)
    average = 8 * sum(segment.size for segment in segments) / sum(segment.seconds for segment in segments)
    rates = [average]
    for first in range(len(segments)):
        for last in range(first, len(segments)):
            some = segments[first : last + 1]
            seconds = sum(segment.seconds for segment in some)
            if 0.5 * target <= seconds <= 1.5 * target:
                rates.append(8 * sum(segment.size for segment in some) / seconds)
    return max(rates), average
