"""Files of traces: one OTLP/JSON export a line, as OpenTelemetry's file exporters write them."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

LARGEST_BYTES = 64 << 20
"""A file that has grown so large is put aside, in the place of the one that was put aside before."""
IDS = ("traceId", "spanId", "parentSpanId")

Json = dict[str, Any]


class TraceFile:
    """A file that one process appends to."""

    def __init__(self, path: Path) -> None:
        """Append to `path`, whose folder is made when it is missing."""
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, export: Message) -> None:
        """Append an ExportTraceServiceRequest."""
        if self._path.exists() and self._path.stat().st_size > LARGEST_BYTES:
            self._path.replace(self._path.with_suffix(".1.jsonl"))
        content = MessageToDict(export, use_integers_for_enums=True)
        for span in _spans(content):
            # OTLP/JSON writes ids in hexadecimal, not in base64 as protobuf's JSON does.
            span.update({key: base64.b64decode(span[key]).hex() for key in IDS if key in span})
        with self._path.open("a") as file:
            file.write(json.dumps(content, separators=(",", ":")) + "\n")


@dataclass(frozen=True)
class FinishedSpan:
    """One step of a trace, as it was recorded."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty for the first one."""
    kind: int
    """SpanKind of OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""
    start_ns: int
    end_ns: int
    attributes: Json
    failed: bool


def read(folder: Path) -> list[FinishedSpan]:
    """Read every span of a folder, in order of its beginning. A line that is still being written is left out."""
    found = [span for file in sorted(folder.glob("*.jsonl")) for span in _read(file)]
    return sorted(found, key=lambda span: span.start_ns)


def _read(file: Path) -> Iterator[FinishedSpan]:
    for line in file.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            for resource in json.loads(line)["resourceSpans"]:
                service = _attributes(resource["resource"]).get("service.name", "")
                for span in _spans({"resourceSpans": [resource]}):
                    yield _finished(service, span)


def _finished(service: str, span: Json) -> FinishedSpan:
    return FinishedSpan(
        service=service,
        name=span["name"],
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        kind=span.get("kind", 1),
        start_ns=int(span["startTimeUnixNano"]),
        end_ns=int(span["endTimeUnixNano"]),
        attributes=_attributes(span),
        failed=span.get("status", {}).get("code") == 2,  # noqa: PLR2004 (STATUS_CODE_ERROR of OTLP)
    )


def _spans(export: Json) -> Iterator[Json]:
    for resource in export.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _attributes(holder: Json) -> Json:
    """Read attributes; a value is an object with one entry, named after its type."""
    return {pair["key"]: next(iter(pair.get("value", {}).values()), "") for pair in holder.get("attributes", ())}
