"""Albums: what was kept of each track is enough to say how loud all of them are together."""

import numpy as np
import pyloudnorm
import pytest

from services.catalog.loudness import album_loudness
from services.processing.events import audio_facts
from services.processing.media.ladder import ladder
from services.processing.media.recipe import Recipe
from tests.support import audio

RATE = 44_100
ALBUMS = {
    "even": ((1.0, 40.0), (0.8, 60.0), (0.9, 50.0)),
    "a loud and a soft side": ((1.0, 30.0), (0.05, 90.0), (0.3, 45.0)),
    "a whisper": ((1.0, 50.0), (0.002, 50.0)),
    "with silence": ((0.7, 35.0), (0.0, 50.0)),
}
"""Volume and seconds of every track. The three blocks across each join are left out, so tracks are not too short."""
QUICK = Recipe(ladder=ladder("aac-96"))


@pytest.mark.parametrize("album", ALBUMS)
async def test_an_album_is_as_loud_as_one_long_recording_of_it(album, tmp_path, transcoded):
    """Within 0.1 LU of an independent meter over all tracks one after the other."""
    sounds = [volume * audio.noise(seconds) for volume, seconds in ALBUMS[album]]
    masters = [audio.save(tmp_path / f"{number}.flac", sound) for number, sound in enumerate(sounds)]

    facts = [audio_facts(await transcoded(master, QUICK)) for master in masters]

    whole = pyloudnorm.Meter(RATE).integrated_loudness(np.concatenate(sounds))
    assert album_loudness(facts) == pytest.approx(whole, abs=0.1)
