"""Promises of the demo: it is music made here, the same everywhere, in the formats which artists use."""

import numpy as np
import pytest

from cli.seed.arrangement import perform
from cli.seed.masters import render
from cli.seed.songs import ARTISTS, Song
from cli.seed.sound import RATE

SONGS = [song for artist in ARTISTS for album in artist.albums for song in album.songs]


def test_the_demo_is_a_small_catalogue():
    """Several artists, releases of every kind, every master format, guests from the demo itself."""
    albums = [album for artist in ARTISTS for album in artist.albums]
    assert len(ARTISTS) >= 3
    assert {album.kind for album in albums} == {"SINGLE", "EP", "ALBUM"}
    assert {song.master for song in SONGS} == {"wav", "flac", "ogg"}
    guests = {song.featuring for song in SONGS if song.featuring}
    assert len(guests) >= 2
    assert guests <= {artist.name for artist in ARTISTS}


@pytest.mark.parametrize("style", sorted({song.style for song in SONGS}))
def test_a_song_is_audible_stereo_without_clipping(style: str):
    """Each style gives 20 to 60 seconds at -1 dBFS peak, sounding all the way and differing between the sides."""
    song = min((song for song in SONGS if song.style == style), key=lambda song: song.bars)
    samples = perform(song)
    seconds = samples.shape[1] / RATE
    assert 20 <= seconds <= 60
    assert 0.85 < np.max(np.abs(samples)) < 0.9
    loudness = [np.sqrt(np.mean(samples[:, start : start + RATE] ** 2)) for start in range(0, samples.shape[1], RATE)]
    assert min(loudness[:-4]) > 0.01
    assert not np.allclose(samples[0], samples[1])


def test_a_master_is_the_same_every_time():
    """Two renderings are equal byte for byte, so a second `seed` could not differ."""
    song: Song = min(SONGS, key=lambda song: song.bars * 60 / song.tempo if song.style == "bells" else 1e9)
    assert render(song, "artist", "album") == render(song, "artist", "album")
