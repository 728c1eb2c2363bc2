"""What parts of an installation show to Prometheus, as it reads that (its text format)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import httpx

from tests.support.installation import Installation

_LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    """One value."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Scrape:
    """What one part showed at one time."""

    samples: Sequence[Sample]

    def value(self, name: str, **labels: str) -> float:
        """Add up the samples with this name and these labels."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    @cached_property
    def names(self) -> set[str]:
        """The names of all samples."""
        return {sample.name for sample in self.samples}


def scrape(installation: Installation, part: str) -> Scrape:
    """Read what a part shows."""
    port = installation.part(part)["ports"]["metrics"]
    path = "/stats/prometheus" if part == "envoy" else "/metrics"
    answer = httpx.get(f"http://127.0.0.1:{port}{path}")
    assert answer.status_code == httpx.codes.OK
    lines = [_LINE.fullmatch(line) for line in answer.text.splitlines() if line and not line.startswith("#")]
    assert all(lines), "a line is no sample"
    return Scrape([Sample(line[1], dict(_LABEL.findall(line[2] or "")), float(line[3])) for line in lines if line])
