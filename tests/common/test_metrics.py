"""What is counted, how it is named, and what a scrape costs."""

import asyncio
import importlib
import re

import httpx
import pytest

from cli.engines.data import ROOT
from services.common import metrics, metrics_page
from services.common.metrics import Counter, Gauge, Histogram, Metrics

PROGRAMS = ("catalog.__main__", "processing.__main__", "streaming.__main__", "user.__main__", "processing.worker")
LABELS = {
    *("grpc_type", "grpc_service", "grpc_method", "grpc_code"),
    *("stream", "outcome", "state", "queue", "trade", "stage", "reason", "ended_by", "counted"),
}
"""Each takes values out of a short list in the code or in the contract."""
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)


@pytest.fixture
def declared():
    """Return everything that the programs declare."""
    for program in PROGRAMS:
        importlib.import_module(f"services.{program}")
    return list(Metrics.declared)


@pytest.fixture
async def page(monkeypatch):
    """Return a client of a page whose metrics only this test declares."""
    monkeypatch.setattr(Metrics, "declared", [])
    monkeypatch.setattr(Metrics, "looks", [])
    monkeypatch.setattr(Metrics, "make", metrics_page.make)
    monkeypatch.setattr(Metrics, "listen", "127.0.0.1:0")
    monkeypatch.setattr(metrics_page, "REGISTRY", metrics_page.Registry())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{metrics.listen()}") as client:
        yield client


async def lines(page: httpx.AsyncClient, name: str) -> list[str]:
    """Read the samples of a metric."""
    answer = await page.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return [line for line in answer.text.splitlines() if line.startswith(name)]


def test_the_table_in_the_docs_is_what_the_code_declares(declared):
    """Names, kinds, labels and words."""
    written = [match.groups() for match in ROW.finditer((ROOT / "docs" / "telemetry.md").read_text())]
    expected = [
        (metric.name, metric.kind, ", ".join(f"`{label}`" for label in metric.labels) or "none", metric.description)
        for metric in sorted(declared, key=lambda metric: metric.name)
    ]

    assert written == expected


def test_names_follow_the_conventions_and_labels_are_known(declared):
    """Counters are totals, times are seconds, and nobody adds a label without thinking of its values."""
    for metric in declared:
        assert metric.name.startswith(("spotilike_", "grpc_server_"))
        assert metric.name.endswith("_total") == isinstance(metric, Counter)
        assert not isinstance(metric, Histogram) or metric.name.endswith("_seconds")
        assert set(metric.labels) <= LABELS
    assert len({metric.name for metric in declared}) == len(declared)


def test_where_nobody_asked_nothing_is_counted(declared):
    """Neither is a lookup kept."""

    async def look():
        raise AssertionError

    looks = list(Metrics.looks)
    metrics.at_scrape(look)
    for metric in declared:
        assert metric.live is None
    assert Metrics.looks == looks


async def test_what_is_counted_is_shown(page):
    """Counters rise, gauges are set, histograms count and add up."""
    Counter("test_shown_total", "Counted.", ("word",)).add("a", amount=2)
    Gauge("test_shown_now", "Set.").set(3)
    Histogram("test_shown_seconds", "Taken down.", buckets=(1.0,)).observe(0.5)

    assert await lines(page, "test_shown") == [
        'test_shown_total{word="a"} 2.0',
        "test_shown_now 3.0",
        'test_shown_seconds_bucket{le="1.0"} 1.0',
        'test_shown_seconds_bucket{le="+Inf"} 1.0',
        "test_shown_seconds_count 1.0",
        "test_shown_seconds_sum 0.5",
    ]


async def test_what_cannot_be_found_out_is_not_shown(page, monkeypatch):
    """An old value would look like a good one. The other values are shown, and so is the value that is back."""
    monkeypatch.setattr(metrics_page, "KEEP_SECONDS", 0)
    away, other = Gauge("test_away", "Not known.", ("queue",)), Gauge("test_other", "Known.")
    broken = asyncio.Event()

    async def look():
        if broken.is_set():
            raise ConnectionError
        away.set(1, "masters")

    async def look_elsewhere():
        other.set(2)

    metrics.at_scrape(look, away)
    metrics.at_scrape(look_elsewhere, other)
    known = ['test_away{queue="masters"} 1.0']
    assert await lines(page, "test_away") == known
    broken.set()
    assert await lines(page, "test_away") == []
    assert await lines(page, "test_other") == ["test_other 2.0"]
    broken.clear()
    assert await lines(page, "test_away") == known


async def test_many_who_ask_cost_one_lookup(page):
    """Several Prometheus servers, or somebody who reloads, do not become queries."""
    looked = []

    async def look():
        looked.append(1)
        await asyncio.sleep(0.05)

    metrics.at_scrape(look)
    await asyncio.gather(*(page.get("/metrics") for _ in range(10)))

    assert len(looked) == 1
