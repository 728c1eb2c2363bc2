"""Replicas are restarted one after another while listeners go on: what that costs them."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import httpx

from tests.e2e.song import Listener
from tests.support.installation import Installation

A_SECOND = 50
"""Calls a second, as many of each kind."""
BEFORE_SECONDS = 3
CALL_SECONDS = 20
LINE = "{:12} {:>6} {:>7} {:>9} {:>9} {:>9}  {}"


@dataclass
class Load:
    """Reads of all services, which may be repeated, until the end of the block."""

    url: str
    headers: dict[str, str]
    paths: Sequence[str]
    milliseconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    async def __aenter__(self) -> Self:
        """Begin."""
        self._client = httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=CALL_SECONDS)
        self._calls: list[asyncio.Task[None]] = []
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, with every answer in."""
        self._running.cancel()
        await asyncio.gather(*self._calls)
        await self._client.aclose()

    async def _run(self) -> None:
        began = time.monotonic()
        for number, path in enumerate(itertools.cycle(self.paths), start=1):
            self._calls.append(asyncio.create_task(self._ask(path)))
            await asyncio.sleep(began + number / A_SECOND - time.monotonic())

    async def _ask(self, path: str) -> None:
        began = time.monotonic()
        try:
            answer = await self._client.get(path)
        except httpx.TransportError as error:
            self.failures[f"{path} {type(error).__name__}"] += 1
        else:
            if not answer.is_success:
                self.failures[f"{path} {answer.status_code} {answer.text}"] += 1
        self.milliseconds.append((time.monotonic() - began) * 1000)


@dataclass(frozen=True)
class Restart:
    """What the restart of one service's replicas cost."""

    name: str
    seconds: float
    milliseconds: list[float]
    quiet_milliseconds: list[float]
    """Of the calls before it."""
    failures: Counter[str]


async def restart_all(installation: Installation, names: Sequence[str]) -> list[Restart]:
    """Restart services, each under load of its own."""
    listener = await asyncio.to_thread(Listener, installation.url)
    track = await asyncio.to_thread(listener.release)
    paths = (
        "/v1/users/me",
        "/v1/users/me/artists",
        f"/v1/{track['name']}",
        "/v1/jobs",  # for which processing asks the catalog
        "/v1/users/me/plays",
    )
    return [await _restart(installation, name, dict(listener.http.headers), paths) for name in names]


async def _restart(installation: Installation, name: str, headers: dict[str, str], paths: Sequence[str]) -> Restart:
    async with Load(installation.url, headers, paths) as load:
        await asyncio.sleep(BEFORE_SECONDS)
        quiet, began = len(load.milliseconds), time.monotonic()
        done = await asyncio.to_thread(installation.command, "restart", name)
        seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    return Restart(name, seconds, load.milliseconds[quiet:], load.milliseconds[:quiet], load.failures)


def table(restarts: Sequence[Restart]) -> str:
    """Write a line for each restart."""
    heads = ("restarted", "calls", "failed", "p50 ms", "p99 ms", "seconds", "p99 ms before")
    lines = [
        LINE.format(
            one.name,
            len(one.milliseconds),
            one.failures.total(),
            f"{percentile(one.milliseconds, 50):.1f}",
            f"{percentile(one.milliseconds, 99):.1f}",
            f"{one.seconds:.1f}",
            f"{percentile(one.quiet_milliseconds, 99):.1f}",
        )
        for one in restarts
    ]
    return "\n".join([LINE.format(*heads), *lines])


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which so many percent are."""
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)]
