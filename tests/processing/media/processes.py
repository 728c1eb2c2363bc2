"""Finds encoders from outside: those whose standard input is a certain master."""

import asyncio
import os
import signal
from pathlib import Path

import psutil


def processes_reading(master: Path) -> list[int]:
    """Return the processes, other than zombies, that have this file as descriptor 0."""
    return [pid for pid in psutil.pids() if _standard_input(pid) == str(master)]


def encoder_of(master: Path) -> int:
    """Return the FFmpeg which reads this file."""
    (found,) = (pid for pid in processes_reading(master) if "ffmpeg" in psutil.Process(pid).name())
    return found


async def all_gone(master: Path) -> bool:
    """Wait until nothing reads this file; False after ten seconds."""
    async with asyncio.timeout(10):
        while processes_reading(master):
            await asyncio.sleep(0.01)
    return True


def send(master: Path, number: signal.Signals) -> None:
    """Send a signal to the FFmpeg which reads this file."""
    os.kill(encoder_of(master), number)


def _standard_input(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/fd/0").readlink())
    except OSError:
        return None
