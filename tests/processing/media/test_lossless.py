"""FLAC for masters that lost nothing: every bit of one or two channels, up to 24 of them a sample."""

import subprocess

import numpy as np
import pytest

from services.processing.media.facts import Facts
from services.processing.media.ladder import Codec
from tests.support import audio

FORMS = {
    "wav-8": ("m.wav", 44_100, 2, 8, ("-c:a", "pcm_u8")),
    "wav-16": ("m.wav", 44_100, 2, 16, ("-c:a", "pcm_s16le")),
    "wav-24": ("m.wav", 48_000, 2, 24, ("-c:a", "pcm_s24le")),
    "wav-mono-16": ("m.wav", 44_100, 1, 16, ("-c:a", "pcm_s16le")),
    "wav-mono-11k": ("m.wav", 11_025, 1, 16, ("-c:a", "pcm_s16le")),
    "aiff-24": ("m.aiff", 44_100, 2, 24, ("-c:a", "pcm_s24be")),
    "caf-16": ("m.caf", 44_100, 2, 16, ("-c:a", "pcm_s16le")),
    "flac-16": ("m.flac", 44_100, 2, 16, ("-sample_fmt", "s16")),
    "flac-24-96": ("m.flac", 96_000, 2, 24, ("-sample_fmt", "s32", "-bits_per_raw_sample", "24")),
    "flac-24-192": ("m.flac", 192_000, 2, 24, ("-sample_fmt", "s32", "-bits_per_raw_sample", "24")),
    "alac-16": ("m.m4a", 44_100, 2, 16, ("-c:a", "alac", "-sample_fmt", "s16p")),
    "alac-24": ("m.m4a", 44_100, 2, 24, ("-c:a", "alac", "-sample_fmt", "s32p", "-bits_per_raw_sample", "24")),
}


def integers(path, channels):
    """Decode to 32-bit integers, which hold every lossless form as it is."""
    command = [audio.FFMPEG, "-loglevel", "error", "-i", str(path), "-f", "s32le", "pipe:1"]
    raw = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 (our own words)
    return np.frombuffer(raw, np.int32).reshape(-1, channels)


def lossless(facts: Facts):
    """Return the one FLAC rendition."""
    (rendition,) = (each for each in facts.renditions if each.codec is Codec.FLAC)
    return rendition


@pytest.mark.parametrize("form", FORMS)
async def test_flac_is_the_master_bit_by_bit(form, tmp_path, sink, transcoded):
    """Its own rate, its own depth, nothing before and nothing after; mono stands on both sides."""
    name, rate, channels, depth, arguments = FORMS[form]
    master = audio.save(tmp_path / name, audio.noise(5.01, rate, channels), rate, *arguments)

    facts = await transcoded(master)

    rendition = lossless(facts)
    assert facts.source_bit_depth == depth
    assert (rendition.sample_rate_hz, rendition.priming_samples, rendition.padding_samples) == (rate, 0, 0)
    assert rendition.bitrate_bps == rendition.average_bitrate_bps
    decoded, expected = integers(sink.folder / rendition.media, 2), integers(master, channels)
    assert np.array_equal(decoded, np.repeat(expected, 3 - channels, axis=1))
    assert np.unique(decoded).size > 50


async def test_what_is_deeper_than_browsers_play_is_rounded_to_24_bits(tmp_path, sink, transcoded):
    """Floating point and 32 bits keep 24 of them."""
    sound = audio.noise(2)

    facts = await transcoded(audio.save(tmp_path / "m.wav", sound, 44_100, "-c:a", "pcm_f32le"))

    decoded = audio.decode(sink.folder / lossless(facts).media)
    assert np.abs(decoded - sound).max() <= 2**-23


async def test_surround_is_lossless_of_its_stereo_mix(tmp_path, sink, transcoded):
    """FLAC holds the mix that all renditions hold, at the master's rate."""
    facts = await transcoded(audio.save(tmp_path / "m.flac", audio.sweep(3, 48_000, 6), 48_000))

    rendition = lossless(facts)
    assert (rendition.samples, rendition.sample_rate_hz) == (3 * 48_000, 48_000)
    assert audio.decode(sink.folder / rendition.media).shape == (3 * 48_000, 2)


@pytest.mark.parametrize("name", ["m.mp3", "m.ogg", "m.opus", "m.m4a"])
async def test_a_lossy_master_has_no_lossless_rendition(name, tmp_path, transcoded):
    """What was lost once, FLAC does not bring back; it would only be larger."""
    facts = await transcoded(audio.save(tmp_path / name, audio.tones(2)))

    assert Codec.FLAC not in facts.manifests
    assert {rendition.codec for rendition in facts.renditions} == {Codec.AAC, Codec.OPUS}
