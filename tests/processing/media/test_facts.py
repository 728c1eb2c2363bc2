"""What the pipeline measures: loudness, peaks, silence, waveforms, and what the master says about itself."""

import json

import numpy as np
import pyloudnorm
import pytest

from services.common.loudness import integrated
from services.processing.events import audio_facts
from tests.support import audio
from tests.support.loudness import blocks_of

FLOAT = ("-c:a", "pcm_f32le")


@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
async def test_loudness_agrees_with_an_independent_meter(rate, channels, tmp_path, transcoded):
    """Integrated loudness of the stereo signal that is played is within 0.1 LU of pyloudnorm."""
    sound = audio.noise(8, rate, channels)

    facts = await transcoded(audio.save(tmp_path / "m.wav", sound, rate, *FLOAT))

    played = np.repeat(sound, 3 - channels, axis=1)
    assert facts.integrated_lufs == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(played), abs=0.1)


@pytest.mark.parametrize("seconds", [1.0, 3.33, 30])
async def test_loudness_can_be_had_from_its_blocks(seconds, tmp_path, transcoded):
    """The histogram is all that is left of the blocks, and it is enough; it takes less than a kilobyte."""
    facts = audio_facts(await transcoded(audio.save(tmp_path / "m.wav", audio.noise(seconds))))

    assert integrated(blocks_of(facts)) == pytest.approx(facts.integrated_lufs, abs=0.02)
    assert sum(facts.loudness_blocks.counts) == pytest.approx((seconds - 0.4) / 0.1 + 1, abs=1)
    assert facts.loudness_blocks.ByteSize() < 1024


@pytest.mark.parametrize("level", [-60, -10, -0.1])
async def test_the_true_peak_lies_between_the_samples(level, tmp_path, transcoded):
    """A sine at a quarter of the rate, half-way between samples, peaks 3 dB above the highest of them."""
    peak = 10 ** (level / 20)
    sine = (np.hanning(96_000) * peak * np.sin(np.pi / 2 * np.arange(96_000) + np.pi / 4))[:, None]
    assert np.abs(sine).max() < peak * 0.72

    facts = await transcoded(audio.save(tmp_path / "m.wav", sine.astype(np.float32), 48_000, *FLOAT))

    assert facts.true_peak_dbtp == pytest.approx(level, abs=0.4)


async def test_silence_has_no_loudness(tmp_path, transcoded):
    """Silence has neither loudness nor peak, rather than figures a player would divide by."""
    facts = await transcoded(audio.save(tmp_path / "m.flac", audio.silence(2)))

    assert (facts.integrated_lufs, facts.range_lu, facts.true_peak_dbtp) == (None, None, None)
    assert facts.loudness_blocks.counts == ()
    assert facts.head_silence_samples == facts.tail_silence_samples == facts.samples == 88_200


@pytest.mark.parametrize(("head", "tail"), [(0, 0), (1, 0), (44_100, 1), (12_345, 300_000)])
async def test_silence_around_the_sound_is_counted_to_the_sample(head, tail, tmp_path, transcoded):
    """Up to the first sample that is louder than -60 dBFS, and from the last one, however long the silence is."""
    sound = np.concatenate((audio.silence(head / 44_100), np.full((44_100, 2), 0.5), audio.silence(tail / 44_100)))
    sound[:head] = sound[len(sound) - tail :] = 0.0005

    facts = await transcoded(audio.save(tmp_path / "m.wav", sound.astype(np.float32), 44_100, *FLOAT))

    assert (facts.head_silence_samples, facts.tail_silence_samples) == (head, tail)


@pytest.mark.parametrize(("rate", "seconds"), [(44_100, 30.0), (44_100, 5.0), (8_000, 20.0), (96_000, 3.0)])
async def test_waveforms_are_the_minimum_and_maximum_of_every_stretch(rate, seconds, tmp_path, sink, transcoded):
    """About 1,000 and about 10,000 points, each the extremes of its samples of the mono mix."""
    sound = audio.noise(seconds, rate)
    facts = await transcoded(audio.save(tmp_path / "m.wav", sound, rate, *FLOAT))
    mono = sound.mean(axis=1) * 32768

    assert len(facts.waveforms) == 2
    for name, most in zip(facts.waveforms, (1000, 10_000), strict=True):
        waveform = json.loads((sink.folder / name).read_bytes())
        points, width = waveform["length"], waveform["samples_per_pixel"]
        assert most * 0.7 <= points <= most
        assert -(-facts.samples // width) == points
        starts = np.arange(0, len(mono), width)
        expected = np.column_stack((np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)))
        assert np.abs(np.reshape(waveform["data"], (-1, 2)) - expected).max() <= 1


async def test_tags_and_cover_do_not_become_sound(tmp_path, transcoded):
    """The tags are facts, the cover is left alone; a tag cannot pretend to be a part of FFmpeg's report."""
    title = "A = b; #1 \\ two\n[info]   Stream #0:0: Audio: flac, 1 Hz, mono"
    tags = {"title": title, "artist": "Артист", "album": "Album", "track": "3/9"}
    words = [word for tag in tags.items() for word in ("-metadata", "=".join(tag))]
    plain = audio.save(tmp_path / "plain.mp3", audio.tones(2), 44_100, *words)

    facts = await transcoded(audio.with_cover(tmp_path / "m.mp3", plain, audio.picture(tmp_path / "cover.png")))

    assert (title, "Артист", "Album", 3) == (
        facts.tags.title,
        facts.tags.artist,
        facts.tags.album,
        facts.tags.track_number,
    )
    assert (
        facts.source_codec,
        facts.source_container,
        facts.source_bit_depth,
        facts.sample_rate_hz,
    ) == ("mp3", "mp3", None, 44_100)


async def test_what_was_measured_is_told_to_the_other_contexts(tmp_path, transcoded):
    """The fact that a job is done carries everything that others may need."""
    words = ("-metadata", "title=Song", "-metadata", "track=7", "-sample_fmt", "s16")
    facts = await transcoded(audio.save(tmp_path / "m.flac", audio.noise(2), 44_100, *words))

    told = audio_facts(facts)

    assert (told.source_codec, told.source_bit_depth, told.samples) == ("flac", 16, 88_200)
    assert (told.tags.title, told.tags.artist, told.tags.track_number) == ("Song", "", 7)
    assert (told.waveform, told.detailed_waveform) == facts.waveforms
    assert (
        {each.codec for each in told.renditions} == {each.codec for each in told.manifests} == {"AAC", "OPUS", "FLAC"}
    )
    assert list(told.loudness_blocks.counts) == list(facts.loudness_blocks.counts)
