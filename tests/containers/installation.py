"""compose.yaml on this machine: its containers on loopback addresses of their own, beside embedded engines."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cli.engines.data import ROOT
from tests.containers.podman import Container

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
HOSTS = {
    "user": "127.0.0.11",
    "catalog": "127.0.0.12",
    "processing": "127.0.0.13",
    "streaming": "127.0.0.14",
    "mailbox": "127.0.0.15",
}
"""Each service listens on its usual ports, at an address of its own."""
ANYWHERE = "0.0.0.0"  # noqa: S104 (what compose.yaml says, where a container's network is its own)


@dataclass(frozen=True)
class Installation:
    """A folder that stands for the volumes."""

    folder: Path
    here: dict[str, str] = field(default_factory=dict)
    """Settings that lead to what runs on this machine."""

    def container(self, name: str) -> Container:
        """Describe a service of compose.yaml."""
        service = COMPOSE["services"][name]
        variables = {variable: _at_home(name, value) for variable, value in service.get("environment", {}).items()}
        mounts = [self._mount(volume) for volume in service.get("volumes", [])]
        return Container(
            name=name,
            image=service["image"],
            command=[_at_home(name, word) for word in service["command"]],
            memory=service["mem_limit"],
            tmpfs=service["tmpfs"],
            stop_signal=service.get("stop_signal", "SIGTERM"),
            environment=variables | self.here,
            mounts={target: (folder, writable) for target, folder, writable in mounts},
        )

    def _mount(self, volume: str | dict[str, Any]) -> tuple[str, Path, bool]:
        """Put a folder where compose.yaml puts a volume."""
        if isinstance(volume, str):
            source, target = volume.split(":")
            return target, self._volume(source), True
        folder = self._volume(volume.get("source", "scratch"))
        subpath = volume.get("volume", {}).get("subpath", "")
        return volume["target"], folder / subpath, not volume.get("read_only", False)

    def _volume(self, name: str) -> Path:
        """Return the folder of a volume, which belongs to the account of the containers, as the image says."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir(mode=0o700)
            os.chown(folder, *(int(number) for number in COMPOSE["x-guarded"]["user"].split(":")))
        return folder


def _at_home(name: str, text: str) -> str:
    return text.replace(ANYWHERE, HOSTS.get(name, "127.0.0.1"))
