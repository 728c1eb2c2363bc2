"""The engines of one data folder, which the product runs on and which the tests run alone."""

from dataclasses import dataclass

from cli.engines.certificates import CertificateAuthority
from cli.engines.data import DataFolder
from cli.engines.nats import NatsServers
from cli.engines.parts import Mesh
from cli.engines.ports import PortBook
from cli.engines.postgres import Postgres
from cli.engines.seaweedfs import SeaweedFS
from cli.engines.secret_files import SecretFiles
from services.provision.certificates import SERVICES


@dataclass(frozen=True)
class Engines:
    """The engines of one data folder: addresses and identities for whoever talks to them."""

    data: DataFolder
    ports: PortBook
    secrets: SecretFiles
    postgres: Postgres
    nats: NatsServers
    seaweedfs: SeaweedFS

    @classmethod
    def at(cls, data: DataFolder, *, nats_nodes: int = 1, durable: bool = True) -> "Engines":
        """Prepare the engines in a data folder. Without `durable` a power cut may lose data: for tests."""
        ports = PortBook(data.ports)
        secrets = SecretFiles(data.secrets)
        return cls(
            data=data,
            ports=ports,
            secrets=secrets,
            postgres=Postgres(data.path / "postgres", ports.take("postgres"), secrets, durable=durable),
            nats=NatsServers.at(data.path / "nats", ports, secrets, nats_nodes, durable=durable),
            seaweedfs=SeaweedFS.at(data, ports, secrets),
        )

    def mesh(self) -> Mesh:
        """Return the engines with their databases, buckets and the certificates of all services."""
        authority = CertificateAuthority(self.data.tls)
        for service in SERVICES:
            authority.service(service)
        return [
            self.postgres.part(),
            self.postgres.step(),
            *self.nats.parts(),
            self.seaweedfs.part(),
            self.seaweedfs.step(),
        ]
