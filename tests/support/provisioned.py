"""Engines that know what `python -m services.provision` has made, as a cluster's or a compose file's engines do."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.engines.data import DataFolder
from cli.engines.engines import Engines
from services.provision.broker import IDENTITIES
from services.provision.holders import MADE
from tests.support.databases import run_module
from tests.support.engines import start_daemon

PARTS = ("postgres", "nats", "seaweedfs")


@dataclass(frozen=True)
class Place:
    """Sets of secrets, and engines on loopback that were told of them."""

    folder: Path
    engines: Engines
    daemon: subprocess.Popen[bytes]

    @property
    def sets(self) -> Path:
        """Return the folder of the sets."""
        return self.folder / "secrets"

    def secret(self, name: str, file: str) -> str:
        """Read a file of a set."""
        return (self.sets / name / file).read_text()

    def step(self, name: str) -> None:
        """Run a step of the administrator's job and fail with what it printed."""
        run_module("services.provision", name, **self.settings("provision-secrets"))

    def migrate(self, context: str) -> None:
        """Bring a database to the newest schema."""
        run_module("services.common.migrate", context, **self.settings(f"{context}-owner"))

    def settings(self, name: str) -> dict[str, str]:
        """Return the settings of a program that mounts a set."""
        return {
            "SPOTILIKE_SECRETS_DIR": str(self.sets / name),
            "SPOTILIKE_NATS_URL": self.engines.nats.url,
            "SPOTILIKE_NATS_SEED_FILE": str(self.sets / name / "nats.nk"),
            "SPOTILIKE_S3_ENDPOINT": self.engines.seaweedfs.endpoint,
        }

    def end(self) -> None:
        """Stop the engines and remove everything."""
        self.daemon.terminate()
        self.daemon.wait(30)
        shutil.rmtree(self.folder)


def make_secrets(folder: Path, postgres: str) -> None:
    """Make the sets in a folder."""
    run_module("services.provision", "secrets", SPOTILIKE_KEEP_IN=str(folder), SPOTILIKE_POSTGRES=postgres)


def begin(folder: Path, make: Callable[[Path, str], None] = make_secrets) -> Place:
    """Make secrets in an empty folder with a short path, and start engines that know them and hold nothing yet."""
    data = DataFolder(folder / "data")
    data.make()
    engines = Engines.at(data, durable=False)
    made, seeds = folder / "secrets" / MADE, data.path / "nats" / "seeds"
    make(made.parent, f"127.0.0.1:{engines.postgres.port}")
    shutil.copytree(made, data.secrets / "made", dirs_exist_ok=True)
    seeds.mkdir(parents=True)
    for identity in IDENTITIES:
        shutil.copy(made / f"nats_{identity}", seeds / f"{identity}.nk")
    return Place(folder, engines, start_daemon(data.path, os.getpid(), PARTS))
