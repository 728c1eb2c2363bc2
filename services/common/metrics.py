"""Metrics: counters, gauges and histograms, declared beside the code that knows what happens.

Off unless `SPOTILIKE_METRICS_LISTEN` is set; then nothing is counted and the client of Prometheus is not imported.
Names are a promise: `docs/telemetry.md` lists them. Labels are few words that the code itself chooses, never ids,
addresses or anything that somebody sent.

What is a state of the database or of the broker is not followed: it is looked up when somebody asks (`at_scrape`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from services.common.settings import MetricsSettings

CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for what people wait for."""
WORK_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Buckets for work on files."""

Look = Callable[[], Awaitable[None]]
"""Sets gauges to how things are now."""


@dataclass(eq=False)
class Metric:
    """Something that is counted or measured in this process."""

    name: str
    description: str
    labels: tuple[str, ...] = ()
    live: Any = field(default=None, init=False)
    """The client's own object while metrics are on."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        """Take part; what is declared while metrics are on is live at once."""
        Metrics.declared.append(self)
        if Metrics.make:
            self.live = Metrics.make(self)

    def _of(self, labels: tuple[str, ...]) -> Any:  # noqa: ANN401 (the client's)
        return self.live.labels(*labels) if self.labels else self.live


class Metrics:
    """What this process declares, and what it shows while metrics are on."""

    declared: ClassVar[list[Metric]] = []
    make: ClassVar[Callable[[Metric], Any] | None] = None
    """Makes the client's object; None while metrics are off."""
    listen: ClassVar[str | None] = None
    looks: ClassVar[list[tuple[Look, tuple["Gauge", ...]]]] = []


class Counter(Metric):
    """Rises with everything that happens."""

    kind = "counter"

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count something."""
        if self.live is not None:
            self._of(labels).inc(amount)


class Gauge(Metric):
    """How things are now."""

    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        """Say how things are."""
        if self.live is not None:
            self._of(labels).set(value)

    def add(self, amount: float, *labels: str) -> None:
        """Say that there is more, or less, than before."""
        if self.live is not None:
            self._of(labels).inc(amount)

    def forget(self) -> None:
        """Say that nobody knows."""
        if self.labels:
            self.live.clear()
        else:
            self.live.set(float("nan"))


@dataclass(eq=False)
class Histogram(Metric):
    """How long things take, in seconds."""

    buckets: tuple[float, ...] = CALL_SECONDS

    kind = "histogram"

    def observe(self, seconds: float, *labels: str) -> None:
        """Take down how long something took."""
        if self.live is not None:
            self._of(labels).observe(seconds)


def configure(settings: MetricsSettings) -> None:
    """Count from now on, if the settings say where it is shown."""
    if settings.metrics_listen is None or is_on():
        return
    from services.common import metrics_page  # noqa: PLC0415 (brings the client, which is not imported where metrics are off)

    Metrics.listen, Metrics.make = settings.metrics_listen, metrics_page.make
    for metric in Metrics.declared:
        metric.live = metrics_page.make(metric)


def is_on() -> bool:
    """Whether this process counts."""
    return Metrics.make is not None


def at_scrape(look: Look, *gauges: Gauge) -> None:
    """Let `look` set `gauges` whenever somebody asks for metrics; what it cannot find out is not shown."""
    if is_on():
        Metrics.looks.append((look, gauges))


def listen() -> int | None:
    """Begin to show metrics, where they are on, until the process ends; answers the port."""
    if Metrics.listen is None:
        return None
    from services.common import metrics_page  # noqa: PLC0415 (as above)

    return metrics_page.listen(Metrics.listen).server_port
