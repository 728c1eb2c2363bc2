"""What one of everything costs on a whole installation: the figures from which docs/operations.md reckons.

`python -m bench.units [MASTER]` prints, by part, the processor time of a thousand requests of each kind through the
edge, of a thousand plays, and of a minute of a master; the memory of each part; and the bytes that a minute of a
track and a play leave behind. What an idle installation takes in the same time is not counted. Without a master it
makes three minutes of something like music.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from minio import Minio

from cli.engines.data import DataFolder
from cli.engines.secret_files import SecretFiles
from services.provision.objects import credentials
from tests.e2e.song import Json, Listener
from tests.support import audio
from tests.support.engines import Run
from tests.support.installation import Installation, start, stop

REQUESTS, PLAYS, THOUSAND = 1000, 300, 1000
CLIENTS = 4
IDLE_SECONDS = 10
SECONDS, REPORT_SECONDS = 180, 15
POLL_SECONDS = 0.02
SEGMENT_BYTES = 64_000
ROW = "{:34}" + "{:>11}" * 8
PARTS = ("envoy", "user", "catalog", "processing", "streaming", "worker-1", "postgres", "seaweedfs")

Cpu = dict[str, float]
"""Seconds of the processor by part."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", nargs="?", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _installation() as installation:
        master = options.master or audio.save(
            Path(name) / "master.flac", audio.music(SECONDS), audio.RATE, "-sample_fmt", "s16"
        )
        _measure(Meter(installation), Listener(installation.url), master)


@contextmanager
def _installation() -> Iterator[Installation]:
    run = Run.begin()
    try:
        yield start(run, "--workers", "1")
    finally:
        stop(run)
        run.end()


class Meter:
    """Reads what the parts of an installation have used."""

    def __init__(self, installation: Installation) -> None:
        """Find out what the installation takes when nobody asks anything."""
        self.installation = installation
        self._pids = {part["name"]: int(part["pid"]) for part in installation.status()["parts"]}
        self._seen: dict[tuple[str, int], float] = {}
        before = self._read()
        time.sleep(IDLE_SECONDS)
        self._idle = {name: (used - before[name]) / IDLE_SECONDS for name, used in self._read().items()}

    def of(self, work: Callable[[], None]) -> Cpu:
        """Do some work; answers what it cost beyond idling."""
        before, began = self._read(), time.monotonic()
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(work)
            while not done.done():
                self._read()
                time.sleep(POLL_SECONDS)
            done.result()
        after, seconds = self._read(), time.monotonic() - began
        return {name: after[name] - before[name] - self._idle[name] * seconds for name in PARTS}

    def memory(self) -> dict[str, float]:
        """Answer how many MiB each part has, of what it shares with others its share."""
        used = {name: [each.memory_full_info().pss for each in self._processes(name)] for name in PARTS}
        return {name: sum(sizes) / (1 << 20) for name, sizes in used.items()}

    def _read(self) -> Cpu:
        """Sum up each part with all processes below it; those that have ended go on counting."""
        for name in PARTS:
            for process in self._processes(name):
                with suppress(psutil.Error):
                    self._seen[name, process.pid] = sum(process.cpu_times()[:2])
        return {name: sum(used for (part, _), used in self._seen.items() if part == name) for name in PARTS}

    def _processes(self, name: str) -> list[psutil.Process]:
        process = psutil.Process(self._pids[name])
        return [process, *process.children(recursive=True)]


def _measure(meter: Meter, listener: Listener, master: Path) -> None:
    _say(ROW.format("seconds of the processor", *PARTS))
    track = listener.release()["name"]

    def publish() -> None:
        listener.job(listener.upload(track, master)["job"])
        listener.playable(track)

    cost = meter.of(publish)
    minutes = float(listener.get(f"/v1/{track}")["duration"].removesuffix("s")) / 60
    _row("a minute of a master", cost, 1 / minutes)
    playback = listener.post("/v1/playbacks", {"track": track, "platform": "WEB"})
    media, token = _media(listener, playback), playback["mediaToken"]
    for what, ask in {
        "1,000 x GetTrack": lambda _: listener.get(f"/v1/{track}"),
        "1,000 x ListGenres": lambda _: listener.get("/v1/genres"),
        "1,000 x a segment of 64 kB": lambda number: listener.media(media, token, number % 100, SEGMENT_BYTES),
    }.items():
        _row(what, meter.of(partial(_many, ask, REQUESTS)), THOUSAND / REQUESTS)
    before = _size_of_plays(meter.installation)
    _row(
        "1,000 plays of three minutes",
        meter.of(partial(_many, partial(_play, listener, track), PLAYS)),
        THOUSAND / PLAYS,
    )
    _row("MiB of memory after all that", meter.memory(), 1)
    _say(f"bytes of the database that a play leaves: {(_size_of_plays(meter.installation) - before) / PLAYS:.0f}")
    stored = _stored(meter.installation, track)
    _say(f"bytes in the store for a minute of a track: {stored / minutes / 1e6:.2f} MB (its master not counted)")


def _many(ask: Callable[[int], Any], times: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, range(times)))


def _play(listener: Listener, track: str, _: int) -> None:
    """Play a track as a player does, but for the time that passes."""
    name = listener.post("/v1/playbacks", {"track": track, "platform": "WEB"})["name"]
    for sequence, end in enumerate(range(REPORT_SECONDS, SECONDS + 1, REPORT_SECONDS), start=1):
        heard: Json = {"intervals": [{"start": 0, "end": end}], "position": end, "sequence": str(sequence)}
        listener.post(f"/v1/{name}:report", heard | {"ended": end == SECONDS})


def _media(listener: Listener, playback: Json) -> str:
    """Answer the path of the file of one rendition."""
    folder = playback["manifestUri"].rsplit("/", 1)[0]
    playlist = f"{folder}/{playback['renditions'][0]['uri'].rsplit('/', 1)[1]}"
    lines = listener.media(playlist, playback["mediaToken"]).decode().splitlines()
    return f"{folder}/{next(line for line in lines if line.endswith('.mp4'))}"


def _size_of_plays(installation: Installation) -> int:
    query = "SELECT pg_total_relation_size('playbacks') + sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
    return int(installation.rows("streaming", query)[0][0])


def _stored(installation: Installation, track: str) -> int:
    ports = installation.part("seaweedfs")["ports"]
    keys = credentials(SecretFiles(DataFolder(installation.data).secrets), "admin")
    store = Minio(f"127.0.0.1:{ports['s3']}", keys.access_key, keys.secret_key, secure=False)
    return sum(found.size or 0 for found in store.list_objects("audio", f"{track}/", recursive=True))


def _row(what: str, cost: Cpu, factor: float) -> None:
    _say(ROW.format(what, *(f"{cost[name] * factor:.2f}" for name in PARTS)))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
