"""Brokers of a test's own, alone or as a cluster, which may be killed and started again on their store."""

import asyncio
import signal
import subprocess
from pathlib import Path

from cli.engines.nats import Nats, NatsServers
from cli.engines.ports import PortBook
from cli.engines.secret_files import SecretFiles
from services.common.settings import NatsSettings
from services.provision.broker import ADMIN

START_SECONDS = 20


class Broker:
    """One server."""

    def __init__(self, nats: Nats) -> None:
        """Run the server that `nats` describes."""
        self._part = nats.part()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until its streams can be used."""
        command = self._part.argv
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603 (our own argv)
        async with asyncio.timeout(START_SECONDS):
            while not await self._answers():
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it as a power cut does."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)

    async def _answers(self) -> bool:
        try:
            return bool(self._part.ready and await self._part.ready())
        except (OSError, asyncio.IncompleteReadError):
            return False


def single(folder: Path, ports: PortBook) -> tuple[Broker, Nats]:
    """Describe a broker that stands alone."""
    nats = Nats(folder, ports.take("nats"), ports.take("nats-monitor"))
    return Broker(nats), nats


def cluster(folder: Path, ports: PortBook, size: int) -> tuple[dict[str, Broker], NatsServers]:
    """Describe brokers that keep each other's streams, by the names of the servers."""
    servers = NatsServers.at(folder / "nats", ports, SecretFiles(folder / "secrets"), size, durable=True)
    return {nats.name: Broker(nats) for nats in servers.servers}, servers


def settings(nats: Nats | NatsServers, url: str = "") -> NatsSettings:
    """Return the settings of the administrator of a broker, at another address than its own if there is one."""
    return NatsSettings(nats_url=url or nats.url, nats_seed_file=nats.seed_file(ADMIN))
