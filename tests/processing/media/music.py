"""Real music through the pipeline, every file of a folder; not part of the usual run.

`apt-get download singularity-music && dpkg -x singularity-music_*.deb music`, then
`./spotilike test tests/processing/media/music.py --music music`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray

from services.catalog.loudness import album_loudness
from services.processing.events import audio_facts
from services.processing.media.facts import Facts, Rendition
from tests.support import audio
from tests.support.figures import show
from tests.support.playlists import faults

KINDS = {".ogg", ".flac", ".wav", ".mp3", ".m4a", ".opus"}
OVERSAMPLING = 4
CHUNK, OVERLAP = (1 << 18) - (1 << 13), 1 << 12
SECONDS = 60
FORMS = {
    "flac-24-96": ("m.flac", 96_000, 2, ("-sample_fmt", "s32", "-bits_per_raw_sample", "24")),
    "5.1": ("m.flac", 48_000, 6, ("-sample_fmt", "s16")),
    "mono": ("m.wav", 44_100, 1, ()),
    "mp3 with a cover": ("m.mp3", 44_100, 2, ()),
    "m4a": ("m.m4a", 44_100, 2, ()),
}


def pytest_generate_tests(metafunc):
    """Make one test of each file."""
    if "song" in metafunc.fixturenames:
        songs = _songs(metafunc.config)
        metafunc.parametrize("song", songs, ids=[song.name for song in songs])


@pytest.fixture
def songs(pytestconfig):
    """Return all files."""
    return _songs(pytestconfig)


def _songs(config):
    folder = config.getoption("--music")
    songs = sorted(path.resolve() for path in Path(folder or "nowhere").rglob("*") if path.suffix in KINDS)
    if not songs:
        raise pytest.UsageError("Name a folder with music: --music FOLDER")
    return songs


async def test_a_song_is_whole_and_measured(song, sink, transcoded):
    """Every sample of every rendition, loudness, peak, waveforms and playlists."""
    facts = await transcoded(song)

    _check(facts, audio.decode(song, 2, "-vn"), sink.folder)


@pytest.mark.parametrize("form", FORMS)
async def test_music_of_any_form_is_whole_and_measured(form, songs, tmp_path, sink, transcoded):
    """The same music at other rates, in other layouts and codecs."""
    name, rate, channels, arguments = FORMS[form]
    sound = audio.decode(songs[0], channels, "-t", str(SECONDS), "-vn")
    master = audio.save(tmp_path / name, sound, 44_100, "-ar", str(rate), *arguments)
    if "cover" in form:
        master = audio.with_cover(tmp_path / "covered.mp3", master, audio.picture(tmp_path / "cover.png"))

    facts = await transcoded(master)

    assert (facts.sample_rate_hz, facts.channels) == (rate, channels)
    decoded = audio.decode(master, channels, "-vn")
    if channels > 2:  # the mix is FLAC's, and held against itself only for what is measured
        decoded = audio.decode(sink.folder / "flac-lossless.mp4")
    _check(facts, np.repeat(decoded, 2, axis=1) if channels == 1 else decoded, sink.folder)


async def test_an_album_of_songs_is_as_loud_as_all_of_them_in_a_row(songs, transcoded):
    """Within 0.1 LU of one measurement over the concatenated album."""
    some = songs[:4]
    rates, facts = set(), []
    for song in some:
        each = await transcoded(song)
        rates.add(each.sample_rate_hz)
        facts.append(audio_facts(each))
    (rate,) = rates

    whole = np.concatenate([audio.decode(song, 2, "-vn") for song in some])

    expected = pyloudnorm.Meter(rate).integrated_loudness(whole)
    show("album loudness, LUFS", f"{album_loudness(facts):.2f}, measured at once {expected:.2f}")
    assert album_loudness(facts) == pytest.approx(expected, abs=0.1)


def _check(facts: Facts, played: audio.Sound, folder: Path) -> None:
    """Hold everything that was made and measured against the stereo signal of the master."""
    assert facts.samples == len(played)
    assert faults(folder) == []
    for rendition in facts.renditions:
        _check_rendition(rendition, facts, folder)
    expected = pyloudnorm.Meter(facts.sample_rate_hz).integrated_loudness(played)
    peak = _true_peak(played)
    show(
        "LUFS and dBTP",
        f"{facts.integrated_lufs} {facts.true_peak_dbtp}, by other meters {expected:.2f} {peak:.2f}",
    )
    assert facts.integrated_lufs == pytest.approx(expected, abs=0.1)
    assert facts.true_peak_dbtp == pytest.approx(peak, abs=0.5)
    mono = np.clip(played.mean(axis=1) * 32768, -32768, 32767)
    for name in facts.waveforms:
        _check_waveform(json.loads((folder / name).read_bytes()), mono)


def _check_rendition(rendition: Rendition, facts: Facts, folder: Path) -> None:
    assert rendition.samples == round(facts.samples * rendition.sample_rate_hz / facts.sample_rate_hz)
    decoded = audio.decode(folder / rendition.media)
    assert len(decoded) - rendition.padding_samples == rendition.samples


def _check_waveform(waveform: dict[str, Any], mono: NDArray[np.float32]) -> None:
    starts = np.arange(0, len(mono), waveform["samples_per_pixel"])
    expected = np.column_stack((np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)))
    assert np.abs(np.reshape(waveform["data"], (-1, 2)) - expected).max() <= 1


def _true_peak(played: audio.Sound) -> float:
    """Return the peak of the signal at four times its rate, in dB of full scale."""
    around = np.pad(played, ((OVERLAP, CHUNK + OVERLAP), (0, 0)))
    highest = 0.0
    for start in range(0, len(played), CHUNK):
        piece = around[start : start + CHUNK + 2 * OVERLAP]
        finer = audio.resampled(piece, OVERSAMPLING * len(piece))
        inner = finer[OVERSAMPLING * OVERLAP : -OVERSAMPLING * OVERLAP]  # the spectrum joins the two ends
        highest = max(highest, float(np.abs(inner).max()))
    return 20 * float(np.log10(highest))
