"""Replicas of one service, each in a process of its own on the product's base, behind a real edge.

A replica (`python -m tests.support.replicas NAME NOTES`) serves two calls of the user service that nobody needs a token
for: a read (GetJwks, whose key is named after the replica) and a write (CreateSession, which notes the address before
it works, for as many seconds as the password says).
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.engines.data import ROOT
from cli.engines.ports import PortBook
from services.common import server
from services.common.auth import TokenVerifier
from services.common.settings import ServiceSettings, load
from spotilike.user.v1.key_service_pb2_grpc import KeyServiceServicer
from spotilike.user.v1.session_pb2 import SessionCredentials
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceServicer
from tests.support.echo_services import Signer

START_SECONDS = 20
READ_SECONDS = 0.05
WRITE_SECONDS = 0.05


class Keys(KeyServiceServicer):
    """Reads take a moment, so that some are always under way."""

    def __init__(self, name):
        """Answer a key of this name."""
        self._signer = Signer("", "", "", kid=name)

    async def GetJwks(self, *_):
        """Answer the key."""
        await asyncio.sleep(READ_SECONDS)
        return self._signer.jwks()

    async def public_key(self, _):
        """Know no key: nobody sends a token."""


class Sessions(SessionServiceServicer):
    """Writes are noted before they are done."""

    def __init__(self, name, notes):
        """Note in a file that all replicas share."""
        self._name, self._notes, self._held = name, notes, _held(notes)

    async def CreateSession(self, request, _):
        """Note who comes and take the time."""
        with self._notes.open("a") as notes:
            notes.write(f"{request.email}\n")
        await asyncio.sleep(WRITE_SECONDS)
        while self._held.exists():
            await asyncio.sleep(WRITE_SECONDS)
        return SessionCredentials(refresh_token=self._name)


@dataclass
class Replica:
    """One process, which may be killed and started again at the same port."""

    name: str
    port: int
    health_port: int
    environment: Mapping[str, str]
    notes: Path
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    async def start(self) -> None:
        """Start the process, unless it runs, and wait until it serves."""
        if self.process and self.process.poll() is None:
            return
        argv = [sys.executable, "-P", "-m", __name__, self.name, str(self.notes)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=ROOT, env=self.environment, stdout=log, stderr=log)  # noqa: ASYNC220, S603 (our own argv)
        await self._says(health_pb2.HealthCheckResponse.SERVING)

    async def leaving(self) -> None:
        """Wait until the process says that it wants no more calls."""
        await self._says(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def _says(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.health_port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            asked = health_pb2.HealthCheckRequest()
            async with asyncio.timeout(START_SECONDS):
                while (await stub.Check(asked, wait_for_ready=True)).status != status:
                    await asyncio.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self.process
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait until the process is gone and answer its exit code."""
        assert self.process
        return await asyncio.to_thread(self.process.wait, START_SECONDS)

    async def stop(self) -> None:
        """End the process at once."""
        if self.process and self.process.poll() is None:
            self.send(signal.SIGKILL)
            await self.ended()


class Replicas:
    """Two replicas of the user service."""

    def __init__(self, folder: Path, tls_dir: Path) -> None:
        """Keep ports, logs and notes in `folder`."""
        ports = PortBook(folder / "ports.json")
        self._notes = folder / "notes"
        self.all = [self._replica(name, ports, folder, tls_dir) for name in ("first", "second")]

    def _replica(self, name: str, ports: PortBook, folder: Path, tls_dir: Path) -> Replica:
        port, health_port = ports.take(name), ports.take(f"{name}-health")
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}",
            "SPOTILIKE_PUBLIC_LISTEN": f"127.0.0.1:{port}",
            "SPOTILIKE_INTERNAL_LISTEN": "127.0.0.1:0",
            "SPOTILIKE_HEALTH_LISTEN": f"127.0.0.1:{health_port}",
            "SPOTILIKE_TLS_DIR": str(tls_dir),
            "SPOTILIKE_DATABASE_URL": "postgresql://unused",
            "SPOTILIKE_USER_INTERNAL": "unused:0",
        }
        return Replica(name, port, health_port, environment, self._notes, folder / f"{name}.log")

    async def start(self) -> None:
        """Start both."""
        await asyncio.gather(*(replica.start() for replica in self.all))

    async def stop(self) -> None:
        """End both."""
        await asyncio.gather(*(replica.stop() for replica in self.all))

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the edge finds them."""
        return [("127.0.0.1", replica.port) for replica in self.all]

    def forget(self) -> None:
        """Forget the writes of the test before."""
        self._notes.unlink(missing_ok=True)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let no write end before the block does."""
        held = _held(self._notes)
        held.touch()
        try:
            yield
        finally:
            held.unlink()

    def seen(self) -> Counter[str]:
        """Count how often each write was begun."""
        return Counter(self._notes.read_text().split()) if self._notes.exists() else Counter()


def _held(notes: Path) -> Path:
    """While this file is there, writes go on."""
    return notes.with_suffix(".held")


def wire(name, notes):
    """Put a replica together."""
    keys = Keys(name)

    async def ready():
        pass

    return server.Service(
        settings=load(ServiceSettings),
        verifier=TokenVerifier(keys),
        public=[keys, Sessions(name, notes)],  # type: ignore[abstract]  # the other methods stay UNIMPLEMENTED
        internal=[],
        ready=ready,
    )


if __name__ == "__main__":
    server.run("user", lambda: wire(sys.argv[1], Path(sys.argv[2])))
