"""Where spans of the edge go, and which traces it begins."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from envoy.template import fill
from services.common.settings import TracingSettings

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Traces:
    """Where spans of the edge go, and how many."""

    collector: tuple[str, int]
    """Host and port of OTLP over gRPC, without TLS."""
    percent: float = 100
    """How many of a hundred requests begin a trace that is recorded. Services follow the edge."""


def sent(settings: TracingSettings) -> Traces | None:
    """Send spans to the collector of the settings, if they name one. Raises ValueError for one that needs TLS."""
    if settings.exporter == "none":
        return None
    url = urlsplit(settings.collector)
    if url.scheme != "http" or url.hostname is None or url.port is None:
        raise ValueError(f"The collector {settings.collector} has to be given as http://HOST:PORT.")
    return Traces(collector=(url.hostname, url.port), percent=100 * settings.share)


def described(traces: Traces) -> dict[str, Any]:
    """Write the parts of the configuration: `tracing` of the listener and the `cluster` of the collector."""
    host, port = traces.collector
    return fill(_HERE / "tracing.yaml", {"host": host, "port": port, "percent": traces.percent})
