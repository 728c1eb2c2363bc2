"""What Prometheus reads from a real installation: names that stay, and values that move with what happens."""

import re
from collections.abc import Callable

import httpx
import pytest

from tests.e2e.song import Listener
from tests.support import audio
from tests.support.installation import Installation
from tests.support.scrapes import scrape

SERVICES = ("user", "catalog", "processing", "streaming")
ID = re.compile(r"[0-9a-f]{8}-|@|/v1/|/media/")
"""What makes a label unbounded: ids, addresses, paths."""
MOST_SERIES = 1500


@pytest.fixture(scope="module")
def song(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Listener]:
    """Return a function that brings a song from the upload to a play."""
    master = audio.save(tmp_path_factory.mktemp("metrics") / "master.ogg", audio.sweep(2))

    def sing() -> Listener:
        listener = Listener(installation.url)
        track = listener.release("Metric")["name"]
        assert listener.job(listener.upload(track, master)["job"])["state"] == "COMPLETED"
        listener.playable(track)
        playback = listener.post("/v1/playbacks", {"track": track, "platform": "WEB"})
        report = {"intervals": [{"start": 0, "end": 1}], "position": 1, "stalls": 2, "ended": True, "sequence": 1}
        listener.post(f"/v1/{playback['name']}:report", report)
        return listener

    return sing


def test_values_move_with_what_happens(installation: Installation, song: Callable[[], Listener]):
    """Calls, refusals, facts, jobs and plays are counted where they happen."""
    before = {part: scrape(installation, part) for part in (*SERVICES, "worker-1", "worker-2", "envoy")}
    listener = song()
    assert listener.http.get("/v1/tracks/00000000-0000-7000-8000-000000000000").status_code == httpx.codes.NOT_FOUND
    after = {part: scrape(installation, part) for part in before}

    def risen(part: str, name: str, **labels: str) -> float:
        return after[part].value(name, **labels) - before[part].value(name, **labels)

    complete = {"grpc_service": "spotilike.catalog.v1.UploadService", "grpc_method": "CompleteUpload"}
    assert risen("catalog", "grpc_server_started_total", **complete) >= 1
    assert risen("catalog", "grpc_server_handled_total", grpc_code="OK", **complete) >= 1
    assert risen("catalog", "grpc_server_handling_seconds_count", **complete) >= 1
    assert risen("catalog", "grpc_server_handled_total", grpc_code="NOT_FOUND", grpc_method="GetTrack") >= 1
    assert risen("catalog", "spotilike_events_published_total") >= 1
    assert risen("catalog", "spotilike_events_heard_total", stream="PROCESSING", outcome="applied") >= 1
    assert risen("processing", "spotilike_event_delay_seconds_count", stream="CATALOG") >= 1
    workers = ("worker-1", "worker-2")
    done = {"trade": "Songs", "outcome": "completed"}
    assert sum(risen(worker, "spotilike_task_seconds_count", **done) for worker in workers) >= 1
    assert sum(risen(worker, "spotilike_task_stage_seconds_count", stage="ENCODING") for worker in workers) >= 1
    assert risen("streaming", "spotilike_playbacks_started_total") >= 1
    assert risen("streaming", "spotilike_playbacks_ended_total", ended_by="player") >= 1
    assert risen("streaming", "spotilike_playback_stalls_total") >= 2
    assert risen("envoy", "envoy_http_downstream_rq_xx", envoy_response_code_class="2") >= 1


def test_states_are_looked_up_when_somebody_asks(installation: Installation):
    """Queues, outboxes, consumers, pools, keys and certificates."""
    processing, catalog, user = (scrape(installation, part) for part in ("processing", "catalog", "user"))

    assert {
        "spotilike_queue_due_tasks",
        "spotilike_queue_oldest_due_seconds",
        "spotilike_dead_letters",
    } <= processing.names
    assert {"spotilike_outbox_waiting_events", "spotilike_outbox_oldest_seconds"} <= catalog.names
    assert {"spotilike_consumer_waiting_events", "spotilike_consumer_unanswered_events"} <= catalog.names
    assert catalog.value("spotilike_database_connections") >= 1
    assert catalog.value("spotilike_database_connections_limit") == 10
    assert user.value("spotilike_password_queue_places_limit") > 0
    assert 0 < user.value("spotilike_signing_key_age_seconds") < 24 * 3600
    assert catalog.value("spotilike_certificate_expiry_timestamp_seconds") > 1e9
    assert scrape(installation, "worker-1").value("spotilike_worker_scratch_free_bytes") > 1 << 20


@pytest.mark.parametrize("part", [*SERVICES, "worker-1"])
def test_labels_are_few_words(installation: Installation, part: str):
    """Nothing that people or programs make up becomes a label, so that the number of series stays small."""
    samples = scrape(installation, part).samples

    assert not [sample for sample in samples if ID.search(" ".join(sample.labels.values()))]
    assert len(samples) < MOST_SERIES


@pytest.mark.parametrize(
    "path", ["/", "/stats", "/config_dump", "/quitquitquit", "/metrics/../config_dump", "/metrics/config_dump"]
)
def test_the_listeners_show_metrics_and_nothing_else(installation: Installation, path: str):
    """Envoy's own interface could stop it; a service's page is the same at every path."""
    edge = f"http://127.0.0.1:{installation.part('envoy')['ports']['metrics']}"
    catalog = f"http://127.0.0.1:{installation.part('catalog')['ports']['metrics']}"

    assert httpx.get(f"{edge}{path}").status_code == httpx.codes.NOT_FOUND
    assert httpx.post(f"{edge}/metrics").status_code == httpx.codes.NOT_FOUND
    assert httpx.get(f"{catalog}{path}").text.startswith("# HELP ")
    assert httpx.post(f"{catalog}/metrics").status_code == httpx.codes.METHOD_NOT_ALLOWED


@pytest.mark.xdist_group("quiet")
def test_where_nobody_asked_there_is_no_listener(quiet_installation: Installation):
    """An installation that was not told to count shows nothing, and collects no spans."""
    parts = {part["name"]: part["ports"] for part in quiet_installation.status()["parts"]}

    assert "traces" not in parts
    assert not [name for name, ports in parts.items() if "metrics" in ports]
