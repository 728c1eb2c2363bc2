"""Child processes which never outlive this one."""

import asyncio
import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli.engines.logs import PartLog

_PR_SET_PDEATHSIG = 1
_LONGEST_LINE = 1 << 20

Listener = Callable[[str], None]
"""Receives each line which a child prints."""


async def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    user: str | None = None,
    orphan_signal: signal.Signals = signal.SIGKILL,
) -> asyncio.subprocess.Process:
    """Start a child in a session of its own (the terminal's Ctrl-C reaches only us) which is told when we die.

    Must be called on the main thread: the kernel's signal comes when the *thread* that forked ends (prctl(2)).
    """
    return await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        cwd=cwd,
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
        start_new_session=True,
        preexec_fn=_die_with_parent(orphan_signal),
    )


async def pump(process: asyncio.subprocess.Process, log: PartLog, listener: Listener) -> None:
    """Copy what a child prints to its log and to the listener until it closes its output."""
    if process.stdout is None:
        raise TypeError("the child was started without a pipe")
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # a line over the limit: dropped, the stream goes on
            continue
        if not line:
            return
        log.write(line)
        listener(line.decode(errors="replace").rstrip())


def kill_group(process: asyncio.subprocess.Process) -> None:
    """End a child and what it started at once."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _die_with_parent(orphan_signal: signal.Signals) -> Callable[[], None]:
    """Return the hook which runs in the child after fork and setuid (a change of user clears the setting)."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    supervisor = os.getpid()

    def hook() -> None:
        if library is not None:
            library.prctl(_PR_SET_PDEATHSIG, int(orphan_signal))
            if os.getppid() != supervisor:  # it died before the line above
                os._exit(1)

    return hook
