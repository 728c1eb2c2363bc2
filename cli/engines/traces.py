"""Traces of one machine: files in the data folder, and the collector that writes those of the edge.

`python -m cli.engines.traces PORT FOLDER` is that collector, a part of the mesh: Envoy can only send its spans.
Services and workers write their own.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from pydantic import ValidationError

from cli.engines.data import ROOT, DataFolder
from cli.engines.parts import Part
from cli.engines.ports import PortBook
from cli.problem import Problem
from envoy.tracing import Traces, sent
from services.common.settings import TracingSettings, load
from services.common.trace_files import TraceFile

_HOST = "127.0.0.1"
_ANNOUNCEMENT = "collects spans"


@dataclass(frozen=True)
class Tracing:
    """What the caller's environment says about traces."""

    folder: Path
    port: int | None
    """Where the collector of this machine listens; None when there is none."""
    edge: Traces | None

    @classmethod
    def of(cls, data: DataFolder, ports: PortBook) -> "Tracing":
        """Read the variables of OpenTelemetry's standard."""
        folder = data.path / "traces"
        try:
            settings = load(TracingSettings)
            if settings.exporter != "file":
                return cls(folder, None, sent(settings))
        except ValidationError as error:
            first = error.errors()[0]
            raise Problem(f"{first['loc'][0]} is {first['input']!r}: {first['msg']}.") from error
        except ValueError as error:
            raise Problem(str(error)) from error
        port = ports.take("traces")
        return cls(folder, port, Traces(collector=(_HOST, port), percent=100 * settings.share))

    def parts(self, environment: dict[str, str]) -> list[Part]:
        """Describe the collector, where one is needed."""
        if self.port is None:
            return []
        argv = [sys.executable, "-P", "-m", __name__, str(self.port), str(self.folder)]
        ports = {"otlp": self.port}
        return [Part(name="traces", argv=argv, env=environment, cwd=ROOT, announcement=_ANNOUNCEMENT, ports=ports)]


class _Collector(otlp.TraceServiceServicer):
    """Writes what it gets into one file."""

    def __init__(self, file: TraceFile) -> None:
        self._file = file

    def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:  # noqa: ARG002, N802 (the contract)
        """Take spans."""
        self._file.write(request)
        return ExportTraceServiceResponse()


def _serve(port: int, folder: Path) -> None:
    # One thread: lines of a file do not mix.
    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    otlp.add_TraceServiceServicer_to_server(_Collector(TraceFile(folder / "edge.jsonl")), server)  # type: ignore[no-untyped-call]  # generated
    server.add_insecure_port(f"{_HOST}:{port}")
    server.start()
    print(_ANNOUNCEMENT, flush=True)  # noqa: T201 (the supervisor waits for this line)
    server.wait_for_termination()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]))
