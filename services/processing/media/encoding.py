"""The encoding run: every pipe of FFmpeg is read by its own task, in memory that does not grow with the music."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from services.common.tasks import end
from services.processing.ffmpeg import Ffmpeg, Run, TooManyErrorsError, encode_arguments
from services.processing.media.cmaf import BrokenStreamError, Header, read_fragments, read_header
from services.processing.media.facts import Source, Stage
from services.processing.media.ladder import Codec, Rung
from services.processing.media.loudness import Blocks
from services.processing.media.playlists import Segment
from services.processing.media.preview import Preview
from services.processing.media.recipe import Recipe
from services.processing.media.refusals import Reason, TranscodeError
from services.processing.media.silence import Silence
from services.processing.media.sink import IMMUTABLE, MEDIA_TYPE, Sink, Writer
from services.processing.media.verdict import Outcome
from services.processing.media.waveform import Waveform
from services.processing.pipes import Pipe
from services.processing.sandbox import Allowance

PCM_CHUNK = 256 << 10
MOST_PRINT_BYTES = 1 << 20
OTHER_OUTPUTS = 3  # the fingerprint, PCM, and the loudness of blocks
SAMPLE = np.dtype("<i2")

OnProgress = Callable[[Stage, int], None]
"""Hears the stage and the percentage of the master that was encoded, once for each percent. Must not block."""


@dataclass
class Track:
    """One rendition on its way to the sink. `length` is in samples, with priming and padding."""

    rung: Rung
    header: Header | None = None
    segments: list[Segment] = field(default_factory=list)
    length: int = 0
    writer: Writer | None = None
    preview: Preview | None = None


@dataclass
class Encoding:
    """One master's renditions and measurements while they are made. The caller closes or aborts the writers."""

    source: Source
    recipe: Recipe
    sink: Sink
    on_progress: OnProgress
    preview: Preview | None = None
    tracks: list[Track] = field(init=False)
    waveform: Waveform = field(default_factory=Waveform)
    silence: Silence = field(default_factory=Silence)
    blocks: Blocks = field(default_factory=Blocks)
    fingerprint: bytes = b""
    written_bytes: int = 0

    def __post_init__(self) -> None:
        """Lay out the renditions that suit the master; the first AAC, which every player knows, can be previewed."""
        self.tracks = [Track(rung) for rung in self.recipe.rungs(lossless=self.source.lossless)]
        next(track for track in self.tracks if track.rung.codec is Codec.AAC).preview = self.preview

    async def run(self, ffmpeg: Ffmpeg, master: Path) -> Outcome:
        """Encode to the end. Raises TranscodeError for a run that had to be stopped, and whatever the sink raises."""
        seconds = self.recipe.limits.encode_seconds(self.source.seconds)
        allowance = Allowance(self.recipe.limits.memory_bytes, cpu_seconds=2 * seconds)
        async with ffmpeg.run(self._arguments, master, len(self.tracks) + OTHER_OUTPUTS, allowance) as run:
            try:
                async with asyncio.timeout(seconds) as deadline:
                    await self._read(run)
                    return Outcome(await run.wait(), self.waveform.samples, run.log)
            except TimeoutError:
                if not deadline.expired():
                    raise  # the sink's
                raise TranscodeError(Reason.ENCODER_CRASHED, log=run.log.text) from None
            except BrokenStreamError as broken:
                raise TranscodeError(Reason.ENCODER_CRASHED, log=run.log.text) from broken
            except TooManyErrorsError:
                raise TranscodeError(Reason.CORRUPT, log=run.log.text) from None

    def _arguments(self, outputs: Sequence[int]) -> list[str]:
        """Allow one second more than may be, so that a master which is too long shows."""
        rungs = [track.rung for track in self.tracks]
        longest = self.recipe.limits.max_seconds + 1
        return encode_arguments(rungs, self.source, longest, self.recipe.fragment_seconds, outputs)

    async def _read(self, run: Run) -> None:
        """Read all pipes at once; the first failure ends the others."""
        *media, prints, pcm, blocks = run.outputs
        readings = [self._read_track(track, reader) for track, reader in zip(self.tracks, media, strict=True)]
        readings += [self._read_print(prints), self._read_pcm(pcm), self._read_blocks(blocks), run.drain_log()]
        tasks = [asyncio.create_task(reading) for reading in readings]
        try:
            await asyncio.gather(*tasks)
        finally:
            await end(*tasks)

    async def _read_track(self, track: Track, reader: Pipe) -> None:
        """Hand a rendition to the sink, fragment by fragment."""
        track.header = await read_header(reader)
        if track.header is None:
            return
        track.writer = await self.sink.open(track.rung.media, MEDIA_TYPE, IMMUTABLE)
        await self._write(track.writer, track.header.data)
        if track.preview:
            await track.preview.begin(track.header)
        async for fragment in read_fragments(reader):
            segment = Segment(len(fragment.data), fragment.duration / track.header.timescale)
            track.segments.append(segment)
            track.length += fragment.duration
            await self._write(track.writer, fragment.data)
            if track.preview:
                await track.preview.add(fragment, segment)
        if track.preview:
            await track.preview.end()

    async def _write(self, writer: Writer, data: bytes) -> None:
        self.written_bytes += len(data)
        if self.written_bytes > self.recipe.limits.max_renditions_bytes:
            raise BrokenStreamError("More bytes than a master of the longest length makes")
        await writer.write(data)

    async def _read_pcm(self, reader: Pipe) -> None:
        """Count the samples and draw them; tell how far it is."""
        rest, told = b"", 0
        while chunk := await reader.read(PCM_CHUNK):
            chunk = rest + chunk
            whole = len(chunk) // SAMPLE.itemsize * SAMPLE.itemsize
            samples = np.frombuffer(chunk[:whole], SAMPLE)
            self.waveform.add(samples)
            self.silence.add(samples)
            rest = chunk[whole:]
            if (percent := self._percent()) > told:
                told = percent
                self.on_progress(Stage.ENCODING, percent)

    async def _read_print(self, reader: Pipe) -> None:
        """Take down what the sound is known by; it comes at once, at the end of what is described."""
        self.fingerprint = await reader.read_all(MOST_PRINT_BYTES)

    async def _read_blocks(self, reader: Pipe) -> None:
        """Take down how loud every block is."""
        while text := await reader.read(PCM_CHUNK):
            self.blocks.add(text)

    def _percent(self) -> int:
        """Return the share of the expected length that is done; 100 is only said when all is."""
        expected = (self.source.seconds or self.recipe.limits.max_seconds) * self.source.sample_rate_hz
        return min(99, int(100 * self.waveform.samples / max(1.0, expected)))
