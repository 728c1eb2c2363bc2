"""A restore drill, `./spotilike drill`: a whole installation is lost and comes back from its backup.

Somebody uploads a song and plays it; a backup is taken; people go on; then everything is killed and the data directory
is removed. After the restore the song has to play, byte for byte, and whoever was erased meanwhile has to stay erased.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from cli.backup import erasures
from cli.backup.manifest import Manifest
from cli.engines.data import DataFolder
from tests.e2e.song import PASSWORD, Heard, Json, Listener, hear
from tests.nemesis.scene import until
from tests.support import audio
from tests.support.engines import Run
from tests.support.installation import Installation, command, start

SONG_SECONDS = 5
WRITES = 10
"""Tracks that are made before the backup, and as many after it."""
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Drill:
    """What was lost, and how long it took."""

    is_the_same: bool
    """Whether the song plays as before, byte for byte."""
    kept: int
    """Writes from before the backup that are there."""
    found: int
    """Writes from after the backup that are there."""
    is_erased: bool
    """Whether somebody who was erased after the backup is so after the restore."""
    refused: list[int]
    """What the access token and the refresh token from before were answered."""
    recovery_point_seconds: float
    """From the moment of the backup to the last write that was acknowledged."""
    recovery_time_seconds: float
    """From the disaster to the first byte of music."""
    printed: str

    def __str__(self) -> str:
        """Say it in a few lines."""
        return (
            f"{self.printed}\n"
            f"the song plays as before: {self.is_the_same}; the erased stay erased: {self.is_erased}; "
            f"old tokens were answered {self.refused}\n"
            f"writes before the backup: {self.kept} of {WRITES} kept; after it: {self.found} of {WRITES}\n"
            f"RPO {self.recovery_point_seconds:.1f} s (age of the backup at the last acknowledged write), "
            f"RTO {self.recovery_time_seconds:.1f} s (from the disaster to the first segment)"
        )


def drill(run: Run, *options: str) -> Drill:
    """Do it all in an installation of the run's own, started with options of `up`, which runs again in the end."""
    installation, backup = start(run, "--workers", "1", *options), run.folder / "backup"
    listener, leaver = Listener(installation.url), Listener(installation.url)
    track = listener.release()["name"]
    song = audio.save(run.folder / "song.ogg", audio.noise(SONG_SECONDS))
    listener.job(listener.upload(track, song)["job"])
    listener.playable(track)
    before = _listen(listener, track)
    session = listener.plain.post("/v1/sessions", json={"email": listener.account["email"], "password": PASSWORD})
    early = [_write(listener, track) for _ in range(WRITES)]

    saved = installation.command("backup", str(backup))
    assert saved.returncode == 0, saved.stderr
    manifest = Manifest.read(backup)
    assert manifest
    leaver.post("/v1/users/me:erase", {"password": PASSWORD})
    late = [_write(listener, track) for _ in range(WRITES)]
    acknowledged = datetime.now(UTC)
    until(lambda: erasures.listed(backup))

    disaster = time.monotonic()
    _destroy(installation)
    restored = installation.command("restore", str(backup))
    assert restored.returncode == 0, restored.stdout + restored.stderr
    up = command("up", "--detach", "--data", str(installation.data), "--port", str(installation.port), *options)
    assert up.returncode == 0, up.stdout + up.stderr
    refused = [
        listener.http.get("/v1/users/me").status_code,
        listener.plain.post("/v1/sessions:refresh", json={"refreshToken": session.json()["refreshToken"]}).status_code,
    ]
    del listener.http.headers["Authorization"]
    token = listener.post("/v1/sessions", {"email": listener.account["email"], "password": PASSWORD})["accessToken"]
    listener.http.headers["Authorization"] = f"Bearer {token}"
    after = _listen(listener, track)
    recovered = time.monotonic()
    gone = leaver.plain.post("/v1/sessions", json={"email": leaver.account["email"], "password": PASSWORD})
    return Drill(
        is_the_same=after == before,
        kept=sum(_is_there(listener, name) for name in early),
        found=sum(_is_there(listener, name) for name in late),
        is_erased=gone.status_code == httpx.codes.UNAUTHORIZED,
        refused=refused,
        recovery_point_seconds=(acknowledged - datetime.fromisoformat(manifest.taken_at)).total_seconds(),
        recovery_time_seconds=recovered - disaster,
        printed=saved.stdout + restored.stdout,
    )


def _listen(listener: Listener, track: str) -> list[Heard]:
    playback: Json = listener.post("/v1/playbacks", {"track": track})
    manifests = [manifest["uri"] for manifest in playback["manifests"]]
    return [heard for manifest in manifests for heard in hear(listener, manifest, playback["mediaToken"])]


def _write(listener: Listener, track: str) -> str:
    """Make a track on the album of another one."""
    time.sleep(PAUSE_SECONDS)
    album = listener.get(f"/v1/{track}")["album"]
    return str(listener.post("/v1/tracks", {"album": album, "title": "Another song"})["name"])


def _is_there(listener: Listener, name: str) -> bool:
    return listener.http.get(f"/v1/{name}").is_success


def _destroy(installation: Installation) -> None:
    """Kill everything at once and remove the data directory."""
    supervisor = psutil.Process(DataFolder(installation.data).holder())
    processes = [supervisor, *supervisor.children(recursive=True)]
    os.kill(supervisor.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=30)
    shutil.rmtree(installation.data)


def main(options: list[str]) -> None:
    """Run a drill in a folder of its own, and print what came of it."""
    run = Run(Path(tempfile.mkdtemp(prefix="spotilike-drill-", dir="/tmp")), os.getpid())  # short enough for sockets
    try:
        outcome = drill(run, *options)
        print(outcome)  # noqa: T201 (this is what one runs it for)
    finally:
        command("down", "--data", str(run.folder / "installation" / "data"))
        run.end()
    if not (outcome.is_the_same and outcome.is_erased):
        sys.exit("The drill has failed.")


if __name__ == "__main__":
    main(sys.argv[1:])
