"""What parts of an installation show to Prometheus, as it reads that (its text format)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import httpx

from tests.support.installation import Installation

_LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
_PARTS = ("_bucket", "_count", "_sum")
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
    kinds: Mapping[str, str]
    """What is promised, also where nothing has happened yet: names and their kinds."""

    def value(self, name: str, **labels: str) -> float:
        """Add up the samples with this name and these labels."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    @cached_property
    def names(self) -> set[str]:
        """The names of all samples, those to come included."""
        parts = {name + part for name, kind in self.kinds.items() if kind == "histogram" for part in _PARTS}
        return parts | set(self.kinds) | {sample.name for sample in self.samples}


def scrape(installation: Installation, part: str) -> Scrape:
    """Read what a part shows."""
    port = installation.part(part)["ports"]["metrics"]
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == httpx.codes.OK
    lines = [_LINE.fullmatch(line) for line in answer.text.splitlines() if line and not line.startswith("#")]
    assert all(lines), "a line is no sample"
    samples = [Sample(line[1], dict(_LABEL.findall(line[2] or "")), float(line[3])) for line in lines if line]
    return Scrape(samples, dict(_TYPE.findall(answer.text)))
