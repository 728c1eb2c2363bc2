"""A master that is replaced while it is still being processed."""

import time

import pytest

from tests.e2e.song import Listener, hear
from tests.support import audio

SHORT, LONG = 5, 60


@pytest.fixture(scope="module")
def masters(tmp_path_factory):
    """Return masters by their length."""
    folder = tmp_path_factory.mktemp("masters")
    return {seconds: audio.save(folder / f"{seconds}.ogg", audio.noise(seconds)) for seconds in (SHORT, LONG)}


@pytest.mark.parametrize(("first", "second"), [(LONG, SHORT), (SHORT, LONG)], ids=["overtaken", "in order"])
def test_the_newest_master_wins_in_whatever_order_they_are_finished(installation, masters, first, second):
    """Listeners hear the second one; the first one's folder is given up."""
    listener = Listener(installation.url)
    track = listener.release(f"{first}-{second}")["name"]

    jobs = [listener.upload(track, masters[seconds])["job"] for seconds in (first, second)]
    ended = [listener.job(job) for job in jobs]
    deadline = time.monotonic() + 30
    while (shown := listener.get(f"/v1/{track}")).get("duration") != f"{second}s" and time.monotonic() < deadline:
        time.sleep(0.1)

    assert [job["state"] for job in ended] == ["COMPLETED", "COMPLETED"]
    assert (shown["state"], shown["duration"]) == ("READY", f"{second}s")
    playback = listener.post("/v1/playbacks", {"track": track})
    assert hear(listener, playback["manifestUri"], playback["mediaToken"])[0].seconds == pytest.approx(second, abs=0.1)
    assert retired(installation, track) == {folder(installation, jobs[0])}


def folder(installation, job):
    """Return the folder that a job made."""
    found = installation.rows("processing", "SELECT folder FROM processing_jobs WHERE id = %s", job[5:])
    return found[0][0]


def retired(installation, track):
    """Return the folders of a track that are given up, once processing has heard of one."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        sql = "SELECT folder FROM retired_folders WHERE track_id = %s"
        if rows := installation.rows("processing", sql, track.removeprefix("tracks/")):
            return {row[0] for row in rows}
        time.sleep(0.1)
    return set()
