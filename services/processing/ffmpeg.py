"""FFmpeg: its command lines, and the one way it is run."""

import asyncio
import os
import re
import signal
from asyncio import StreamReader
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import imageio_ffmpeg

from services.common import tracing
from services.common.images import ENDINGS, SIZES
from services.processing.confine import EXIT_NOT_CONFINED
from services.processing.media import fingerprint
from services.processing.media.facts import Source
from services.processing.media.ladder import Codec, Rung
from services.processing.pictures.header import MAX_SIDE, Format, Header
from services.processing.pipes import Pipe, widen
from services.processing.sandbox import Allowance, Sandbox

FORMATS = ("ogg", "flac", "wav", "w64", "aiff", "mp3", "mov", "aac", "matroska", "caf")
PCM_FORMS = ("u8", "s8", *(f"{form}{order}" for form in ("s16", "s24", "s32", "f32", "f64") for order in ("le", "be")))
CODECS = ("aac", "alac", "flac", "mp3", "opus", "vorbis", *(f"pcm_{form}" for form in PCM_FORMS))
DECODERS = (*CODECS, "mp3float", "libopus")  # decoders are named after their codec, but for these two
PICTURES = {  # demuxer and decoder
    Format.PNG: ("png_pipe", "png"),
    Format.JPEG: ("jpeg_pipe", "mjpeg"),
    Format.WEBP: ("webp_pipe", "webp"),
    Format.ANIMATED_WEBP: ("webp_anim", "webp_anim"),
}
PICTURE_ENCODERS = {
    "webp": ("-c:v", "libwebp", "-quality", "82", "-f", "image2pipe"),
    "jpg": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "3", "-f", "image2pipe"),
}
PIXELS = ("-c:v", "rawvideo", "-pix_fmt", "rgb24", "-f", "rawvideo")
MAX_STREAMS = 16
MAX_ALLOCATION = 256 << 20
SHALLOW_BITS = 16
BLOCK_LOUDNESS = "lavfi.r128.M"

READ_AHEAD = 256 << 10
HEAD_OF_LOG, TAIL_OF_LOG, LONGEST_LINE = 5 << 10, 10 << 10, 2 << 10
CRASHES = (1, EXIT_NOT_CONFINED, 126, 127, 255)  # of the sandbox, of a missing program, and of FFmpeg told to end
SHELL_SIGNAL = 128  # bubblewrap reports a signal as a shell does
MAX_ERRORS = 200  # a file with so many has no chance, and its log no value

Arguments = Callable[[Sequence[int]], list[str]]
"""Builds a command line from the descriptors that FFmpeg shall write to."""


def _input() -> list[str]:
    """Name the input: descriptor 0 and nothing else, in a few formats and codecs, without pictures and subtitles.

    A white-list of protocols alone still lets a playlist that is named .mp3 open other files.
    """
    return [
        *(*_closed(FORMATS, DECODERS), "-max_streams", str(MAX_STREAMS)),
        *("-probesize", "5000000", "-analyzeduration", "10000000", "-err_detect", "crccheck"),
        *("-vn", "-sn", "-dn", "-fd", "0"),
    ]


def _closed(formats: Sequence[str], decoders: Sequence[str]) -> list[str]:
    """Begin a command line that opens nothing but descriptors, in these formats and codecs, in bounded memory."""
    return [
        *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "repeat+level+info"),
        *("-protocol_whitelist", "fd", "-format_whitelist", ",".join(formats), "-codec_whitelist", ",".join(decoders)),
        *("-max_alloc", str(MAX_ALLOCATION), "-threads", "1"),
    ]


def probe_arguments(outputs: Sequence[int]) -> list[str]:
    """Ask for the tags of the first audio stream; what it is stands in the log."""
    return [
        *(*_input(), "-i", "fd:", "-map", "0:a:0", "-c", "copy", "-frames:a", "1"),
        *("-f", "ffmetadata", f"pipe:{outputs[0]}"),
    ]


def encode_arguments(
    rungs: Sequence[Rung], source: Source, max_seconds: int, fragment_seconds: int, outputs: Sequence[int]
) -> list[str]:
    """Ask for all in one pass: every rung as fragmented MP4, fingerprint, 16-bit mono PCM, and the loudness of blocks.

    The last three outputs are for what is not a rung, in this order; the loudness of the whole stands in the log.
    """
    arguments = [
        *_input(),
        *("-t", str(max_seconds), "-i", "fd:", "-filter_complex", _graph(rungs, source, outputs[-1])),
    ]
    for number, rung in enumerate(rungs):
        arguments += ["-map", f"[rung{number}]", *_encoder(rung, source), *_fragments(fragment_seconds)]
        arguments.append(f"pipe:{outputs[number]}")
    arguments += ["-map", "[print]", "-t", str(fingerprint.SECONDS), "-f", "chromaprint", "-fp_format", "raw"]
    arguments.append(f"pipe:{outputs[-3]}")
    return [*arguments, "-map", "[pcm]", "-f", "s16le", "-flush_packets", "0", f"pipe:{outputs[-2]}"]


def cover_arguments(outputs: Sequence[int]) -> list[str]:
    """Ask for the picture inside a master as it is: no decoder sees it."""
    return [
        *(*_closed(FORMATS, DECODERS), "-max_streams", str(MAX_STREAMS), "-an", "-sn", "-dn", "-fd", "0", "-i", "fd:"),
        *("-map", "0:v:0", "-c", "copy", "-frames:v", "1", "-f", "image2pipe", f"pipe:{outputs[0]}"),
    ]


def picture_arguments(header: Header, outputs: Sequence[int]) -> list[str]:
    """Ask for every size of a picture as WebP and as JPEG, and for the pixels of the smallest one.

    The square in the middle, upright and laid on white, so that both formats show the same. Nothing is enlarged, and
    nothing that the file says about itself is kept.
    """
    demuxer, decoder = PICTURES[header.format]
    arguments = [
        *(*_closed([demuxer], [decoder]), "-max_pixels", str(MAX_SIDE**2), "-an", "-sn", "-dn"),
        *("-f", demuxer, "-fd", "0", "-i", "fd:", "-filter_complex", _squares(header.side)),
    ]
    writers = iter(outputs)
    for size in SIZES:
        for ending in ENDINGS:
            arguments += [*_picture(f"{ending}{size}", PICTURE_ENCODERS[ending]), f"pipe:{next(writers)}"]
    return [*arguments, *_picture("pixels", PIXELS), f"pipe:{next(writers)}"]


def _squares(side: int) -> str:
    """Build the filters: the largest square once, all others of it."""
    largest = min(side, SIZES[-1])
    chains = [
        f"color=white:s={largest}x{largest}[paper]",
        f"[0:v:0]crop=min(iw\\,ih):min(iw\\,ih):exact=1,scale={largest}:{largest}:flags=lanczos,format=rgba[ink]",
        f"[paper][ink]overlay=format=gbrp:shortest=1,sidedata=mode=delete,split={len(SIZES)}{_pads('square', SIZES)}",
    ]
    for size in SIZES:
        wanted = [f"{ending}{size}" for ending in ENDINGS] + ["pixels"] * (size == SIZES[0])
        width = min(size, side)
        pads = "".join(f"[{name}]" for name in wanted)
        chains.append(f"[square{size}]scale={width}:{width}:flags=lanczos,format=rgb24,split={len(wanted)}{pads}")
    return ";".join(chains)


def _picture(pad: str, encoder: Sequence[str]) -> list[str]:
    return [
        *("-map", f"[{pad}]", "-frames:v", "1", "-threads", "1", *encoder),
        *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"),
    ]


def _graph(rungs: Sequence[Rung], source: Source, blocks: int) -> str:
    """Build the filters: one stereo signal, resampled once for each rate, metered and mixed to mono.

    A mono master sounds from both sides at its own level. rematrix_maxval keeps the downmix of 5.1 from clipping.
    Time is the count of samples, as it is in PCM: a frame which cannot be decoded leaves no hole in one rendition only.
    The meter looks at the last 400 ms ten times a second, which are the blocks that integrated loudness is made of.
    """
    stereo = "pan=stereo|c0=c0|c1=c0" if source.channels == 1 else "aresample=ochl=stereo:rematrix_maxval=1.0"
    rates = sorted({rung.sample_rate(source.sample_rate_hz) for rung in rungs})
    chains = [f"[0:a:0]{stereo},asettb=1/sr,asetpts=N,asplit={len(rates) + 2}{_pads('rate', rates)}[meter][mono]"]
    for rate in rates:
        numbers = [number for number, rung in enumerate(rungs) if rung.sample_rate(source.sample_rate_hz) == rate]
        chains.append(f"[rate{rate}]aresample={rate},asplit={len(numbers)}{_pads('rung', numbers)}")
    printed = f"ametadata=mode=print:key={BLOCK_LOUDNESS}:file=pipe\\\\:{blocks}"
    chains += [
        f"[meter]ebur128=peak=true:framelog=quiet:metadata=1,{printed},anullsink",
        "[mono]aformat=sample_fmts=s16:channel_layouts=mono,asplit[pcm][print]",
    ]
    return ";".join(chains)


def _pads(name: str, numbers: Sequence[int]) -> str:
    return "".join(f"[{name}{number}]" for number in numbers)


def _encoder(rung: Rung, source: Source) -> list[str]:
    """Choose the encoder of one rung; lossy packets all get their full duration, as gapless joins need.

    FLAC keeps up to 24 bits, which is as deep as browsers play; what is deeper, or a fraction, is rounded to that.
    """
    if rung.codec is Codec.FLAC:
        depth = ("s32", "-bits_per_raw_sample", "24") if (source.bit_depth or 0) > SHALLOW_BITS else ("s16",)
        return ["-c:a", rung.encoder, "-sample_fmt", *depth]
    return ["-c:a", rung.encoder, "-b:a", str(rung.bitrate_bps), "-bsf:a", f"setts=duration={rung.frame}"]


def _fragments(seconds: int) -> list[str]:
    """Write fragmented MP4, the same bytes in every run."""
    return [
        *("-f", "mp4", "-movflags", "+cmaf+delay_moov+default_base_moof+skip_trailer"),
        *("-frag_duration", str(seconds * 1_000_000), "-avoid_negative_ts", "disabled"),
        *("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"),
    ]


class TooManyErrorsError(Exception):
    """FFmpeg reports one error after another, so the run was stopped."""


def crashed(status: int) -> bool:
    """Whether an exit status says nothing about the master, but that FFmpeg did not run to an end of its own."""
    return status < 0 or status in CRASHES


class Log:
    """What FFmpeg wrote to stderr: its first and last bytes, the number of errors, and the lines that state facts."""

    ERROR = re.compile(r"\[(error|fatal|panic)\](?! Codec \(.+\) not on whitelist)")  # which is said of every cover
    FACT = re.compile(r"^(\[info\] (Input|Output) #|\[info\]   (Duration:|Stream #)|    (I|LRA|Peak): )")
    ADDRESS = re.compile(rb" @ 0x[0-9a-f]+")
    MAX_FACTS = 200

    def __init__(self) -> None:
        self.errors = 0
        self.facts: list[str] = []
        self.warnings: set[str] = set()
        self._head = bytearray()
        self._tail = bytearray()

    async def drain(self, reader: StreamReader) -> None:
        """Read to the end, or FFmpeg would stop at a full pipe. Raises TooManyErrorsError."""
        rest = b""
        while chunk := await reader.read(READ_AHEAD):
            self._keep(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[:LONGEST_LINE]
            for line in lines:
                self._notice(line[:LONGEST_LINE].decode(errors="replace"))
            if self.errors > MAX_ERRORS:
                raise TooManyErrorsError

    def says(self, words: str) -> bool:
        """Whether a warning or an error holds these words."""
        return any(words in line for line in self.warnings)

    @property
    def text(self) -> str:
        """The beginning and the end, at most 16 KiB, without memory addresses."""
        cut = b"\n[...]\n" if len(self._tail) == TAIL_OF_LOG else b""
        return self.ADDRESS.sub(b"", bytes(self._head + cut + self._tail)).decode(errors="replace").replace("\0", "")

    def _keep(self, chunk: bytes) -> None:
        room = HEAD_OF_LOG - len(self._head)
        self._head += chunk[:room]
        self._tail = (self._tail + chunk[room:])[-TAIL_OF_LOG:]

    def _notice(self, line: str) -> None:
        if self.ERROR.search(line):
            self.errors += 1
        if ("[warning]" in line or self.ERROR.search(line)) and len(self.warnings) < self.MAX_FACTS:
            self.warnings.add(line)
        if self.FACT.match(line) and len(self.facts) < self.MAX_FACTS:
            self.facts.append(line)


@dataclass(frozen=True)
class Run:
    """A running FFmpeg. The caller reads all of `outputs` and drains the log, then waits."""

    process: asyncio.subprocess.Process
    outputs: tuple[Pipe, ...]
    log: Log
    ending: asyncio.Event

    async def drain_log(self) -> None:
        """Read stderr to its end, which is that of the process. Raises TooManyErrorsError."""
        if self.process.stderr:
            await self.log.drain(self.process.stderr)
        self.ending.set()

    async def wait(self) -> int:
        """Return the exit status, negative for a signal whoever reports it."""
        status = await self.process.wait()
        return SHELL_SIGNAL - status if SHELL_SIGNAL < status < SHELL_SIGNAL + signal.SIGRTMIN else status


@dataclass(frozen=True)
class Ffmpeg:
    """One FFmpeg binary (6.0 or newer, for the `fd:` protocol) and the sandbox it runs in."""

    binary: Path
    sandbox: Sandbox

    @classmethod
    async def find(cls, binary: Path | None = None) -> Self:
        """Take this binary or the bundled one. Raises SandboxUnavailableError where it cannot be isolated."""
        chosen = (binary or Path(imageio_ffmpeg.get_ffmpeg_exe())).resolve()
        return cls(chosen, await Sandbox.detect(chosen))

    @asynccontextmanager
    async def run(self, arguments: Arguments, master: Path, outputs: int, allowance: Allowance) -> AsyncIterator[Run]:
        """Start FFmpeg on a master; whatever happens inside the block, at its end no process and no pipe is left."""
        async with AsyncExitStack() as resources:
            resources.enter_context(tracing.step("ffmpeg", outputs=outputs))
            stdin = os.open(master, os.O_RDONLY)
            resources.callback(os.close, stdin)
            ending = asyncio.Event()
            readers: list[Pipe] = []
            writing: list[int] = []
            try:
                for _ in range(outputs):
                    reading, end = os.pipe()
                    resources.callback(os.close, reading)
                    widen(reading)
                    writing.append(end)
                    readers.append(Pipe(reading, ending))
                process = await asyncio.create_subprocess_exec(
                    *self.sandbox.command(self.binary, arguments(writing), allowance),
                    stdin=stdin,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=(*writing, *self.sandbox.descriptors),
                    env={},
                    start_new_session=True,
                    limit=READ_AHEAD,
                )
            finally:
                for end in writing:
                    os.close(end)
            resources.push_async_callback(_kill, process)
            yield Run(process, tuple(readers), Log(), ending)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the whole process group, even a stopped one, and reap it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
