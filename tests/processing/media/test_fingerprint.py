"""The same recording is known again, whatever it was encoded with; other recordings are others."""

import numpy as np
import pytest

from services.processing.media.fingerprint import Fingerprint
from services.processing.media.ladder import ladder
from services.processing.media.recipe import Recipe
from tests.support import audio

SECONDS, RATE = 25, 44_100
FORMS = {
    "as a small MP3": ("m.mp3", ("-b:a", "64k")),
    "as a small Opus": ("m.opus", ("-b:a", "48k")),
    "at another level": ("m.flac", ("-af", "volume=0.3")),
    "in mono": ("m.flac", ("-ac", "1")),
    "at another rate": ("m.wav", ("-ar", "48000")),
    "without its first seconds": ("m.flac", ("-ss", "4")),
    "with silence before it": ("m.flac", ("-af", "adelay=3000:all=1")),
}


def tune(seed):
    """Make music of a kind: chords of three random tones, a new one three times a second."""
    chance = np.random.default_rng(seed)
    beat = np.arange(RATE // 3) / RATE
    chords = [
        sum(np.sin(2 * np.pi * 220 * 2 ** (step / 12) * beat) * np.exp(-4 * beat) for step in chance.integers(0, 30, 3))
        for _ in range(3 * SECONDS)
    ]
    sound = np.concatenate(chords) / 4
    return np.column_stack([sound, sound])


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Return a master."""
    return audio.save(tmp_path_factory.mktemp("recording") / "recording.flac", tune(1))


@pytest.fixture(scope="module")
def prints():
    """Return what masters are known by that were looked at already."""
    return {}


@pytest.fixture
def known(transcoded, prints):
    """Return a function that answers what a master is known by."""

    async def run(master):
        if master not in prints:
            facts = await transcoded(master, Recipe(ladder=ladder("aac-96")))
            prints[master] = Fingerprint(facts.fingerprint)
        return prints[master]

    return run


@pytest.mark.parametrize("form", FORMS)
async def test_a_recording_is_known_again(form, recording, tmp_path, known):
    """With terms in common, by which it is found, and with nearly the same bits."""
    name, how = FORMS[form]
    other = audio.converted(tmp_path / name, recording, *how)

    first, second = await known(recording), await known(other)

    assert first.is_same_recording(second)
    assert second.is_same_recording(first)
    assert set(first.terms) & set(second.terms)


async def test_another_recording_is_another(recording, tmp_path, known):
    """Of the same kind of music."""
    first, second = await known(recording), await known(audio.save(tmp_path / "m.flac", tune(2)))

    assert not first.is_same_recording(second)
    assert not second.is_same_recording(first)


@pytest.mark.parametrize(("seconds", "level"), [(30, 0), (1.5, 1)], ids=["silence", "a moment"])
async def test_what_proves_nothing_is_known_by_nothing(seconds, level, tmp_path, known):
    """Many masters are alike in that."""
    master = audio.save(tmp_path / "m.wav", level * audio.noise(seconds))

    assert (await known(master)).terms == []
