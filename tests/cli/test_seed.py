"""Promises of the demo: it is music made here, the same everywhere, in the formats which artists use."""

from dataclasses import replace

import numpy as np
import pytest

from cli.seed.arrangement import perform, seconds
from cli.seed.covers import cover
from cli.seed.masters import render
from cli.seed.songs import ARTISTS, Song
from cli.seed.sound import RATE
from services.common.images import SIZES
from services.processing.pictures.header import read_header
from tests.support.pictures import pixels

SONGS = [song for artist in ARTISTS for album in artist.albums for song in album.songs]


@pytest.mark.parametrize("name", [album.title for artist in ARTISTS for album in artist.albums])
def test_a_cover_is_a_picture_of_two_colours_and_the_same_every_time(name: str):
    """As large as the largest size that is shown, and small enough to be taken."""
    picture = cover(name)

    header = read_header(picture)
    assert (header.width, header.height) == (SIZES[-1], SIZES[-1])
    assert len(picture) < 10 << 20
    assert np.ptp(pixels(picture), axis=(0, 1)).max() > 64
    assert cover(name) == picture


def test_the_demo_is_a_small_catalogue():
    """Several artists, releases of every kind, every master format, guests from the demo itself."""
    albums = [album for artist in ARTISTS for album in artist.albums]
    assert len(ARTISTS) >= 3
    assert {album.kind for album in albums} == {"SINGLE", "EP", "ALBUM"}
    assert {song.master for song in SONGS} == {"wav", "flac", "ogg"}
    guests = {song.featuring for song in SONGS if song.featuring}
    assert len(guests) >= 2
    assert guests <= {artist.name for artist in ARTISTS}


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song.title)
def test_a_song_is_neither_a_jingle_nor_a_symphony(song: Song):
    """Long enough to be listened to, short enough to be processed while one looks."""
    assert 20 <= seconds(song) <= 60


@pytest.mark.parametrize("style", sorted({song.style for song in SONGS}))
def test_every_style_is_audible_stereo_without_clipping(style: str):
    """Six bars peak at -1 dBFS, sound in every second and differ between the sides."""
    song = replace(next(song for song in SONGS if song.style == style), bars=6)
    samples = perform(song)
    assert samples.shape[1] == round(seconds(song) * RATE)
    assert 0.85 < np.max(np.abs(samples)) < 0.9
    loudness = [np.sqrt(np.mean(samples[:, start : start + RATE] ** 2)) for start in range(0, samples.shape[1], RATE)]
    assert min(loudness[:-4]) > 0.01
    assert not np.allclose(samples[0], samples[1])


@pytest.mark.parametrize("master", ["wav", "flac", "ogg"])
def test_a_master_is_the_same_every_time(master: str):
    """Two renderings are equal byte for byte, so a second `seed` could not differ."""
    song = replace(next(song for song in SONGS if song.master == master), bars=2)
    assert render(song, "artist", "album") == render(song, "artist", "album")
