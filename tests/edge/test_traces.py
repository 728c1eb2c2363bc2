"""Only the edge decides which traces are recorded."""

from pathlib import Path
from uuid import uuid4

import pytest

from envoy.tracing import Traces, sent
from services.common.settings import TracingSettings
from tests.support.echo_services import EchoServices
from tests.support.edge import running
from tests.support.engines import Engines

NOBODY = ("127.0.0.1", 9)
"""A collector that is away."""
FOREIGN = "0af7651916cd43dd8448eb211c80319c"
FORCED = {
    "traceparent": f"00-{FOREIGN}-b7ad6b7169203331-01",
    "tracestate": "vendor=1",
    "x-client-trace-id": "1",
    "x-envoy-force-trace": "1",
    "x-request-id": "00000000-0000-9000-8000-000000000000",
}
"""What tells Envoy, or whoever comes behind it, to record; in the id of a request it is the digit 9."""


@pytest.mark.parametrize(("percent", "flag"), [(0, "00"), (100, "01")])
async def test_no_client_can_have_its_calls_recorded(
    engines: Engines, echo: EchoServices, tmp_path: Path, percent: float, flag: str
):
    """The service sees a trace of the edge's own, recorded or not as the edge is set; a collector need not be there."""
    mark = uuid4().hex
    traces = Traces(collector=NOBODY, percent=percent)
    async with running(engines, echo, tmp_path / "edge", traces=traces) as edge:
        answer = await edge.ask("GET", "/v1/genres", headers=FORCED | {"x-mark": mark})
    (call,) = echo.seen(mark)
    _, trace_id, _, flags = call.metadata["traceparent"].split("-")

    assert answer.status == 200
    assert flags == flag
    assert trace_id != FOREIGN
    assert "vendor" not in call.metadata.get("tracestate", "")


@pytest.mark.parametrize(
    ("variables", "percent"),
    [
        ({}, 100),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}, 1),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, 100),
    ],
)
def test_the_edge_is_set_by_the_variables_of_the_standard(monkeypatch, variables: dict[str, str], percent: float):
    """The same ones that services hear."""
    for name, value in {"OTEL_TRACES_EXPORTER": "otlp", **variables}.items():
        monkeypatch.setenv(name, value)
    traces = sent(TracingSettings())

    assert traces is not None
    assert traces.percent == percent
    assert traces.collector == (
        ("collector", 4317) if "OTEL_EXPORTER_OTLP_ENDPOINT" in variables else ("127.0.0.1", 4317)
    )


def test_nothing_is_recorded_unless_somebody_asks(monkeypatch):
    """Without the variable of the standard there is no tracing at all."""
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    assert sent(TracingSettings()) is None


def test_a_collector_that_needs_tls_is_refused(monkeypatch):
    """The edge speaks to one beside it, without."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4317")
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        sent(TracingSettings())
