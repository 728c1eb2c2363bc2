"""Asks FFmpeg, in its sandbox, what a master is, so that no library parses untrusted bytes in this process."""

import asyncio
import re
from pathlib import Path

from services.processing.ffmpeg import CODECS, Ffmpeg, Log, TooManyErrorsError, crashed, probe_arguments
from services.processing.media.containers import Structure
from services.processing.media.facts import LOSSLESS, Limits, Source, Tags
from services.processing.media.refusals import Reason, TranscodeError
from services.processing.sandbox import Allowance

INPUT = re.compile(r"^\[info\] Input #0, ([\w]+)")
DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+)")
AUDIO = re.compile(
    r"^\[info\]   Stream #0:\d+\S*: Audio: (?P<codec>\w+).*?, (?P<rate>\d+) Hz, (?P<layout>[^,]+)"
    r"(?:, (?P<format>[a-z]+\d*)p?(?: \((?P<bits>\d+) bit\))?)?"
)
LAYOUTS = {"mono": 1, "stereo": 2, "downmix": 2, "binaural": 2, "quad": 4, "hexagonal": 6, "octagonal": 8, "cube": 8}
SAMPLE_BITS = {"u8": 8, "s16": 16, "s32": 32, "flt": 32, "dbl": 64}
MAX_TAGS_BYTES = 256 << 10
MAX_TAG = 500  # characters


async def probe(master: Path, ffmpeg: Ffmpeg, limits: Limits, structure: Structure) -> Source:
    """Return what the master is. Raises TranscodeError when it cannot be music that we take."""
    allowance = Allowance(limits.memory_bytes, limits.probe_seconds)
    async with ffmpeg.run(probe_arguments, master, 1, allowance) as run:
        try:
            async with asyncio.timeout(limits.probe_seconds):
                tags, _ = await asyncio.gather(run.outputs[0].read_all(MAX_TAGS_BYTES), run.drain_log())
                status = await run.wait()
        except TimeoutError:
            raise TranscodeError(Reason.ENCODER_CRASHED, log=run.log.text) from None
        except TooManyErrorsError:
            raise TranscodeError(Reason.CORRUPT, log=run.log.text) from None
    if crashed(status):
        raise TranscodeError(Reason.ENCODER_CRASHED, log=run.log.text)
    source = _source(run.log, tags)
    if source is None:
        raise TranscodeError(_why_not(run.log, structure), log=run.log.text)
    _refuse_unwanted(source, limits, run.log.text)
    return source


def _source(log: Log, tags: bytes) -> Source | None:
    """Read the log's description of the input; None when there is none, or none of any sound."""
    container = next((found[1] for found in map(INPUT.match, log.facts) if found), None)
    audio = next((found for found in map(AUDIO.match, log.facts) if found), None)
    if container is None or audio is None:
        return None
    duration = next((found for found in map(DURATION.match, log.facts) if found), None)
    return Source(
        container=container,
        codec=audio["codec"],
        sample_rate_hz=int(audio["rate"]),
        channels=_channels(audio["layout"]),
        bit_depth=_bit_depth(audio),
        seconds=3600 * int(duration[1]) + 60 * int(duration[2]) + float(duration[3]) if duration else None,
        declared=duration is not None and not log.says("Estimating duration"),
        pictured=any("(attached pic)" in fact for fact in log.facts),
        tags=parse_tags(tags.decode(errors="replace")),
    )


def _channels(layout: str) -> int:
    """Count the channels of a layout such as `stereo`, `5.1(side)` or `12 channels`; 0 when it is unheard of."""
    name = layout.split("(", maxsplit=1)[0].strip()
    if counted := re.fullmatch(r"(\d+) channels.*", name):
        return int(counted[1])
    if re.fullmatch(r"\d+(\.\d+)+", name):
        return sum(map(int, name.split(".")))
    return LAYOUTS.get(name, 0)


def _bit_depth(audio: re.Match[str]) -> int | None:
    if not audio["codec"].startswith(LOSSLESS):
        return None
    return int(audio["bits"]) if audio["bits"] else SAMPLE_BITS.get(audio["format"])


def parse_tags(document: str) -> Tags:
    """Read FFmpeg's metadata form, in which a backslash protects the next character, even a line end.

    Tags of the file win over those of its stream.
    """
    found: dict[str, str] = {}
    for line in re.findall(r"(?:[^\\\n]|\\(?:.|\n))+", document):
        name, separator, value = line.partition("=")
        if separator:
            found.setdefault(name.lower(), re.sub(r"\\(.|\n)", r"\1", value).strip()[:MAX_TAG])
    number = re.match(r"\d{1,4}", found.get("track", found.get("tracknumber", "")))
    return Tags(
        title=found.get("title", ""),
        artist=found.get("artist", ""),
        album=found.get("album", ""),
        track_number=int(number[0]) if number else 0,
    )


def _why_not(log: Log, structure: Structure) -> Reason:
    """Name the reason why FFmpeg found no sound."""
    if log.says("matches no streams") or log.says("two consecutive MPEG audio frames") or structure.kind == "picture":
        return Reason.NO_AUDIO_STREAM
    if log.says("moov atom not found") or structure.complete is False:
        return Reason.TRUNCATED
    if structure.kind is None or log.says("not on whitelist"):
        return Reason.UNSUPPORTED_CONTAINER
    return Reason.CORRUPT


def _refuse_unwanted(source: Source, limits: Limits, log: str) -> None:
    """Refuse before anything is decoded what is too big or cannot be decoded."""
    if source.codec not in CODECS:
        message = "The sound is in an unknown form, or protected. Upload WAV, FLAC, AAC, MP3, Ogg or Opus."
        raise TranscodeError(Reason.UNSUPPORTED_CONTAINER, message, log)
    if not 0 < source.channels <= limits.max_channels:
        message = f"At most {limits.max_channels} channels are possible. Mix the sound down and upload it again."
        raise TranscodeError(Reason.UNSUPPORTED_CONTAINER, message, log)
    if source.sample_rate_hz > limits.max_sample_rate_hz:
        message = (
            f"At most {limits.max_sample_rate_hz} samples a second are possible. Convert the sound and upload it again."
        )
        raise TranscodeError(Reason.UNSUPPORTED_CONTAINER, message, log)
    if source.declared and source.seconds is not None and source.seconds > limits.max_seconds:
        raise TranscodeError(Reason.TOO_LONG, log=log)
