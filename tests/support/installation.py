"""One whole installation per test run: `./spotilike up --detach` in a folder of its own, with the real edge."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from cli.engines.data import ROOT, DataFolder
from cli.engines.ports import is_free
from cli.engines.running import running_postgres
from tests.support.engines import Run

_START_SECONDS = 120
TRIES = 3
IMPATIENT = {
    "SPOTILIKE_ABANDONED_GRACE_SECONDS": "5",
    "SPOTILIKE_SWEEP_SECONDS": "1",
    "SPOTILIKE_ANNOUNCE_AGAIN_SECONDS": "10",
}
"""Settings with which garbage goes soon, and what was not heard is told again soon."""
OBSERVED = {"OTEL_TRACES_EXPORTER": "file", "OTEL_BSP_SCHEDULE_DELAY": "500", "SPOTILIKE_METRICS": "1"}
"""Settings with which everything is recorded, written soon, and counted."""
PORT_TAKEN = ("Failed to bind", "address already in use", "Address already in use")


@dataclass(frozen=True)
class Installation:
    """A running Spotilike; commands run on its data folder."""

    data: Path
    port: int

    @property
    def url(self) -> str:
        """Return the address of the edge."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on this installation."""
        return command(*arguments, "--data", str(self.data))

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        answer: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return answer

    def rows(self, context: str, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Read the database of a context as its owner."""
        url = running_postgres(DataFolder(self.data)).url(f"{context}_owner", f"{context}_db")
        with psycopg.connect(url, connect_timeout=3) as connection:
            return connection.execute(query, values).fetchall()

    def part(self, name: str) -> dict[str, Any]:
        """Return the state of one part."""
        return next(part for part in self.status()["parts"] if part["name"] == name)


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in this environment, with more variables, and return what it printed."""
    return subprocess.run(  # noqa: S603 - our own argv
        [sys.executable, "-P", "-m", "cli", *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", **variables},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )


def start(run: Run, *options: str, **settings: str) -> Installation:
    """Start the run's installation, with more options of `up`, if no other xdist worker did; `stop` ends it."""
    folder = run.folder / "installation"
    outcome = folder / "outcome.json"
    with run.lock("installation"):
        if not outcome.exists():
            folder.mkdir()
            outcome.write_text(json.dumps(_up(folder / "data", options, settings)))
    known = json.loads(outcome.read_text())
    if known["failure"]:
        raise RuntimeError(f"up failed:\n{known['failure']}")
    return Installation(folder / "data", known["port"])


def _up(data: Path, options: Sequence[str], settings: Mapping[str, str]) -> dict[str, Any]:
    """Start an installation; once more when another test has taken a port after it was picked."""
    for _ in range(TRIES):
        port = free_port()
        started = command("up", "--detach", "--data", str(data), "--port", str(port), *options, **settings)
        failure = f"{started.stdout}{started.stderr}" if started.returncode else None
        if failure is None or not any(words in failure for words in PORT_TAKEN):
            break
        shutil.rmtree(data)
    return {"port": port, "failure": failure}


def free_port() -> int:
    """Return a port for an edge, apart from those which the parts pick for themselves."""
    return next(port for port in random.sample(range(23000, 29000), 6000) if is_free(port))


def stop(run: Run) -> None:
    """Stop the run's installation, if there is one."""
    data = run.folder / "installation" / "data"
    if data.exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            command("down", "--data", str(data))
