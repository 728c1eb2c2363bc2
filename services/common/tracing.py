"""Traces: what one call sets in motion, step by step under one trace id, through services, events and workers.

Off unless `OTEL_TRACES_EXPORTER` is set; then nothing is recorded, imported or sent. A trace begins at a call.
Everything else goes on with a trace or has none, so that polling, sweeping and heartbeats do not bury what somebody
asked for.

Spans name RPCs, tables, buckets and subjects. They never hold values: no tokens, addresses, parameters or object keys.
"""

import contextvars
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from opentelemetry import context as propagated
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common.settings import TracingSettings

HEADER = "traceparent"
"""Where W3C trace context stands in metadata of calls and in headers of messages."""
FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNIMPLEMENTED"})
"""The codes that are the server's fault (OpenTelemetry's conventions for gRPC); the others are answers."""

MESSAGING = {"messaging.system": "nats"}
STORAGE = {"rpc.system": "aws-api", "rpc.service": "S3"}

Attributes = Mapping[str, str | int | float | bool]

NOTHING = nullcontext(trace.INVALID_SPAN)
W3C = TraceContextTextMapPropagator()


class Recorder:
    """Whether this process records, and by what."""

    tracer: Tracer | None = None


def configure(service: str, settings: TracingSettings) -> None:
    """Record the spans of `service` from now on, if the settings say where they go."""
    if settings.exporter == "none":
        return
    from services.common import span_export  # noqa: PLC0415 (brings the SDK, which is not imported where nothing is recorded)

    Recorder.tracer = span_export.tracer(service, settings)


def is_on() -> bool:
    """Whether this process records."""
    return Recorder.tracer is not None


def serving(path: str, metadata: Sequence[tuple[str, str | bytes]]) -> AbstractContextManager[Span]:
    """Record a call that has arrived: the next step of its client's trace, or the first of a new one."""
    tracer = Recorder.tracer
    if tracer is None:
        return NOTHING
    parent = next((str(value) for key, value in metadata if key == HEADER), "")
    return _current(tracer, path[1:], SpanKind.SERVER, rpc(path), _remote(parent))


def step(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | float) -> AbstractContextManager[Span]:
    """Record a step of the running trace; where there is none, nothing."""
    tracer = Recorder.tracer
    if tracer is None or not trace.get_current_span().is_recording():
        return NOTHING
    return _current(tracer, name, kind, attributes)


def started(name: str, attributes: Attributes) -> Span:
    """Begin a step that asks another process and has none of its own inside; whoever begins it ends it."""
    tracer = Recorder.tracer
    if tracer is None or not trace.get_current_span().is_recording():
        return trace.INVALID_SPAN
    return tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)


def continued(
    name: str, traceparent: str | None, kind: SpanKind, **attributes: str | float
) -> AbstractContextManager[Span]:
    """Record a step of the trace that came with something, such as an event; without one nothing."""
    tracer = Recorder.tracer
    if tracer is None or not traceparent:
        return NOTHING
    return _current(tracer, name, kind, attributes, _remote(traceparent))


def outside() -> contextvars.Context:
    """Answer a context for a task that belongs to no trace, such as a heartbeat."""
    copied = contextvars.copy_context()
    copied.run(propagated.attach, propagated.Context())
    return copied


def traceparent() -> str:
    """Write down where the running trace is (W3C trace context); empty where there is none."""
    if Recorder.tracer is None:
        return ""
    carrier: dict[str, str] = {}
    W3C.inject(carrier)
    return carrier.get(HEADER, "")


def rpc(path: str) -> dict[str, str]:
    """Describe a call by the conventions."""
    service, _, method = path[1:].partition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}


def failed(why: str) -> None:
    """Note that the running step ended badly though it raised nothing; `why` is one of few words."""
    span = trace.get_current_span()
    span.set_attribute("error.type", why)
    span.set_status(Status(StatusCode.ERROR))


def answered(span: Span, code: str) -> None:
    """Note how a call ended, by the name of its status code."""
    span.set_attribute("rpc.grpc.status", code)
    if code in FAULTS:
        span.set_status(Status(StatusCode.ERROR, code))


def to_log(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add where the running trace is to a log line; a processor for structlog."""
    spot = trace.get_current_span().get_span_context()
    if spot.is_valid:
        entry["trace_id"], entry["span_id"] = f"{spot.trace_id:032x}", f"{spot.span_id:016x}"
    return entry


def _remote(traceparent: str) -> propagated.Context:
    return W3C.extract({HEADER: traceparent}, propagated.Context())


@contextmanager
def _current(
    tracer: Tracer, name: str, kind: SpanKind, attributes: Attributes, parent: propagated.Context | None = None
) -> Iterator[Span]:
    """Record a step around a block. Of an error only its class is kept: messages quote what people sent."""
    with tracer.start_as_current_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
