"""Real engines for one test run.

PostgreSQL and SeaweedFS are started by whichever xdist worker needs them first and serve all workers; every worker has
a NATS of its own, because streams and durable consumers are shared state. Each is a daemon of its own
(`python -m tests.support.engines FOLDER PID PART…`) which ends with the process that began the run, however that ends.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from cli.engines import engines
from cli.engines.data import ROOT, DataFolder
from cli.engines.nats import Nats
from cli.engines.postgres import Postgres
from cli.engines.secret_files import SecretFiles
from cli.engines.supervisor import Supervisor
from services.provision.databases import SUPERUSER
from services.provision.objects import Credentials, credentials

_SHARED = ("postgres", "databases", "seaweedfs", "buckets")
_PER_WORKER = ("nats",)


@dataclass(frozen=True)
class Engines:
    """Addresses and identities of the running engines."""

    shared: Path
    own: Path
    postgres_port: int
    s3_port: int
    nats_port: int
    nats_monitor_port: int

    @property
    def postgres(self) -> Postgres:
        """Return the server; its `create_database` makes more databases."""
        return Postgres(self.shared / "postgres", self.postgres_port, self._secrets, durable=False)

    @property
    def postgres_admin_url(self) -> str:
        """Return the superuser's connection string."""
        return self.postgres.url(SUPERUSER, "postgres")

    def database_url(self, context: str, role: str, database: str | None = None) -> str:
        """Return the connection string of a context's role, `app` or `owner`."""
        return self.postgres.url(f"{context}_{role}", database or f"{context}_db")

    @property
    def nats(self) -> Nats:
        """Return this worker's NATS server."""
        return Nats(self.own / "nats", self.nats_port, self.nats_monitor_port, durable=False)

    @property
    def nats_url(self) -> str:
        """Return the address of this worker's NATS server."""
        return self.nats.url

    def nats_seed_file(self, identity: str) -> Path:
        """Return the nkey seed of `admin` or of a context."""
        return self.nats.seed_file(identity)

    @property
    def s3_endpoint(self) -> str:
        """Return host and port of the object store."""
        return f"127.0.0.1:{self.s3_port}"

    def s3_credentials(self, identity: str) -> Credentials:
        """Return the keys of `admin`, `catalog`, `processing` or `edge`."""
        return credentials(self._secrets, identity)

    def tls_dir(self, service: str) -> Path:
        """Return the folder with tls.crt, tls.key and ca.crt of a service, `edge` or `cli`."""
        return self.shared / "tls" / service

    @property
    def _secrets(self) -> SecretFiles:
        return SecretFiles(self.shared / "secrets")


class Run:
    """The folder of one test run, short enough for sockets and outside pytest's own private one."""

    def __init__(self, folder: Path, owner: int) -> None:
        self.folder = folder
        self._owner = owner

    @classmethod
    def begin(cls) -> "Run":
        """Make the folder of a new run which ends with this process."""
        return cls(Path(tempfile.mkdtemp(prefix="spotilike-test-", dir="/tmp")), os.getpid())

    def engines(self, worker: str) -> Engines:
        """Start what does not run yet and say where everything is."""
        shared = self._running(self.folder / "shared", _SHARED)
        own = self._running(self.folder / worker, _PER_WORKER)
        return Engines(
            shared=self.folder / "shared",
            own=self.folder / worker,
            postgres_port=shared["postgres"],
            s3_port=shared["seaweedfs-s3"],
            nats_port=own["nats"],
            nats_monitor_port=own["nats-monitor"],
        )

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Let one xdist worker at a time pass."""
        with (self.folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def end(self) -> None:
        """Stop the daemons and remove the folder."""
        daemons = []
        for file in self.folder.glob("*/daemon.pid"):
            with contextlib.suppress(psutil.NoSuchProcess):
                daemons.append(psutil.Process(int(file.read_text())))
        for daemon in daemons:
            daemon.terminate()
        psutil.wait_procs(daemons, timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _running(self, folder: Path, parts: tuple[str, ...]) -> dict[str, int]:
        folder.mkdir(exist_ok=True)
        ready = folder / "ready"
        with self.lock(folder.name):
            if not ready.exists():
                start_daemon(folder, self._owner, parts)
                ready.touch()
        ports: dict[str, int] = json.loads((folder / "ports.json").read_text())
        return ports


def start_daemon(folder: Path, owner: int, parts: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start a process which runs these parts in a folder until `owner` ends; return it when they are ready."""
    ready_end, daemon_end = os.pipe()
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(  # noqa: S603 - our own argv
            [sys.executable, "-m", __name__, str(folder), str(owner), str(daemon_end), *parts],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[daemon_end],
            start_new_session=True,
        )
    os.close(daemon_end)
    (folder / "daemon.pid").write_text(str(daemon.pid))
    with os.fdopen(ready_end) as stream:
        if stream.read() != "ready":  # ends when the daemon does
            raise RuntimeError(f"the engines did not start:\n{(folder / 'daemon.log').read_text()}")
    return daemon


class _Journal:
    """Writes the supervisor's words to the daemon's log; the parts have logs of their own."""

    def progress(self, name: str, text: str) -> None:
        sys.stdout.write(f"{name}: {text}\n")

    def line(self, name: str, text: str) -> None:
        """Leave it to the part's log."""


async def _serve(folder: Path, owner: int, ready: int, parts: list[str]) -> None:
    data = DataFolder(folder)
    data.make()
    wanted = [item for item in engines.Engines.at(data, durable=False).mesh() if item.name in parts]
    supervisor = Supervisor(wanted, data.logs, _Journal())
    loop = asyncio.get_running_loop()
    loop.add_reader(os.pidfd_open(owner), supervisor.ask_to_stop)
    loop.add_signal_handler(15, supervisor.ask_to_stop)
    try:
        await supervisor.start()
        os.write(ready, b"ready")
        os.close(ready)
        await supervisor.watch()
    finally:
        await supervisor.stop()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
