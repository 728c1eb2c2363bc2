"""Playlists read strictly: what RFC 8216 asks of them, and what the bytes they name say."""

import pytest

from services.processing.media.ladder import ladder
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.recipe import Recipe
from tests.processing.media.conftest import silent
from tests.support import audio
from tests.support.folder_sink import FolderSink
from tests.support.playlists import faults

MASTERS = {
    "vorbis": ("m.ogg", 44_100, 2, 9.5, ()),
    "flac-24-96": ("m.flac", 96_000, 2, 9.5, ("-sample_fmt", "s32")),
    "mono": ("m.wav", 22_050, 1, 9.5, ()),
    "short": ("m.wav", 44_100, 2, 1.0, ()),
    "whole-segments": ("m.wav", 48_000, 2, 8.0, ()),
}
BAD = [
    ("opus.m3u8", "#EXTM3U\n", "", "begins with #EXTM3U"),
    ("opus.m3u8", "BANDWIDTH=", "BANDWIDTH=1", "states BANDWIDTH="),
    ("opus.m3u8", "AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=1", "states AVERAGE-BANDWIDTH="),
    ("opus.m3u8", 'CODECS="opus"', 'CODECS="mp4a.40.2"', 'states CODECS="opus"'),
    ("opus.m3u8", 'CODECS="opus"', "CODECS=", "has well-formed attributes"),
    ("opus.m3u8", "#EXT-X-INDEPENDENT-SEGMENTS\n", "", "has EXT-X-INDEPENDENT-SEGMENTS once"),
    ("opus.m3u8", "opus-96.m3u8", "opus-97.m3u8", "names opus-97.m3u8, which is there"),
    ("opus.m3u8", "opus-96.m3u8", "opus-48.m3u8", "names a variant once"),
    ("opus-96.m3u8", "#EXT-X-VERSION:7", "#EXT-X-VERSION:3", "states a version"),
    ("opus-96.m3u8", "#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:3", "has a target that no segment exceeds"),
    ("opus-96.m3u8", "#EXT-X-TARGETDURATION:4\n", "", "has EXT-X-TARGETDURATION once"),
    ("opus-96.m3u8", "#EXT-X-ENDLIST\n", "", "ends with EXT-X-ENDLIST"),
    ("opus-96.m3u8", "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-PLAYLIST-TYPE:EVENT", "is VOD"),
    ("opus-96.m3u8", "#EXTINF:", "#EXT-X-DISCONTINUITY\n#EXTINF:", "has no other tags"),
    ("opus-96.m3u8", 'BYTERANGE="', 'BYTERANGE="1', "has a map of ftyp and moov"),
    ("opus-96.m3u8", "#EXT-X-BYTERANGE:4", "#EXT-X-BYTERANGE:5", "has one fragment in each segment"),
    ("opus-96.m3u8", "#EXTINF:4.0", "#EXTINF:x", "has a length, a range and an address"),
    ("opus-96.m3u8", "\nopus-96.mp4\n", "\nopus-48.mp4\n", "names one file"),
]


@pytest.mark.parametrize("kind", MASTERS)
async def test_playlists_keep_the_rules(kind, tmp_path, sink, transcoded):
    """Every playlist of every family, for masters of many forms."""
    name, rate, channels, seconds, arguments = MASTERS[kind]

    facts = await transcoded(audio.save(tmp_path / name, audio.noise(seconds, rate, channels), rate, *arguments))

    assert faults(sink.folder) == []
    assert {path.name for path in sink.folder.glob("*.m3u8")} == {
        *facts.manifests.values(),
        *(rendition.playlist for rendition in facts.renditions),
    }


async def test_playlists_of_other_ladders_keep_the_rules(tmp_path, sink, transcoded):
    """Two renditions of a codec, none of another, shorter segments: what the settings say is made."""
    recipe = Recipe(ladder=ladder("aac-192, aac-96, flac-lossless"), fragment_seconds=2)

    facts = await transcoded(audio.save(tmp_path / "m.wav", audio.noise(9.5)), recipe)

    assert faults(sink.folder) == []
    assert facts.manifests == {"AAC": "aac.m3u8", "FLAC": "flac.m3u8"}
    assert [each.bitrate_bps for each in facts.renditions[:2]] == [192_000, 96_000]
    assert "#EXT-X-TARGETDURATION:2\n" in (sink.folder / "aac-96.m3u8").read_text()


@pytest.mark.parametrize(
    "names", ["opus-96", "aac-1", "aac-128,mp3-320", "aac-128,aac-128", "aac", "", "aac-128,", "aac-0128"]
)
def test_a_ladder_that_makes_no_sense_is_refused(names):
    """Settings are read at start, so that a slip is told before the first master."""
    with pytest.raises(ValueError, match="rendition"):
        ladder(names)


@pytest.fixture(scope="module")
async def made(tmp_path_factory, ffmpeg):
    """Return the names and bytes of a folder of good renditions."""
    folder = tmp_path_factory.mktemp("made")
    master = audio.save(tmp_path_factory.mktemp("master") / "m.ogg", audio.noise(9.5))
    await transcode(Master(master), FolderSink(folder), ffmpeg, Recipe(), silent)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("case", BAD, ids=lambda case: case[3])
async def test_the_check_sees_every_fault(case, made, tmp_path):
    """Each rule is shown failing."""
    name, good, bad, rule = case
    for each, data in made.items():
        (tmp_path / each).write_bytes(data)
    assert faults(tmp_path) == []
    text = made[name].decode()
    assert good in text

    (tmp_path / name).write_text(text.replace(good, bad, 1))

    assert any(rule in fault for fault in faults(tmp_path)), faults(tmp_path)
