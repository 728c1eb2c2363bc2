"""What the pipeline makes of good masters."""

import re
from itertools import pairwise

import numpy as np
import pytest

from services.processing.media.facts import Stage
from services.processing.media.ladder import Codec
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.recipe import Recipe
from tests.support import audio

MASTERS = {
    "wav-16": ("m.wav", 44_100, 2, ()),
    "wav-24": ("m.wav", 48_000, 2, ("-c:a", "pcm_s24le")),
    "aiff": ("m.aiff", 44_100, 2, ()),
    "caf": ("m.caf", 44_100, 2, ()),
    "flac-16": ("m.flac", 44_100, 2, ("-sample_fmt", "s16")),
    "flac-24-96": ("m.flac", 96_000, 2, ("-sample_fmt", "s32")),
    "alac": ("m.m4a", 44_100, 2, ("-c:a", "alac")),
    "m4a": ("m.m4a", 44_100, 2, ()),
    "mp3": ("m.mp3", 44_100, 2, ()),
    "vorbis": ("m.ogg", 44_100, 2, ()),
    "opus": ("m.opus", 48_000, 2, ()),
    "matroska": ("m.mka", 44_100, 2, ()),
    "mono": ("m.wav", 32_000, 1, ()),
    "mono-8k": ("m.wav", 8_000, 1, ()),
    "5.1": ("m.flac", 48_000, 6, ()),
}
LOSSLESS = MASTERS.keys() - {"m4a", "mp3", "vorbis", "opus", "matroska"}


@pytest.mark.parametrize("kind", MASTERS)
async def test_every_rendition_holds_every_sample_of_the_master(kind, tmp_path, sink, transcoded):
    """A rendition decodes to priming, round(n · out ÷ in) samples and padding, whatever the master was."""
    name, rate, channels, arguments = MASTERS[kind]
    sound = audio.sweep(3, rate, channels)

    facts = await transcoded(audio.save(tmp_path / name, sound, rate, *arguments))

    assert (len(sound), rate, channels) == (facts.samples, facts.sample_rate_hz, facts.channels)
    assert facts.duration_seconds == pytest.approx(3)
    flac = ["flac-lossless.mp4"] if kind in LOSSLESS else []
    assert [rendition.media for rendition in facts.renditions] == [
        *("aac-128.mp4", "opus-48.mp4", "opus-96.mp4", "opus-160.mp4", *flac)
    ]
    for rendition in facts.renditions:
        assert rendition.samples == round(facts.samples * rendition.sample_rate_hz / rate)
        decoded = audio.decode(sink.folder / rendition.media)
        assert len(decoded) == rendition.samples + rendition.padding_samples


@pytest.mark.parametrize("frames", [60, 61, 62, 63])
async def test_a_master_that_fills_its_last_frame_loses_nothing(frames, tmp_path, transcoded):
    """AAC without a container decodes to whole frames, which need no padding: not a sample may be rounded off."""
    seconds = frames * 1024 / 44_100

    facts = await transcoded(audio.save(tmp_path / "m.aac", audio.noise(seconds)))

    assert (facts.samples % 1024, facts.renditions[0].padding_samples) == (0, 0)


@pytest.mark.parametrize("rate", [44_100, 48_000])
async def test_a_rendition_begins_with_the_first_sample_of_the_master(rate, tmp_path, sink, transcoded):
    """Gapless joins need it: after the priming is cut, sound and master are closest when they are not shifted."""
    master = audio.sweep(3, rate)

    facts = await transcoded(audio.save(tmp_path / "m.wav", master, rate))

    for rendition in facts.renditions:
        expected = audio.resampled(master, rendition.samples)[:, 0]
        decoded = audio.decode(sink.folder / rendition.media)[: rendition.samples, 0]
        middle = slice(rate // 2, -rate // 2)
        distance = {shift: np.abs(np.roll(decoded, shift) - expected)[middle].mean() for shift in range(-3, 4)}
        assert min(distance, key=distance.__getitem__) == 0, (rendition.media, distance)


async def test_a_mono_master_plays_at_its_own_level(tmp_path, sink, transcoded):
    """Both sides carry the master as it is, not 3 dB lower."""
    sound = audio.sweep(2, channels=1)

    facts = await transcoded(audio.save(tmp_path / "m.wav", sound))

    decoded = audio.decode(sink.folder / facts.renditions[0].media)
    assert np.sqrt((decoded**2).mean(axis=0)) == pytest.approx([np.sqrt((sound**2).mean())] * 2, rel=0.03)


async def test_a_loud_surround_master_does_not_clip(tmp_path, transcoded):
    """Six channels at full scale are mixed down below full scale."""
    facts = await transcoded(audio.save(tmp_path / "m.flac", audio.sweep(2, 48_000, 6) / 0.4, 48_000))

    assert facts.true_peak_dbtp is not None
    assert facts.true_peak_dbtp < 0.2


async def test_byte_ranges_cover_a_rendition_exactly(tmp_path, sink, transcoded):
    """Header and fragments follow each other without a gap up to the last byte, and last as long as the sound."""
    facts = await transcoded(audio.save(tmp_path / "m.ogg", audio.noise(9.5)))

    for rendition in facts.renditions:
        playlist = (sink.folder / rendition.playlist).read_text()
        header = re.search(r'#EXT-X-MAP:URI="(.+)",BYTERANGE="(\d+)@0"', playlist)
        assert header
        assert rendition.media == header[1]
        ranges = [(0, int(header[2]))]
        ranges += [(int(start), int(size)) for size, start in re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", playlist)]
        assert all(start + size == following for (start, size), (following, _) in pairwise(ranges))
        assert sum(ranges[-1]) == rendition.size_bytes == (sink.folder / rendition.media).stat().st_size
        lengths = [float(seconds) for seconds in re.findall(r"#EXTINF:([\d.]+),", playlist)]
        assert sum(lengths) == pytest.approx(facts.duration_seconds, abs=0.05)
        target = re.search(r"#EXT-X-TARGETDURATION:(\d+)", playlist)
        assert target
        assert max(map(round, lengths)) <= int(target[1]) <= 4
        data = (sink.folder / rendition.media).read_bytes()
        assert all(data[start + 4 : start + 8] == b"moof" for start, _ in ranges[1:])


@pytest.mark.parametrize("codec", list(Codec))
async def test_a_player_can_follow_the_playlists(codec, tmp_path, sink, transcoded):
    """FFmpeg's HLS client, given a multivariant playlist, plays the whole sound."""
    facts = await transcoded(audio.save(tmp_path / "m.flac", audio.sweep(9)))

    played = audio.decode(sink.folder / facts.manifests[codec])

    longest = max(each.samples + each.padding_samples for each in facts.renditions if each.codec is codec)
    assert abs(len(played) - longest) <= 2048


async def test_a_family_lists_its_renditions_with_honest_bit_rates(tmp_path, sink, transcoded):
    """BANDWIDTH is the highest rate of any stretch, AVERAGE-BANDWIDTH that of the whole, CODECS the codec."""
    facts = await transcoded(audio.save(tmp_path / "m.flac", audio.noise(9)))

    opus = (sink.folder / facts.manifests[Codec.OPUS]).read_text()
    aac = (sink.folder / facts.manifests[Codec.AAC]).read_text()

    assert re.findall(r"^opus.+$", opus, re.MULTILINE) == ["opus-48.m3u8", "opus-96.m3u8", "opus-160.m3u8"]
    assert re.findall(r'CODECS="(.+)"', opus) == ["opus"] * 3
    assert re.findall(r'CODECS="(.+)"', aac) == ["mp4a.40.2"]
    for rendition in facts.renditions:
        seconds = (rendition.samples + rendition.priming_samples + rendition.padding_samples) / rendition.sample_rate_hz
        assert rendition.average_bitrate_bps == pytest.approx(8 * rendition.size_bytes / seconds, rel=0.02)
        assert rendition.peak_bitrate_bps >= rendition.average_bitrate_bps
        line = f"BANDWIDTH={rendition.peak_bitrate_bps},AVERAGE-BANDWIDTH={rendition.average_bitrate_bps},"
        assert line in (sink.folder / facts.manifests[rendition.codec]).read_text()


async def test_a_playlist_appears_only_after_everything_it_names(tmp_path, sink, transcoded):
    """Media first, then the waveform and media playlists, multivariant playlists last."""
    await transcoded(audio.save(tmp_path / "m.mp3", audio.tones(2)))

    rank = {"mp4": 0, "json": 1, "m3u8": 2}
    appeared = [name for event, name in sink.events if event != "open"]
    order = [3 if name in {"aac.m3u8", "opus.m3u8"} else rank[name.rsplit(".", 1)[1]] for name in appeared]
    assert order == sorted(order)
    assert len(appeared) == len(set(appeared)) == 4 + 2 + 4 + 2
    assert {path.name for path in sink.folder.iterdir()} == set(appeared)


async def test_media_is_cached_for_ever_and_playlists_are_asked_for_again(tmp_path, sink, transcoded):
    """Each file goes to the store with its type and its cache policy."""
    await transcoded(audio.save(tmp_path / "m.mp3", audio.tones(2)))

    assert sink.headers["aac-128.mp4"] == ("audio/mp4", "max-age=31536000, immutable")
    assert sink.headers["aac.m3u8"] == ("application/vnd.apple.mpegurl", "no-cache")
    assert sink.headers["waveform.json"] == ("application/json", "max-age=31536000, immutable")


async def test_two_runs_make_the_same_bytes(tmp_path, sink, transcoded):
    """A repeated attempt cannot be told from the first one."""
    master = audio.save(tmp_path / "m.ogg", audio.noise(3))

    first = await transcoded(master)
    before = {path.name: path.read_bytes() for path in sink.folder.iterdir()}
    second = await transcoded(master)

    assert first == second
    assert before == {path.name: path.read_bytes() for path in sink.folder.iterdir()}


@pytest.mark.parametrize("cover", ["cover.png", "cover.jpg"])
@pytest.mark.parametrize("name", ["m.flac", "m.m4a", "m.mp3", "m.mka"])
async def test_a_cover_is_no_damage(name, cover, tmp_path, transcoded):
    """FFmpeg complains that it may not decode the cover; the sound is whole all the same."""
    plain = audio.save(tmp_path / f"plain-{name}", audio.tones(2))

    facts = await transcoded(audio.with_cover(tmp_path / name, plain, audio.picture(tmp_path / cover)))

    assert facts.samples == 88_200


@pytest.mark.parametrize("name", ["-i.mp3", "concat:a|b", "http:example", "a\nb", "%d.png", "💿.ogg"])
async def test_a_name_is_only_a_name(name, tmp_path, transcoded):
    """FFmpeg never sees the name of the file, so it cannot take it for an option, a protocol or a pattern."""
    master = audio.save(tmp_path / "m.mp3", audio.tones(2)).rename(tmp_path / name)

    assert (await transcoded(master)).samples == 88_200


async def test_progress_only_grows_and_ends_with_publishing(tmp_path, sink, ffmpeg):
    """Stages come in order and percentages do not go back."""
    heard: list[tuple[Stage, int]] = []
    master = audio.save(tmp_path / "m.flac", audio.tones(12))

    await transcode(Master(master), sink, ffmpeg, Recipe(), lambda stage, percent: heard.append((stage, percent)))

    assert heard[:2] == [(Stage.PROBING, 0), (Stage.ENCODING, 0)]
    assert heard[-1] == (Stage.PUBLISHING, 100)
    percents = [percent for _, percent in heard[1:]]
    assert percents == sorted(set(percents))
    assert len(percents) > 5
