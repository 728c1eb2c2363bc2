"""What spans hold and what they never hold, and that they are free where nobody asked for them."""

import subprocess
import sys
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import SpanKind
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cli.engines.data import ROOT
from services.common import sql_spans, tracing
from services.common.db import Database
from services.common.settings import DatabaseSettings, TracingSettings

PATH = "/spotilike.catalog.v1.GenreService/ListGenres"
SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = SAMPLED[:-2] + "00"
EVERYTHING = """
import sys
from services.common import telemetry
telemetry.configure("nobody")
import services.catalog.__main__, services.processing.__main__, services.streaming.__main__, services.user.__main__
import services.processing.worker
print(*sys.modules)
"""


@pytest.fixture
def spans(monkeypatch):
    """Return the spans that end while the test runs."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(sampler=ParentBased(ALWAYS_ON))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing.Recorder, "tracer", provider.get_tracer("test"))
    return exporter.get_finished_spans


@pytest.fixture
async def database(databases):
    """Return a database of this worker whose statements are recorded."""
    opened = Database(DatabaseSettings(database_url=await databases.url("catalog")))
    yield opened
    await opened.close()


def modules(**variables: str) -> set[str]:
    """Answer what a process has imported that is about to be a service."""
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **variables}
    done = subprocess.run(  # noqa: S603 (our own argv)
        [sys.executable, "-P", "-c", EVERYTHING], env=environment, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_where_nobody_asked_nothing_of_the_sdk_is_imported(tmp_path):
    """Neither OpenTelemetry's SDK nor the client of Prometheus."""
    paid = {"opentelemetry.sdk", "opentelemetry.exporter", "prometheus_client"}

    assert modules() & paid == set()
    assert "opentelemetry.sdk" in modules(OTEL_TRACES_EXPORTER="file", SPOTILIKE_TRACES_DIR=str(tmp_path))


def test_where_nobody_asked_every_step_is_the_same_nothing():
    """No object is made for a span that is not there."""
    steps = [
        tracing.serving(PATH, [(tracing.HEADER, SAMPLED)]),
        tracing.step("work"),
        tracing.continued("hear", SAMPLED, SpanKind.CONSUMER),
    ]

    assert not tracing.is_on()
    assert all(step is tracing.NOTHING for step in steps)
    assert tracing.traceparent() == ""


def test_an_unknown_exporter_is_refused(monkeypatch):
    """A typing error must not look like a silent system."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "flie")
    with pytest.raises(ValueError, match="OTEL_TRACES_EXPORTER"):
        TracingSettings()


def test_a_call_goes_on_with_the_trace_of_its_client(spans):
    """And what it tells goes on with its own step."""
    with tracing.serving(PATH, [("user-agent", "test"), (tracing.HEADER, SAMPLED)]), tracing.step("outbox"):
        told = tracing.traceparent()
    outbox, call = spans()

    assert call.name == PATH[1:]
    assert call.kind is SpanKind.SERVER
    assert f"{call.parent.span_id:016x}" == SAMPLED.split("-")[2]
    assert outbox.parent.span_id == call.context.span_id
    assert told == f"00-{SAMPLED.split('-')[1]}-{outbox.context.span_id:016x}-01"


def test_what_the_edge_did_not_choose_is_not_recorded_and_passed_on(spans):
    """Services and workers follow the edge, so that traces are whole or not there."""
    with tracing.serving(PATH, [(tracing.HEADER, UNSAMPLED)]), tracing.step("outbox"):
        told = tracing.traceparent()
    with tracing.continued("hear", told, SpanKind.CONSUMER), tracing.step("work"):
        assert tracing.traceparent().endswith("-00")

    assert told.split("-")[1] == UNSAMPLED.split("-")[1]
    assert [span.name for span in spans() if span.parent is None and span.kind is not SpanKind.SERVER] == []


def test_a_trace_can_be_refused_where_it_begins(monkeypatch):
    """The sampler of the standard decides about calls that come without a trace."""
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    monkeypatch.setattr(tracing.Recorder, "tracer", provider.get_tracer("test"))
    with tracing.serving(PATH, []) as span:
        assert not span.is_recording()
        assert tracing.step("work") is tracing.NOTHING


def test_work_that_nobody_asked_for_has_no_trace(spans):
    """Polling, sweeping and heartbeats would bury everything else."""
    with tracing.step("sweep"), tracing.continued("hear", None, SpanKind.CONSUMER):
        assert tracing.traceparent() == ""
    with tracing.serving(PATH, []):
        assert tracing.traceparent()
        assert tracing.outside().run(tracing.traceparent) == ""

    assert [span.name for span in spans()] == [PATH[1:]]


def test_of_an_error_only_its_class_is_kept(spans):
    """Messages quote what people sent."""
    with pytest.raises(ValueError, match="secret"), tracing.serving(PATH, []):
        raise ValueError("the secret")
    (call,) = spans()

    assert call.attributes["error.type"] == "ValueError"
    assert not call.status.is_ok
    assert "secret" not in call.to_json()


async def test_statements_are_recorded_without_their_values(spans, database):
    """What is done to which table; parameters are not there, neither after success nor after failure."""
    secret, trace_id = uuid4().hex, int(SAMPLED.split("-")[1], 16)
    with tracing.serving(PATH, [(tracing.HEADER, SAMPLED)]):
        async with database.read() as connection:
            await connection.execute(text("SELECT id FROM genres WHERE name = :name"), {"name": secret})
            with pytest.raises(DBAPIError):
                await connection.execute(text("SELECT id FROM genres WHERE id = :id"), {"id": secret})
    well, failed, _ = (span for span in spans() if span.context.trace_id == trace_id)

    assert (well.name, failed.name) == ("SELECT genres", "SELECT genres")
    assert well.attributes["db.query.text"] == "SELECT id FROM genres WHERE name = %(name)s"
    assert failed.attributes["error.type"] == "InvalidTextRepresentation"
    assert (well.status.is_ok, failed.status.is_ok) == (True, False)
    assert not [span for span in spans() if secret in span.to_json()]


async def test_statements_of_nobodys_call_are_not_recorded(spans, database):
    """As of a relay that looks whether there is something to do."""
    async with database.read() as connection:
        await connection.execute(text("SELECT 'nobody'"))

    assert not [span for span in spans() if "nobody" in span.to_json()]


@pytest.mark.parametrize(
    ("statement", "summary"),
    [
        ("SELECT a.id \nFROM a JOIN b ON true", "SELECT a"),
        ("INSERT INTO outbox (id) VALUES (1)", "INSERT outbox"),
        ("UPDATE tracks SET title = 'x'", "UPDATE tracks"),
        ("DELETE FROM uploads", "DELETE uploads"),
        ("SELECT now()", "SELECT"),
    ],
)
def test_a_statement_is_summed_up_in_two_words(statement, summary):
    """Names of spans have to be few."""
    assert sql_spans.summary(statement) == summary
