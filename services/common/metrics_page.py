"""What Prometheus reads: the page of its own client, on a listener without TLS, in a thread of its own."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIServer

import prometheus_client
import structlog
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client import Metric as Sampled

from services.common.metrics import Counter, Gauge, Histogram, Look, Metric, Metrics

KEEP_SECONDS = 5.0
"""How long what was looked up is good for everybody who asks."""
LOOK_SECONDS = 3.0
"""How long looking something up may take."""


class Registry(CollectorRegistry):
    """Looks things up in the program's event loop before it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where things are looked up; None before somebody may ask."""
        self._looked_at = -KEEP_SECONDS
        self._looking = asyncio.Lock()

    def collect(self) -> Iterable[Sampled]:
        """Answer everything as it is now; called in a thread of the page."""
        if self.loop:
            asyncio.run_coroutine_threadsafe(self._look(), self.loop).result(2 * LOOK_SECONDS)
        return super().collect()

    async def _look(self) -> None:
        """Look everything up, once for all who ask at the same time."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= KEEP_SECONDS:
                await asyncio.gather(*(_set(look, gauges) for look, gauges in Metrics.looks))
                self._looked_at = time.monotonic()


REGISTRY = Registry()
ProcessCollector(registry=REGISTRY)
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # published without

LOOKS_FAILED = Counter("spotilike_metrics_lookups_failed_total", "Lookups for gauges that failed: these are not shown.")

log = structlog.get_logger("metrics")


def make(metric: Metric) -> Any:  # noqa: ANN401 (one of the client's classes)
    """Make the client's object for a declaration."""
    about = (metric.name, metric.description, metric.labels)
    if isinstance(metric, Histogram):
        return prometheus_client.Histogram(*about, buckets=metric.buckets, registry=REGISTRY)
    kinds = {Counter: prometheus_client.Counter, Gauge: prometheus_client.Gauge}
    return kinds[type(metric)](*about, registry=REGISTRY)


def listen(address: str) -> WSGIServer:
    """Show metrics at `address` (host:port), whatever path is asked for; to be called in the program's event loop."""
    host, _, port = address.rpartition(":")
    REGISTRY.loop = asyncio.get_running_loop()
    server, _ = prometheus_client.start_http_server(int(port), host, REGISTRY)
    return server


async def _set(look: Look, gauges: tuple[Gauge, ...]) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await look()
    except Exception as error:  # noqa: BLE001 (whatever is away, the other metrics are shown)
        log.info("lookup_failed", error=type(error).__name__)
        LOOKS_FAILED.add()
        for gauge in gauges:
            gauge.forget()
