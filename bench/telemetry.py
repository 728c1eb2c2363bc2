"""What it costs to watch: one call with nothing, with spans, and with metrics.

`python -m bench.telemetry` prints, from rounds that are run in turn on real servers over mTLS, the server's processor
time of one call through the whole pipeline, with three steps inside: with everything off, with traces of which none,
one of a hundred or all are sent to a collector, with all of them in a file, with metrics, and with both.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import psutil
import uvloop

from bench.calls import at_once, seconds
from cli.engines.certificates import CertificateAuthority
from cli.engines.ports import PortBook
from services.common import contract, telemetry, tracing
from services.common.interceptors import CallInterceptor, Limits
from services.common.peers import channel
from spotilike.auth.v1.jwks_pb2 import Jwks
from spotilike.user.v1.key_service_pb2 import GetJwksRequest
from spotilike.user.v1.key_service_pb2_grpc import (
    KeyServiceServicer,
    KeyServiceStub,
    add_KeyServiceServicer_to_server,
)

ROUNDS = 7
CALLS = 3000
STEPS = 3
OFF = "off"
SENT = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
METRICS = {"SPOTILIKE_METRICS_LISTEN": "127.0.0.1:0"}
KINDS: Mapping[str, Mapping[str, str]] = {
    OFF: {},
    "traces, none recorded": SENT | {"OTEL_TRACES_SAMPLER_ARG": "0"},
    "traces, 1 % recorded": SENT | {"OTEL_TRACES_SAMPLER_ARG": "0.01"},
    "traces, all recorded": SENT | {"OTEL_TRACES_SAMPLER_ARG": "1"},
    "traces, all recorded in a file": {"OTEL_TRACES_EXPORTER": "file"},
    "metrics": METRICS,
    "traces, 1 % recorded, and metrics": SENT | METRICS | {"OTEL_TRACES_SAMPLER_ARG": "0.01"},
}


class _Static(KeyServiceServicer):
    """Answers at once, after a few steps that a trace shows."""

    async def GetJwks(self, request: GetJwksRequest, context: object) -> Jwks:  # noqa: ARG002, N802 (the contract)
        for _ in range(STEPS):
            with tracing.step("SELECT nothing"):
                pass
        return Jwks()


async def _serve(tls: Path) -> None:
    """Be a process that is measured; print its port."""
    limits = Limits(1000, 10.0)
    server = grpc.aio.server(
        interceptors=[CallInterceptor(contract.methods(_Static()), None, ["edge"], limits, limits)]
    )
    add_KeyServiceServicer_to_server(_Static(), server)
    pair = ((tls / "tls.key").read_bytes(), (tls / "tls.crt").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], (tls / "ca.crt").read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    sys.stderr.write(f"{port}\n")
    await server.wait_for_termination()


async def _compare(folder: Path) -> None:
    tls = CertificateAuthority(folder)
    port = PortBook(folder / "ports.json").take("traces")
    with ExitStack() as running:
        argv = [sys.executable, "-m", "cli.engines.traces", str(port), str(folder / "collected")]
        collector = running.enter_context(subprocess.Popen(argv, stdout=subprocess.DEVNULL))  # noqa: ASYNC220, S603 (our own argv)
        running.callback(collector.kill)
        told = {
            "SPOTILIKE_TRACES_DIR": str(folder / "traces"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        }
        servers = {
            kind: running.enter_context(_process(tls, told | dict(variables))) for kind, variables in KINDS.items()
        }
        for server in servers.values():
            running.callback(server.kill)
        stubs = {kind: _stub(tls, server) for kind, server in servers.items()}
        spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(ROUNDS + 1):
            for kind, server in servers.items():
                spent[kind].append(await _microseconds(psutil.Process(server.pid), stubs[kind]))
    bare = statistics.median(spent[OFF][1:])  # the first round warms up
    for kind, rounds in spent.items():
        median = statistics.median(rounds[1:])
        sys.stdout.write(f"{kind}: {median:.0f} µs of the server's processor a call, {median / bare:.2f} of off\n")


def _process(tls: CertificateAuthority, variables: Mapping[str, str]) -> subprocess.Popen[str]:
    environment = {**os.environ, **variables}
    argv = [sys.executable, "-m", "bench.telemetry", "--serve", str(tls.service("user"))]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603 (our own argv)


def _stub(tls: CertificateAuthority, server: subprocess.Popen[str]) -> KeyServiceStub:
    assert server.stderr  # noqa: S101 (it is a pipe)
    return KeyServiceStub(channel(f"127.0.0.1:{int(server.stderr.readline())}", tls.service("edge")))


async def _microseconds(server: psutil.Process, stub: Any) -> float:  # noqa: ANN401 (generated)
    before = seconds(server)
    await at_once(CALLS, lambda: stub.GetJwks(GetJwksRequest()))
    return (seconds(server) - before) / CALLS * 1e6


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        telemetry.configure("bench")
        uvloop.run(_serve(Path(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_compare(Path(folder)))
