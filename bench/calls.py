"""Calls and what they cost, as the benchmarks count both."""

import asyncio
from collections.abc import Awaitable, Callable

import psutil

AT_ONCE = 8


async def at_once(count: int, work: Callable[[], Awaitable[object]]) -> None:
    """Do something many times, a few at once."""
    left = iter(range(count))

    async def some() -> None:
        for _ in left:
            await work()

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


def seconds(process: psutil.Process) -> float:
    """Answer the processor time that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)
