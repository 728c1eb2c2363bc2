"""Every part of an installation with its environment: the one place which knows how the parts find each other."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from cli.engines import mailbox, processes
from cli.engines.data import ROOT, DataFolder
from cli.engines.engines import Engines
from cli.engines.envoy import Edge, Shown
from cli.engines.logs import PartLog
from cli.engines.parts import CONTEXTS, Counts, Mesh, Part, Step, numbered
from cli.engines.postgres import Postgres
from cli.engines.readiness import grpc_serving
from cli.engines.traces import Tracing
from cli.problem import Problem
from services.provision.broker import ADMIN
from services.provision.holders import of_context

_LISTENERS = ("public", "internal", "health")
_METRICS = "SPOTILIKE_METRICS"
"""Set for `up`, it lets every part show metrics at a port of its own; `status --json` names the ports."""
_AT_ONCE = {"SPOTILIKE_DRAIN_DELAY_SECONDS": "0"}
"""A service that stops need not wait when there is no other replica to which the edge could turn."""
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
_PASSED_ON_PREFIXES = ("SPOTILIKE_", "OTEL_")


class Product:
    """The whole installation: engines, migrations, the four services, the workers and the edge."""

    def __init__(self, data: DataFolder, edge: Edge, counts: Counts) -> None:
        self._engines = Engines.at(data, nats_nodes=counts.nats_nodes)
        self._data = data
        self._edge = edge
        self._counts = counts
        self._tracing = Tracing.of(data, self._engines.ports)
        self._smtp_port = self._engines.ports.take("smtp")
        self._listen = {context: [self._ports(name) for name in self._names(context)] for context in CONTEXTS}

    @property
    def postgres(self) -> Postgres:
        """Return the database server."""
        return self._engines.postgres

    def mesh(self) -> Mesh:
        """Return everything in the order in which it starts."""
        nats = self._engines.nats
        kept = {"SPOTILIKE_NATS_REPLICAS": str(len(nats.names))}
        environment = self._nats_environment(ADMIN) | kept
        streams = self._module_step("streams", "services.common.streams", [], environment, nats.names)
        workers = [self._worker(number) for number in range(1, self._counts.workers + 1)]
        upstreams = {context: [ports["public"] for ports in self._listen[context]] for context in CONTEXTS}
        services = [
            self._service(context, name, ports)
            for context in CONTEXTS
            for name, ports in zip(self._names(context), self._listen[context], strict=True)
        ]
        shown = Shown(self._tracing.edge, self._metrics_port("edge").get("metrics"))
        edge = self._edge.part(self._engines, upstreams, [service.name for service in services], shown)
        mail = mailbox.part(self._smtp_port, self._data.mail, _inherited())
        beside = [mail, *self._tracing.parts(_inherited())]
        return [*self._engines.mesh(), *beside, self._migrations(), streams, *services, *workers, edge]

    def _names(self, context: str) -> list[str]:
        return numbered(context, self._counts.replicas)

    def _ports(self, name: str) -> dict[str, int]:
        return {listener: self._engines.ports.take(f"{name}-{listener}") for listener in _LISTENERS}

    def _service(self, context: str, name: str, listen: Mapping[str, int]) -> Part:
        at_once = _AT_ONCE if self._counts.replicas == 1 else {}
        ports = {**listen, **self._metrics_port(name)}
        return Part(
            name=name,
            argv=[sys.executable, "-P", "-m", f"services.{context}"],
            env=at_once | self._environment(context) | _listeners(ports),
            cwd=ROOT,
            needs=["migrations", "streams", "buckets"],
            ready=grpc_serving(ports["health"]),
            ports=ports,
            stop_seconds=20,
        )

    def _worker(self, number: int) -> Part:
        name = f"worker-{number}"
        ports = self._metrics_port(name)
        scratch = {"SPOTILIKE_SCRATCH_DIR": str(self._data.scratch)}
        return Part(
            name=name,
            argv=[sys.executable, "-P", "-m", "services.processing.worker"],
            env=self._environment("processing") | _listeners(ports) | scratch,
            cwd=ROOT,
            ports=ports,
            needs=["migrations", "streams", "buckets"],
            announcement='"event": "working"',
            stop_seconds=20,
        )

    def _metrics_port(self, part: str) -> dict[str, int]:
        """Return where a part shows metrics, if it is asked to."""
        return {"metrics": self._engines.ports.take(f"{part}-metrics")} if _METRICS in os.environ else {}

    def _environment(self, context: str) -> dict[str, str]:
        """Return what a service or worker of a context is told; secrets stand in files of its own folder."""
        database_url = self._engines.postgres.url(f"{context}_app", f"{context}_db")
        secrets = of_context(context, database_url, self._engines.secrets)
        peers = {
            f"SPOTILIKE_{peer.upper()}_INTERNAL": ",".join(f"127.0.0.1:{ports['internal']}" for ports in replicas)
            for peer, replicas in self._listen.items()
        }
        inherited = {name: value for name, value in _inherited().items() if name not in secrets}
        return (
            self._defaults()
            | inherited
            | self._nats_environment(context)
            | peers
            | {
                "SPOTILIKE_ENVIRONMENT": os.environ.get("SPOTILIKE_ENVIRONMENT", "development"),
                "SPOTILIKE_TLS_DIR": str(self._data.tls / context),
                "SPOTILIKE_TRACES_DIR": str(self._tracing.folder),
                "SPOTILIKE_S3_ENDPOINT": self._engines.seaweedfs.endpoint,
                "SPOTILIKE_SECRETS_DIR": str(self._engines.secrets.for_process(context, secrets)),
            }
        )

    def _defaults(self) -> dict[str, str]:
        """Return what the caller's settings may change: links lead to this edge, and mails stay on this machine."""
        if "SPOTILIKE_SMTP_HOST" in os.environ:
            return {"SPOTILIKE_PUBLIC_URL": self._edge.address.url}
        return {
            "SPOTILIKE_PUBLIC_URL": self._edge.address.url,
            "SPOTILIKE_SMTP_HOST": "127.0.0.1",
            "SPOTILIKE_SMTP_PORT": str(self._smtp_port),
            "SPOTILIKE_SMTP_SECURITY": "none",
        }

    def _nats_environment(self, identity: str) -> dict[str, str]:
        seed = self._engines.nats.seed_file(identity)
        return {"SPOTILIKE_NATS_URL": self._engines.nats.url, "SPOTILIKE_NATS_SEED_FILE": str(seed)}

    def _migrations(self) -> Step:
        urls = {context: self._engines.postgres.url(f"{context}_owner", f"{context}_db") for context in CONTEXTS}
        folder = self._engines.secrets.for_process("migrations", urls)
        return self._module_step("migrations", "cli.engines.migrations", [str(folder)], {}, ["databases"])

    def _module_step(
        self, name: str, module: str, arguments: list[str], environment: Mapping[str, str], needs: list[str]
    ) -> Step:
        async def run() -> None:
            await _run_module(name, module, arguments, environment, self._data.logs)

        return Step(name=name, needs=needs, run=run)


def _listeners(ports: Mapping[str, int]) -> dict[str, str]:
    """Tell a process where to listen."""
    return {f"SPOTILIKE_{name.upper()}_LISTEN": f"127.0.0.1:{port}" for name, port in ports.items()}


def _inherited() -> dict[str, str]:
    """Return what the processes take over from the caller: settings, tracing, locale, and the programs of the venv."""
    programs = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    kept = {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    paths = os.pathsep.join([str(ROOT), str(ROOT / "gen")])
    return kept | {"PATH": programs, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}


async def _run_module(name: str, module: str, arguments: list[str], environment: Mapping[str, str], logs: Path) -> None:
    """Run `python -m module` to its end; raise `Problem` with its last words when it fails."""
    log = PartLog(logs, name)
    process = await processes.spawn(
        [sys.executable, "-P", "-m", module, *arguments], env=_inherited() | dict(environment), cwd=ROOT
    )
    try:
        await asyncio.gather(processes.pump(process, log, lambda _: None), process.wait())
    except asyncio.CancelledError:
        processes.kill_group(process)
        raise
    finally:
        log.close()
    if process.returncode:
        raise Problem(f"{name} failed.\n{log.tail()}")
