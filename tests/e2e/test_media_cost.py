"""Media goes from the store through the edge to the listener; no Python is in its path."""

import time

import psutil
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


REQUESTS = 1000


def test_media_costs_no_python(song, quiet_installation):
    """A thousand full answers cost each service no more CPU than doing nothing for as long, and 20 ms."""
    listener, track = song
    playback = listener.post("/v1/playbacks", {"track": track["name"]})
    path = f"{playback['manifestUri'].rsplit('/', 1)[0]}/{playback['renditions'][0]['uri'].rsplit('/', 1)[1]}"
    playlist = listener.media(path, playback["mediaToken"]).decode()
    media = f"{path.rsplit('/', 1)[0]}/{next(line for line in playlist.splitlines() if line.endswith('.mp4'))}"
    whole = listener.media(media, playback["mediaToken"])
    services = {
        name: psutil.Process(quiet_installation.part(name)["pid"])
        for name in ("user", "catalog", "processing", "streaming", "worker-1")
    }

    def used():
        return {name: sum(process.cpu_times()[:2]) for name, process in services.items()}

    before, began = used(), time.monotonic()
    for number in range(REQUESTS):
        first = (number * 997) % (len(whole) - 1000)
        assert listener.media(media, playback["mediaToken"], first, 1000) == whole[first : first + 1000]
    wall, middle = time.monotonic() - began, used()
    time.sleep(wall)
    after = used()

    for name in services:
        busy, idle = middle[name] - before[name], after[name] - middle[name]
        print(f"{name}: {busy * 1000:.0f} ms while serving, {idle * 1000:.0f} ms idle, over {wall:.1f} s")  # noqa: T201
        assert busy <= idle + 0.02, name
