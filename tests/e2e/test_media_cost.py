"""Media goes from the store through the edge to the listener; no Python is in its path."""

import time
from pathlib import Path

import pytest

from tests.e2e.song import Listener
from tests.support import audio

pytestmark = pytest.mark.xdist_group("quiet")


@pytest.fixture
def song(quiet_installation, tmp_path):
    """Return a listener and a playable track of an installation that nobody else uses."""
    listener = Listener(quiet_installation.url)
    track = listener.release()["name"]
    listener.upload(track, audio.save(tmp_path / "master.ogg", audio.sweep(12)))
    return listener, listener.playable(track)


REQUESTS, ASKED = 1000, 50
NOISE_MS = 0.1 * REQUESTS
"""What a busy machine adds to doing nothing; a call for each request would cost four times as much at least."""
SERVICES = ("user", "catalog", "processing", "streaming", "worker-1")


def test_media_costs_no_python(song, quiet_installation):
    """A thousand full answers cost each service no more CPU than doing nothing for as long, and some noise."""
    listener, track = song
    playback = listener.post("/v1/playbacks", {"track": track["name"]})
    path = f"{playback['manifestUri'].rsplit('/', 1)[0]}/{playback['renditions'][0]['uri'].rsplit('/', 1)[1]}"
    playlist = listener.media(path, playback["mediaToken"]).decode()
    media = f"{path.rsplit('/', 1)[0]}/{next(line for line in playlist.splitlines() if line.endswith('.mp4'))}"
    whole = listener.media(media, playback["mediaToken"])
    pids = {name: quiet_installation.part(name)["pid"] for name in SERVICES}

    began = time.monotonic()
    with Cost(pids) as busy:
        for number in range(REQUESTS):
            first = (number * 997) % (len(whole) - 1000)
            assert listener.media(media, playback["mediaToken"], first, 1000) == whole[first : first + 1000]
    wall = time.monotonic() - began
    with Cost(pids) as idle:
        time.sleep(wall)
    with Cost(pids) as asked:
        for _ in range(ASKED):
            listener.get("/v1/genres")

    for name in SERVICES:
        print(f"{name}: {busy.ms[name]:.1f} ms while serving, {idle.ms[name]:.1f} ms idle, over {wall:.1f} s")  # noqa: T201
        assert busy.ms[name] <= idle.ms[name] + NOISE_MS, name
    assert asked.ms["catalog"] / ASKED > 4 * NOISE_MS / REQUESTS, "a service that works is not seen here"


class Cost:
    """The CPU time that processes used while this was open, as the scheduler counted it."""

    def __init__(self, pids):
        """Watch processes by their names."""
        self.ms: dict[str, float] = {}
        self._pids = pids

    def __enter__(self):
        self._before = {name: used_ms(pid) for name, pid in self._pids.items()}
        return self

    def __exit__(self, *_):
        self.ms = {name: used_ms(pid) - self._before[name] for name, pid in self._pids.items()}


def used_ms(pid):
    """Read the CPU time of a process's threads in milliseconds; /proc/*/stat would count in steps of ten."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6
