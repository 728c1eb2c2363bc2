"""From a master to HLS: look at it, encode it in one pass of FFmpeg, judge the outcome, publish.

Nothing appears before FFmpeg has ended well and the figures agree; then media first, playlists after, and multivariant
playlists last.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from services.common.tasks import end
from services.processing.ffmpeg import Ffmpeg
from services.processing.media import loudness, waveform
from services.processing.media.containers import FRONT_LOADED, Structure, inspect
from services.processing.media.cover import keep_cover
from services.processing.media.encoding import Encoding, OnProgress, Track
from services.processing.media.facts import Facts, Limits, Rendition, Source, Stage
from services.processing.media.ladder import Codec
from services.processing.media.master import Master
from services.processing.media.playlists import average_bitrate, media_playlist, multivariant_playlist, peak_bitrate
from services.processing.media.preview import Preview
from services.processing.media.probe import probe
from services.processing.media.recipe import Recipe
from services.processing.media.refusals import Reason, TranscodeError
from services.processing.media.sink import IMMUTABLE, JSON_TYPE, PLAYLIST_TYPE, REVALIDATED, Sink
from services.processing.media.verdict import Outcome, refuse


async def transcode(  # noqa: PLR0913 (what to read, where to write and whom to tell)
    master: Master,
    sink: Sink,
    ffmpeg: Ffmpeg,
    recipe: Recipe,
    on_progress: OnProgress,
    *,
    preview: Preview | None = None,
) -> Facts:
    """Encode, measure and publish a master. Raises TranscodeError, and whatever the sinks raise.

    What is lossless is encoded while it arrives, and judged when it is whole. Cancelling the call kills FFmpeg and
    aborts the files which were begun. Only the bytes of `master` are seen, not its name.
    """
    on_progress(Stage.PROBING, 0)
    await master.begun()
    was_whole = master.is_whole
    structure, source = await _look_early(master, ffmpeg, recipe.limits)
    on_progress(Stage.ENCODING, 0)
    encoding = Encoding(source, recipe, sink, on_progress, preview)
    try:
        async with master.stream() as stream:
            run = encoding.run(ffmpeg, stream)
            if was_whole:
                outcome = await run
            else:
                outcome, (structure, encoding.source) = await _both(
                    run, _look_again(master, ffmpeg, recipe.limits, source)
                )
        refuse(outcome, encoding.source, structure, recipe.limits)
        cover = await _keep_cover(encoding, master.path, ffmpeg)
        facts = _facts(encoding, outcome, cover)
        on_progress(Stage.PUBLISHING, 100)
        await _publish(encoding, facts)
    except BaseException:
        begun = [track.writer.abort() for track in encoding.tracks if track.writer]
        await asyncio.gather(*begun, return_exceptions=True)  # the first failure is the one to tell
        raise
    return facts


async def _look_early(master: Master, ffmpeg: Ffmpeg, limits: Limits) -> tuple[Structure, Source]:
    """Find out what a master is, of its beginning if that is enough. Raises TranscodeError, and what went wrong."""
    was_whole = master.is_whole
    try:
        return await _look(master.path, ffmpeg, limits)
    except TranscodeError:
        if was_whole:
            raise
    await master.arrived()
    return await _look(master.path, ffmpeg, limits)


async def _look(master: Path, ffmpeg: Ffmpeg, limits: Limits) -> tuple[Structure, Source]:
    """Find out what a master is, or what it seems to be while only its beginning is there. Raises TranscodeError."""
    structure = await _inspect(master)
    return structure, await probe(master, ffmpeg, limits, structure)


async def _look_again(master: Master, ffmpeg: Ffmpeg, limits: Limits, seemed: Source) -> tuple[Structure, Source]:
    """Find out what a master is when it is whole. Raises TranscodeError, and whatever went wrong on its way."""
    await master.arrived()
    structure = await _inspect(master.path)
    if structure.kind in FRONT_LOADED:
        return structure, seemed
    return structure, await probe(master.path, ffmpeg, limits, structure)


async def _inspect(master: Path) -> Structure:
    """Read what the file says of its own form. Raises TranscodeError for what cannot be a recording."""
    structure = await asyncio.to_thread(inspect, master)
    if not structure.size_bytes:
        raise TranscodeError(Reason.EMPTY)
    if structure.chained:
        message = "The file holds several recordings, one after another. Upload each of them as its own track."
        raise TranscodeError(Reason.UNSUPPORTED_CONTAINER, message)
    return structure


async def _both(
    run: Coroutine[Any, Any, Outcome], look: Coroutine[Any, Any, tuple[Structure, Source]]
) -> tuple[Outcome, tuple[Structure, Source]]:
    """Wait for both; the first failure ends the other."""
    tasks = asyncio.create_task(run), asyncio.create_task(look)
    try:
        return await asyncio.gather(*tasks)
    finally:
        await end(*tasks)


async def _keep_cover(encoding: Encoding, master: Path, ffmpeg: Ffmpeg) -> str:
    if encoding.preview is None or not encoding.source.pictured:
        return ""
    return await keep_cover(master, encoding.preview.sink, ffmpeg, encoding.recipe.limits)


def _facts(encoding: Encoding, outcome: Outcome, cover: str) -> Facts:
    """Put together what was measured. Raises TranscodeError when a rendition does not hold the whole sound."""
    source = encoding.source
    renditions = tuple(_rendition(track, source, outcome) for track in encoding.tracks)
    measured = loudness.read(outcome.log.facts, encoding.blocks)
    return Facts(
        samples=outcome.samples,
        sample_rate_hz=source.sample_rate_hz,
        channels=source.channels,
        duration_seconds=outcome.samples / source.sample_rate_hz,
        integrated_lufs=measured.integrated_lufs,
        range_lu=measured.range_lu,
        true_peak_dbtp=measured.true_peak_dbtp,
        source_codec=source.codec,
        source_container=source.container,
        source_bit_depth=source.bit_depth,
        tags=source.tags,
        cover=cover,
        fingerprint=encoding.fingerprint,
        loudness_blocks=encoding.blocks.histogram(),
        head_silence_samples=encoding.silence.head,
        tail_silence_samples=encoding.silence.tail,
        waveforms=tuple(waveform.SIZES),
        manifests={codec: codec.playlist for codec in Codec if any(each.codec is codec for each in renditions)},
        renditions=renditions,
    )


def _rendition(track: Track, source: Source, outcome: Outcome) -> Rendition:
    rung, header = track.rung, track.header
    rate = rung.sample_rate(source.sample_rate_hz)
    samples = (outcome.samples * rate * 2 + source.sample_rate_hz) // (2 * source.sample_rate_hz)
    padding = track.length - (header.priming if header else 0) - samples
    if header is None or header.timescale != rate or padding not in range(2 * rung.frame or 1):
        raise TranscodeError(Reason.CORRUPT, log=outcome.log.text)  # the sound changes its form on the way
    average = average_bitrate(track.segments)
    return Rendition(
        codec=rung.codec,
        codecs=rung.codecs,
        bitrate_bps=rung.bitrate_bps or average,
        average_bitrate_bps=average,
        peak_bitrate_bps=peak_bitrate(track.segments),
        sample_rate_hz=rate,
        samples=samples,
        priming_samples=header.priming,
        padding_samples=padding,
        media=rung.media,
        playlist=rung.playlist,
        size_bytes=len(header.data) + sum(segment.size for segment in track.segments),
    )


async def _publish(encoding: Encoding, facts: Facts) -> None:
    """Make the files appear, each only after everything it points to."""
    sink = encoding.sink
    drawings = {name: encoding.waveform.document(facts.sample_rate_hz, most) for name, most in waveform.SIZES.items()}
    await asyncio.gather(
        *(track.writer.close() for track in encoding.tracks if track.writer),
        *(sink.put(name, drawing, JSON_TYPE, IMMUTABLE) for name, drawing in drawings.items()),
    )
    playlists = {
        track.rung.playlist: media_playlist(track.rung.media, len(track.header.data), track.segments)
        for track in encoding.tracks
        if track.header
    }
    await _put_playlists(sink, playlists)
    families = {
        name: multivariant_playlist([each for each in facts.renditions if each.codec is codec])
        for codec, name in facts.manifests.items()
    }
    await _put_playlists(sink, families)


async def _put_playlists(sink: Sink, playlists: Mapping[str, str]) -> None:
    writes = [sink.put(name, text.encode(), PLAYLIST_TYPE, REVALIDATED) for name, text in playlists.items()]
    await asyncio.gather(*writes)
