"""What a player learns of the loudness of a track and of its album."""

from tests.streaming.shelf import Shelf


async def test_silence_has_no_loudness(shelf, listener):
    """A player that would raise it to its level must not find a zero."""
    playback = await listener.start(await shelf.add(silent=True))

    assert not playback.loudness.HasField("integrated_lufs")
    assert not playback.loudness.HasField("true_peak_dbtp")


async def test_the_loudness_of_the_album_stays_as_it_was_when_a_playback_began(shelf, listener):
    """A player that keeps the tracks of an album at their distance must not change the volume in the middle."""
    album = await shelf.edge.album(shelf.account, shelf.artist)
    own = Shelf(shelf.edge, shelf.rows, shelf.account, shelf.artist, album)
    track = await own.add()
    measure = "UPDATE albums SET integrated_lufs = :lufs WHERE id = :id"

    unknown = await listener.start(track)
    await own.rows(measure, lufs=-11.25, id=album.split("/")[1])
    known = await listener.start(track)
    await own.rows(measure, lufs=-9.0, id=album.split("/")[1])
    renewed = await listener.renew(known)

    assert not unknown.loudness.HasField("album_integrated_lufs")
    assert known.loudness.album_integrated_lufs == renewed.loudness.album_integrated_lufs == -11.25
