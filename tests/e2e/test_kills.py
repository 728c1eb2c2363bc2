"""Any one process is killed in mid-step: the upload still ends as a playable track, with exactly one effect."""

import os
import signal
import threading

import psycopg
import pytest

from tests.e2e.song import Listener, hear
from tests.nemesis.scene import until
from tests.support import audio

SECONDS = 120
PARTS = ("worker-1", "processing", "catalog", "streaming", "user", "postgres", "nats", "seaweedfs", "envoy")

pytestmark = pytest.mark.xdist_group("quiet")


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """Return a master that takes a few seconds to encode."""
    return audio.save(tmp_path_factory.mktemp("kills") / "master.ogg", audio.noise(SECONDS))


def row_of(quiet_installation, job):
    """Return state, stage, percent, attempt and folder of a job, or nothing while the database does not answer."""
    query = "SELECT status, stage, percent, attempt, folder FROM processing_jobs WHERE id = %s"
    try:
        return next(iter(quiet_installation.rows("processing", query, job.removeprefix("jobs/"))), None)
    except psycopg.OperationalError:
        return None


class FileKeys:
    """Watches `tracks.file_key` and keeps every value it ever had."""

    def __init__(self, quiet_installation, track):
        """Watch a track."""
        self.seen: list[str] = []
        self._quiet_installation, self._track = quiet_installation, track.removeprefix("tracks/")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _watch(self):
        while not self._stopping.wait(0.05):
            try:
                ((key,),) = self._quiet_installation.rows(
                    "catalog", "SELECT file_key FROM tracks WHERE id = %s", self._track
                )
            except psycopg.OperationalError:
                continue  # PostgreSQL is what was killed
            if key not in self.seen:
                self.seen.append(key)


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_process_costs_no_upload(quiet_installation, master, part):
    """Kill -9 in the middle of the encode; one folder is published, `file_key` changes once."""
    until(lambda: all(known["state"] == "ready" for known in quiet_installation.status()["parts"]))
    listener = Listener(quiet_installation.url)
    track = listener.release(f"Killed {part}")["name"]
    pid = quiet_installation.part(part)["pid"]
    job = listener.upload(track, master)["job"]
    with FileKeys(quiet_installation, track) as keys:
        until(lambda: (row := row_of(quiet_installation, job)) and row[1] == "ENCODING" and row[2] > 0)
        os.kill(pid, signal.SIGKILL)
        status, stage, percent, attempt, _ = until(lambda: row_of(quiet_installation, job))
        print(f"{part} (pid {pid}) killed at {stage} {percent} % of attempt {attempt}")  # noqa: T201
        assert (status, stage) == ("PROCESSING", "ENCODING"), "the kill came too late to mean anything"

        ended = listener.job(job)
        ready = listener.playable(track)
        until(lambda: len(keys.seen) > 1)

    assert ended["state"] == "COMPLETED", ended
    assert ready["duration"] == f"{SECONDS}s"
    assert len(keys.seen) == 2, "the draft's key and the published folder's"
    assert keys.seen[1] == row_of(quiet_installation, job)[4]
    playback = until(lambda: start(listener, track))
    assert hear(listener, playback["manifestUri"], playback["mediaToken"])[0].seconds == pytest.approx(SECONDS, abs=0.1)
    assert quiet_installation.part(part)["pid"] != pid


def start(listener, track):
    """Start a playback once everything that it needs is back."""
    response = listener.http.post("/v1/playbacks", json={"track": track})
    return response.json() if response.is_success else None
