"""One upload is one trace, from the edge to the track that can be played, and nobody outside can meddle with it."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.engines.data import DataFolder
from cli.trace import tree
from services.common.trace_files import FinishedSpan, read
from tests.e2e.song import Json, Listener
from tests.support import audio
from tests.support.installation import Installation

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
PATIENCE_SECONDS = 30
COMPLETE = "spotilike.catalog.v1.UploadService/CompleteUpload"
HOPS = [
    ("edge", f"/{COMPLETE}", SERVER),
    ("catalog", COMPLETE, SERVER),
    ("catalog", "outbox spotilike.catalog.track_uploaded", PRODUCER),
    ("catalog", "publish spotilike.catalog.track_uploaded", PRODUCER),
    ("processing", "hear spotilike.catalog.track_uploaded", CONSUMER),
    ("worker", "work Songs", CONSUMER),
    ("worker", "outbox spotilike.processing.job_completed", PRODUCER),
    ("processing", "publish spotilike.processing.job_completed", PRODUCER),
    ("catalog", "hear spotilike.processing.job_completed", CONSUMER),
]
"""Each is set in motion by the one before."""
STEPS = [
    (COMPLETE, "s3 CompleteMultipartUpload uploads"),
    ("outbox spotilike.catalog.track_uploaded", "INSERT outbox"),
    ("hear spotilike.catalog.track_uploaded", "INSERT processing_jobs"),
    ("work Songs", "s3 GetObject uploads"),
    ("work Songs", "ffmpeg"),
    ("work Songs", "s3 PutObject audio"),
    ("work Songs", "UPDATE processing_jobs"),
    ("outbox spotilike.processing.job_completed", "INSERT outbox"),
    ("hear spotilike.processing.job_completed", "UPDATE tracks"),
]
"""What happens inside of the hops."""


@dataclass(frozen=True)
class Uploaded:
    """An upload whose track can be played, and what was recorded of it."""

    listener: Listener
    upload: Json
    track: Json
    spans: list[FinishedSpan]

    def one(self, service: str, name: str) -> FinishedSpan:
        """Find a step that was taken once."""
        (found,) = [span for span in self.spans if (span.service, span.name) == (service, name)]
        return found

    def named(self, name: str) -> Iterator[FinishedSpan]:
        """Find the steps of a name."""
        return (span for span in self.spans if span.name == name)


@pytest.fixture(scope="module")
def uploaded(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Uploaded:
    """Return an upload that went its whole way."""
    listener = Listener(installation.url)
    track = listener.release("Trace")["name"]
    master = audio.save(tmp_path_factory.mktemp("trace") / "master.wav", audio.sweep(2))
    upload = listener.upload(track, master)
    listener.job(upload["job"])
    played = listener.playable(track)
    job: str = upload["job"].removeprefix("jobs/")

    def of_job(span: FinishedSpan) -> bool:
        return str(span.attributes.get("spotilike.task")) == job

    worked = recorded(installation, of_job, lambda _: True)[0].trace_id
    return Uploaded(listener, upload, played, recorded(installation, lambda span: span.trace_id == worked, is_whole))


def is_whole(spans: list[FinishedSpan]) -> bool:
    """Say whether everything is there: what is looked for, and the parent of each."""
    wanted = {name for _, name, _ in HOPS} | {name for _, name in STEPS}
    known = {span.span_id for span in spans} | {""}
    return {span.name for span in spans} >= wanted and {span.parent_id for span in spans} <= known


def recorded(
    installation: Installation,
    wanted: Callable[[FinishedSpan], bool],
    enough: Callable[[list[FinishedSpan]], bool],
) -> list[FinishedSpan]:
    """Wait until the wanted spans are written; each process writes its own every now and then."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        spans = [span for span in read(traces(installation)) if wanted(span)]
        if spans and enough(spans):
            return spans
        time.sleep(0.2)
    raise TimeoutError("the spans are not written")


def traces(installation: Installation) -> Path:
    """Name the folder of traces."""
    return DataFolder(installation.data).path / "traces"


def test_an_upload_is_one_trace_from_the_edge_to_the_published_track(uploaded: Uploaded):
    """Every hop is the child of the one before, across calls, the outbox, the broker and the job's row."""
    print("\n".join(tree(uploaded.spans)))  # noqa: T201 (the trace)
    hops = [uploaded.one(service, name) for service, name, _ in HOPS]

    assert [hop.kind for hop in hops] == [kind for _, _, kind in HOPS]
    assert [hop.parent_id for hop in hops] == ["", *(hop.span_id for hop in hops[:-1])]
    assert len({span.trace_id for span in uploaded.spans}) == 1


@pytest.mark.parametrize(("hop", "step"), STEPS)
def test_what_happens_inside_of_a_hop_is_recorded_below_it(uploaded: Uploaded, hop: str, step: str):
    """Statements, requests to the object store and FFmpeg."""
    (above,) = [span for span in uploaded.named(hop) if span.service != "edge"]

    assert above.span_id in {span.parent_id for span in uploaded.named(step)}


def test_every_step_has_its_parent_in_the_trace_and_in_time(uploaded: Uploaded):
    """Nothing hangs in the air; heartbeats and polling are not part of it."""
    known = {span.span_id: span for span in uploaded.spans}
    roots = [span for span in uploaded.spans if span.parent_id not in known]

    assert [span.service for span in roots] == ["edge"]
    assert not [span for span in uploaded.spans if span.parent_id and known[span.parent_id].start_ns > span.start_ns]
    assert [span.name for span in uploaded.spans if span.failed] == []


def test_a_call_to_another_service_is_a_step_of_its_callers_trace(installation: Installation, uploaded: Uploaded):
    """Starting a playback asks the catalog what may be heard."""
    uploaded.listener.post("/v1/playbacks", {"track": uploaded.track["name"], "platform": "WEB"})
    asked = "spotilike.internal.v1.CatalogService/ResolvePlayback"
    (start,) = recorded(
        installation,
        lambda span: (span.service, span.name) == ("streaming", "spotilike.streaming.v1.PlaybackService/StartPlayback"),
        lambda _: True,
    )[-1:]
    spans = recorded(
        installation,
        lambda span: span.trace_id == start.trace_id,
        lambda found: "catalog" in {span.service for span in found},
    )
    (out,) = [span for span in spans if span.kind == CLIENT and span.name.endswith("ResolvePlayback")]
    (into,) = [span for span in spans if span.service == "catalog" and span.kind == SERVER]

    assert (out.service, out.parent_id, into.parent_id, into.name) == (
        "streaming",
        start.span_id,
        out.span_id,
        out.name,
    )
    assert asked.split("/")[1] in into.name


def test_the_command_prints_the_trace_of_an_upload(installation: Installation, uploaded: Uploaded):
    """By the upload's name, and by the trace's id."""
    trace_id = uploaded.spans[0].trace_id
    by_name = installation.command("trace", uploaded.upload["name"])
    by_id = installation.command("trace", trace_id)
    unknown = installation.command("trace", "uploads/00000000-0000-7000-8000-000000000000")

    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stdout == by_id.stdout
    assert by_name.stdout.startswith(f"trace {trace_id}, ")
    assert "worker: work Songs" in by_name.stdout
    assert unknown.returncode == 1
    assert "No trace of" in unknown.stderr


@pytest.mark.parametrize("part", ["envoy", "catalog", "worker"])
def test_logs_name_the_trace(installation: Installation, uploaded: Uploaded, part: str):
    """A line of a log leads to the trace, and back. Envoy writes its log every ten seconds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    lines: list[str] = []
    while not lines and time.monotonic() < deadline:
        texts = [log.read_text() for log in (installation.data / "logs").glob(f"{part}*.log")]
        lines = [line for text in texts for line in text.splitlines() if uploaded.spans[0].trace_id in line]
        time.sleep(0.2)

    assert lines
    assert {json.loads(line)["span_id"] for line in lines} <= {span.span_id for span in uploaded.spans}


def test_nobody_outside_can_join_a_trace_or_begin_one(installation: Installation, uploaded: Uploaded):
    """What a client says about traces is not heard: the edge begins a new one."""
    wanted, mark = "0af7651916cd43dd8448eb211c80319c", "spotilike.catalog.v1.GenreService/ListGenres"
    forged = {"traceparent": f"00-{wanted}-b7ad6b7169203331-01", "tracestate": "spotilike=1", "baggage": "a=1"}
    before = {span.span_id for span in read(traces(installation))}

    assert uploaded.listener.http.get("/v1/genres", headers=forged).is_success

    recorded(
        installation,
        lambda span: span.service == "edge" and span.name == f"/{mark}" and span.span_id not in before,
        lambda _: True,
    )
    assert wanted not in {span.trace_id for span in read(traces(installation))}
