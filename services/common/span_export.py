"""Where recorded spans go: to a collector over OTLP, or on one machine into a folder.

The SDK itself reads the standard variables `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_*` and `OTEL_BSP_*`.
"""

import os
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer

from services.common.settings import TracingSettings
from services.common.trace_files import TraceFile


class FileExporter(SpanExporter):
    """Writes spans into a file of this process."""

    def __init__(self, file: TraceFile) -> None:
        """Append to `file`."""
        self._file = file

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch."""
        self._file.write(encode_spans(spans))
        return SpanExportResult.SUCCESS


def tracer(service: str, settings: TracingSettings) -> Tracer:
    """Make the recorder of a process, which sends what is left when the process ends."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(_exporter(service, settings)))
    return provider.get_tracer("spotilike")


def _exporter(service: str, settings: TracingSettings) -> SpanExporter:
    if settings.exporter == "file":
        return FileExporter(TraceFile(settings.folder / f"{service}-{os.getpid()}.jsonl"))
    return OTLPSpanExporter()
