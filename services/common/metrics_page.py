"""What Prometheus reads: `GET /metrics`, by the client of Prometheus, on a listener of its own without TLS."""

import asyncio
import time
from typing import Any

import prometheus_client
import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from services.common.metrics import Counter, Gauge, Histogram, Look, Metric, Metrics

KEEP_SECONDS = 5.0
"""How long what was looked up is good for everybody who asks."""
LOOK_SECONDS = 3.0
"""How long looking something up may take."""
REQUEST_SECONDS = 5.0

REGISTRY = CollectorRegistry()
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


async def listen(address: str) -> asyncio.Server:
    """Show metrics at `address` (host:port)."""
    host, _, port = address.rpartition(":")
    page = _Page()
    return await asyncio.start_server(page.answer, host, int(port))


class _Page:
    """Answers one kind of request, each over a connection of its own."""

    def __init__(self) -> None:
        self._looked_at = -KEEP_SECONDS
        self._looking = asyncio.Lock()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a request; whoever is too slow, or too long, is cut off."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
            writer.write(await self._page(request.split(b"\r\n", 1)[0]))
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _page(self, request: bytes) -> bytes:
        if not request.startswith(b"GET /metrics "):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        await self._look()
        body = await asyncio.to_thread(prometheus_client.generate_latest, REGISTRY)
        kind = prometheus_client.CONTENT_TYPE_LATEST.encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        return head % (kind, len(body)) + body

    async def _look(self) -> None:
        """Look everything up, once for all who ask at the same time."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= KEEP_SECONDS:
                await asyncio.gather(*(_set(look, gauges) for look, gauges in Metrics.looks))
                self._looked_at = time.monotonic()


async def _set(look: Look, gauges: tuple[Gauge, ...]) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await look()
    except Exception as error:  # noqa: BLE001 (whatever is away, the other metrics are shown)
        log.info("lookup_failed", error=type(error).__name__)
        LOOKS_FAILED.add()
        for gauge in gauges:
            gauge.forget()
