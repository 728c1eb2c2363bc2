"""What the pipeline does not take, and how it says so."""

import struct
from pathlib import Path

import mutagen.id3
import pytest

from services.processing.media.facts import Limits
from services.processing.media.recipe import Recipe
from services.processing.media.refusals import MESSAGES, Reason, TranscodeError
from tests.support import audio

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/etc/passwd\n#EXT-X-ENDLIST\n"


def _empty(folder: Path) -> Path:
    (folder / "m.wav").touch()
    return folder / "m.wav"


def _header_only(folder: Path) -> Path:
    return audio.save(folder / "m.wav", audio.silence(0))


def _half_a_second(folder: Path) -> Path:
    return audio.save(folder / "m.flac", audio.tones(0.5))


def _text_named_ogg(folder: Path) -> Path:
    (folder / "m.ogg").write_text("These are the lyrics.\n" * 100)
    return folder / "m.ogg"


def _playlist_named_mp3(folder: Path) -> Path:
    (folder / "m.mp3").write_text(PLAYLIST)
    return folder / "m.mp3"


def _program_named_mp3(folder: Path) -> Path:
    (folder / "m.mp3").write_bytes(Path("/bin/true").read_bytes())
    return folder / "m.mp3"


def _picture(folder: Path) -> Path:
    return audio.picture(folder / "m.png")


def _picture_in_mp4(folder: Path) -> Path:
    return audio.picture(folder / "m.mp4")


def _tags_and_cover_without_sound(folder: Path) -> Path:
    tags = mutagen.id3.ID3()
    cover = audio.picture(folder / "cover.png").read_bytes()
    tags.add(mutagen.id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=cover))
    tags.save(folder / "m.mp3")
    return folder / "m.mp3"


def _chained_ogg(folder: Path) -> Path:
    link = audio.save(folder / "link.ogg", audio.tones(2)).read_bytes()
    (folder / "m.ogg").write_bytes(link + link)
    return folder / "m.ogg"


def _too_many_channels(folder: Path) -> Path:
    return audio.save(folder / "m.wav", audio.tones(2, channels=12))


def _too_many_samples_a_second(folder: Path) -> Path:
    return audio.save(folder / "m.wav", audio.tones(1.5, rate=384_000), 384_000)


def _unknown_codec(folder: Path) -> Path:
    return audio.save(folder / "m.mka", audio.tones(2), 44_100, "-c:a", "wavpack")


def _too_many_streams(folder: Path) -> Path:
    return audio.save(folder / "m.mka", audio.tones(2), 44_100, "-c:a", "libopus", *("-map", "0:a") * 20)


def _wav_cut_between_samples(folder: Path) -> Path:
    data = audio.save(folder / "whole.wav", audio.tones(4)).read_bytes()
    (folder / "m.wav").write_bytes(data[: len(data) // 4096 // 2 * 4096])
    return folder / "m.wav"


def _flac_with_one_bit_flipped(folder: Path) -> Path:
    data = bytearray(audio.save(folder / "whole.flac", audio.noise(4)).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "m.flac").write_bytes(data)
    return folder / "m.flac"


def _ogg_with_one_bit_flipped(folder: Path) -> Path:
    """Its pages are short, so less than a tenth of a second is lost with the damaged one."""
    whole = audio.save(folder / "whole.ogg", audio.noise(6), 44_100, "-page_duration", "20000")
    data = bytearray(whole.read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "m.ogg").write_bytes(data)
    return folder / "m.ogg"


def _flac_that_claims_eighteen_days(folder: Path) -> Path:
    """Set the 36 bits of total samples in STREAMINFO, 21 bytes into the file."""
    data = bytearray(audio.save(folder / "whole.flac", audio.tones(2)).read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff\xff\xff\xff"
    (folder / "m.flac").write_bytes(data)
    return folder / "m.flac"


ODD_INPUTS = {
    _empty: Reason.EMPTY,
    _header_only: Reason.EMPTY,
    _half_a_second: Reason.TOO_SHORT,
    _text_named_ogg: Reason.UNSUPPORTED_CONTAINER,
    _playlist_named_mp3: Reason.UNSUPPORTED_CONTAINER,
    _program_named_mp3: Reason.UNSUPPORTED_CONTAINER,
    _chained_ogg: Reason.UNSUPPORTED_CONTAINER,
    _unknown_codec: Reason.UNSUPPORTED_CONTAINER,
    _too_many_channels: Reason.UNSUPPORTED_CONTAINER,
    _too_many_samples_a_second: Reason.UNSUPPORTED_CONTAINER,
    _picture: Reason.NO_AUDIO_STREAM,
    _picture_in_mp4: Reason.NO_AUDIO_STREAM,
    _tags_and_cover_without_sound: Reason.NO_AUDIO_STREAM,
    _too_many_streams: Reason.CORRUPT,
    _flac_with_one_bit_flipped: Reason.CORRUPT,
    _ogg_with_one_bit_flipped: Reason.CORRUPT,
    _wav_cut_between_samples: Reason.TRUNCATED,
    _flac_that_claims_eighteen_days: Reason.TOO_LONG,
}


@pytest.mark.parametrize("make", ODD_INPUTS, ids=lambda make: make.__name__[1:])
async def test_an_odd_input_is_refused_with_its_reason(make, tmp_path, sink, transcoded):
    """Bad input ends in its own reason, with a sentence for the artist, for good, and leaves no file behind."""
    with pytest.raises(TranscodeError) as refused:
        await transcoded(make(tmp_path))

    assert ODD_INPUTS[make] == refused.value.reason, refused.value.log
    assert not refused.value.transient
    assert refused.value.message.endswith(".")
    assert list(sink.folder.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["m.mp3", "m.ogg", "m.opus", "m.flac", "m.wav", "m.aiff", "m.caf", "m.m4a", "m.mka", "m.aac"]
)
async def test_a_master_without_its_end_is_refused(name, tmp_path, sink, transcoded):
    """FFmpeg plays a cut file and reports success; we do not publish it."""
    whole = audio.save(tmp_path / f"whole-{name}", audio.noise(5))

    with pytest.raises(TranscodeError) as refused:
        await transcoded(audio.cut(tmp_path / name, whole, 0.61))

    assert refused.value.reason == Reason.TRUNCATED
    assert list(sink.folder.iterdir()) == []


async def test_a_wav_of_a_recorder_that_could_not_seek_back_is_whole(tmp_path, transcoded):
    """A data chunk of unknown length lasts until the end of the file."""
    data = bytearray(audio.save(tmp_path / "m.wav", audio.tones(2)).read_bytes())
    start = data.index(b"data") + 4
    data[start : start + 4] = struct.pack("<I", 0xFFFFFFFF)
    (tmp_path / "m.wav").write_bytes(data)

    assert (await transcoded(tmp_path / "m.wav")).samples == 88_200


async def test_a_bomb_is_refused_by_its_header(tmp_path, sink, transcoded):
    """Hours of silence in a small file are refused before any of it is encoded."""
    bomb = audio.save(tmp_path / "m.flac", audio.silence(400, rate=8_000, channels=1), 8_000)

    with pytest.raises(TranscodeError) as refused:
        await transcoded(bomb, Recipe(Limits(max_seconds=300)))

    assert refused.value.reason == Reason.TOO_LONG
    assert sink.events == []


async def test_a_bomb_that_hides_its_length_is_stopped_at_the_limit(tmp_path, sink, transcoded):
    """The length that counts is the decoded one."""
    bomb = audio.save(
        tmp_path / "m.mp3", audio.silence(60, rate=8_000, channels=1), 8_000, "-write_xing", "0", "-b:a", "64k"
    )

    with pytest.raises(TranscodeError) as refused:
        await transcoded(bomb, Recipe(Limits(max_seconds=5)))

    assert refused.value.reason == Reason.TOO_LONG
    assert list(sink.folder.iterdir()) == []


async def test_the_log_is_bounded_and_names_no_path(tmp_path, transcoded):
    """The log holds FFmpeg's words, fits its column, and shows nothing of the machine."""
    words = ("-metadata", "comment=" + "la " * 20_000)
    master = audio.cut(tmp_path / "m.mp3", audio.save(tmp_path / "whole.mp3", audio.noise(3), 44_100, *words), 0.7)

    with pytest.raises(TranscodeError) as refused:
        await transcoded(master)

    assert "Input #0, mp3" in refused.value.log
    assert len(refused.value.log.encode()) <= 16_384
    assert str(tmp_path) not in refused.value.log


def test_every_reason_has_a_sentence():
    """No reason reaches an artist without words."""
    assert set(MESSAGES) == set(Reason)
