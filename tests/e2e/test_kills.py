"""Any one process is killed in mid-step: the upload still ends as a playable track, with exactly one effect."""

import os
import signal
import threading
import time

import psycopg
import pytest

from cli.engines.data import DataFolder
from cli.engines.engines import Engines
from tests.e2e.song import Listener, hear
from tests.support import audio, installation
from tests.support.engines import Run

SECONDS = 150
PARTS = ("worker-1", "processing", "catalog", "streaming", "user", "postgres", "nats", "seaweedfs", "envoy")

pytestmark = pytest.mark.xdist_group("kills")


@pytest.fixture(scope="module")
def fragile():
    """Return an installation of this module alone, with one worker, so that it is known who encodes."""
    run = Run.begin()
    yield installation.start(run, "--workers", "1")
    installation.stop(run)
    run.end()


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """Return a master that takes a few seconds to encode."""
    return audio.save(tmp_path_factory.mktemp("kills") / "master.ogg", audio.noise(SECONDS))


class Records:
    """What the databases say, read as their owners."""

    def __init__(self, fragile):
        """Read the databases of an installation."""
        self._postgres = Engines.at(DataFolder(fragile.data)).postgres

    def one(self, context, sql, *values):
        """Return the one row of a query."""
        with psycopg.connect(self._postgres.url(f"{context}_owner", f"{context}_db")) as connection:
            return connection.execute(sql, values).fetchone()

    def job(self, job):
        """Return state, stage, percent, attempt and folder of a job."""
        return self.one(
            "processing",
            "SELECT status, stage, percent, attempt, folder FROM processing_jobs WHERE id = %s",
            job.removeprefix("jobs/"),
        )


class FileKeys:
    """Watches `tracks.file_key` and keeps every value it ever had."""

    def __init__(self, records, track):
        """Watch a track."""
        self.seen = []
        self._records, self._track = records, track.removeprefix("tracks/")
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
                (key,) = self._records.one("catalog", "SELECT file_key FROM tracks WHERE id = %s", self._track)
            except psycopg.OperationalError:
                continue  # PostgreSQL is what was killed
            if key not in self.seen:
                self.seen.append(key)


def until(condition, seconds=60):
    """Wait for a condition and return what it answered."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise TimeoutError(condition)


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_process_costs_no_upload(fragile, master, part):
    """Kill -9 in the middle of the encode; one folder is published, `file_key` changes once."""
    records = Records(fragile)
    listener = Listener(fragile.url)
    track = listener.release(f"Killed {part}")["name"]
    job = listener.upload(track, master)["job"]
    with FileKeys(records, track) as keys:
        until(lambda: (row := records.job(job)) and row[1] == "ENCODING" and row[2] > 0)
        pid = fragile.part(part)["pid"]
        os.kill(pid, signal.SIGKILL)
        status, stage, percent, attempt, _ = until(lambda: caught(records, job))
        print(f"{part} (pid {pid}) killed at {stage} {percent} % of attempt {attempt}")  # noqa: T201
        assert (status, stage) == ("PROCESSING", "ENCODING"), "the kill came too late to mean anything"

        ended = listener.job(job)
        ready = listener.playable(track)
        until(lambda: len(keys.seen) > 1)

    assert ended["state"] == "COMPLETED", ended
    assert ready["duration"] == f"{SECONDS}s"
    assert len(keys.seen) == 2, "the draft's key and the published folder's"
    assert keys.seen[1] == records.job(job)[4]
    playback = until(lambda: start(listener, track))
    assert hear(listener, playback["manifestUri"], playback["mediaToken"])[0].seconds == pytest.approx(SECONDS, abs=0.1)
    until(lambda: fragile.part(part)["state"] == "ready" and fragile.part(part)["pid"] != pid)


def caught(records, job):
    """Read a job as soon as the database answers again."""
    try:
        return records.job(job)
    except psycopg.OperationalError:
        return None


def start(listener, track):
    """Start a playback once everything that it needs is back."""
    response = listener.http.post("/v1/playbacks", json={"track": track})
    return response.json() if response.is_success else None
