"""An installation from the outside: its rows, its objects, its parts, and the ways to kill them."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from minio import Minio

from cli.engines import control
from cli.engines.data import DataFolder
from cli.engines.parts import is_one_of
from cli.engines.running import running_postgres
from cli.engines.seaweedfs import REGION
from cli.engines.secret_files import SecretFiles
from services.common.settings import NatsSettings
from services.provision.broker import ADMIN
from services.provision.objects import credentials
from tests.nemesis.steps import WIPED, WORKER, Step
from tests.support.installation import Installation

READY_SECONDS = 90
AUDIO = "audio"
HEARER = "processing"


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for a condition and return what it answered."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        time.sleep(0.005)
    return answer


class Scene:
    """One installation."""

    def __init__(self, installation: Installation) -> None:
        """Look at a running installation."""
        self.url = installation.url
        self._data = DataFolder(installation.data)
        self._postgres = running_postgres(self._data)
        self._connections: dict[str, psycopg.Connection[Any]] = {}
        ports = {part["name"]: part["ports"] for part in self.parts()}
        brokers = [f"nats://127.0.0.1:{known['nats']}" for name, known in ports.items() if is_one_of(name, "nats")]
        seed = self._data.path / "nats" / "seeds" / f"{ADMIN}.nk"
        self.nats_settings = NatsSettings(nats_url=",".join(brokers), nats_seed_file=seed)
        keys = credentials(SecretFiles(self._data.secrets), ADMIN)
        endpoint = f"127.0.0.1:{ports['seaweedfs']['s3']}"
        self._store = Minio(endpoint, keys.access_key, keys.secret_key, secure=False, region=REGION)

    def parts(self) -> list[dict[str, Any]]:
        """Return the parts as the supervisor sees them."""
        answer = control.ask(self._data, "status")
        assert answer, "the supervisor is gone"
        parts: list[dict[str, Any]] = answer["parts"]
        return parts

    def rows(self, context: str, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of a context's tables, again and again while the database is away."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                found = self._connection(context).execute(query, values)
                return found.fetchall() if found.description else []
            except psycopg.OperationalError:
                if broken := self._connections.pop(context, None):
                    broken.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _connection(self, context: str) -> psycopg.Connection[Any]:
        if context not in self._connections:
            url = self._postgres.url(f"{context}_owner", f"{context}_db")
            self._connections[context] = psycopg.connect(url, connect_timeout=3, autocommit=True)
        return self._connections[context]

    def close(self) -> None:
        """Give the connections up."""
        for connection in self._connections.values():
            connection.close()

    def objects(self, prefix: str) -> list[str]:
        """List the keys of audio below a prefix."""
        return [str(found.object_name) for found in self._store.list_objects(AUDIO, prefix, recursive=True)]

    def open_uploads(self, prefix: str) -> list[str]:
        """List the keys of multipart uploads of audio below a prefix that were never closed."""
        found = self._store._list_multipart_uploads(AUDIO, prefix=prefix)  # noqa: SLF001 (the client keeps it to itself)
        return [str(upload.object_name) for upload in found.uploads]

    def step(self, job: str, track: str, *, look_for_objects: bool) -> Step:
        """Say how far a job is, whose upload is completed."""
        query = "SELECT status, stage FROM processing_jobs WHERE id = %s"
        rows = self.rows("processing", query, _id(job))
        match rows:
            case []:
                return Step.COMPLETED
            case [("PENDING", _)]:
                return Step.WAITING
            case [("PROCESSING", None | "DOWNLOADING" | "PROBING")]:
                return Step.DOWNLOADING
            case [("PROCESSING", _)]:
                return Step.PUBLISHING if look_for_objects and self.objects(f"{track}/") else Step.ENCODING
        return Step.TOLD

    def kill(self, part: str, job: str) -> int:
        """Kill a part, or the worker that has a job; answers its process id."""
        pid = self._pid(part, job)
        if part == WIPED:
            waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            until(lambda: self.rows("catalog", waiting) == [(0,)])
        os.kill(pid, signal.SIGKILL)
        if part == WIPED:
            shutil.rmtree(self._data.path / "nats" / "jetstream")
            os.kill(self._pid(HEARER, job), signal.SIGKILL)  # with the facts that have come as far as its socket
        return pid

    def deafen(self) -> None:
        """Let uploads be told to nobody, until NATS is killed with its store: what was told by then is lost."""
        os.kill(self._pid(HEARER, ""), signal.SIGSTOP)

    def _pid(self, part: str, job: str) -> int:
        running = {each["name"]: each["pid"] for each in self.parts() if each["pid"]}
        if part != WORKER:
            return int(running["nats" if part == WIPED else part])
        workers = [pid for name, pid in running.items() if name.startswith(f"{WORKER}-")]
        pods = self.rows("processing", "SELECT worker_pod FROM processing_jobs WHERE id = %s", _id(job)) if job else []
        holders = [int(pod.rsplit("-", 1)[1]) for (pod,) in pods if pod]
        return next((pid for pid in holders if pid in workers), workers[0])

    def recover(self, killed: int) -> None:
        """Wait until everything is ready again."""
        until(lambda: _all_ready(self.parts(), killed), READY_SECONDS)


def _all_ready(parts: Iterable[dict[str, Any]], killed: int) -> bool:
    return all(part["state"] == "ready" and part["pid"] != killed for part in parts)


def _id(name: str) -> UUID:
    return UUID(name.split("/")[1])
