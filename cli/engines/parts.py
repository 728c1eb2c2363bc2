"""What an installation consists of: long-running parts and the steps between them."""

import re
import signal
import sys
import sysconfig
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.problem import Problem

CONTEXTS = ("user", "catalog", "processing", "streaming")
"""The bounded contexts: each has a service, a database, its roles and a NATS identity."""

Probe = Callable[[], Awaitable[bool]]
"""Asks a part whether it can serve now; raising `OSError` means no."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process which runs as long as the installation does and is started again when it ends."""

    name: str
    argv: Sequence[str]
    ready: Probe | None = None
    announcement: str = ""
    """What a part without a listener prints when it is ready; `ready` is None then."""
    needs: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    cwd: Path = Path("/")
    user: str | None = None
    """The account it runs as when the supervisor is root; None means the supervisor's own."""
    prepare: Callable[[], None] | None = None
    """Called in a thread before every start."""
    before_stop: Callable[[], Awaitable[None]] | None = None
    """Awaited before the signal, so that running work ends well. It has to end by itself and may not fail."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the supervisor is killed: every part survives a power cut, so also this."""
    start_seconds: float = 60


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something done between parts at every start: databases, migrations, buckets.

    It is done again when a part that it needs has started again, so doing it twice has to be no harm.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    needs: Sequence[str] = ()


Mesh = Sequence[Part | Step]


@dataclass(frozen=True)
class Counts:
    """How many there are of what there may be several of."""

    workers: int
    replicas: int
    """Processes of each service."""
    nats_nodes: int


def is_one_of(part: str, name: str) -> bool:
    """Tell whether a part has this name or is one of several that share it, as `catalog-2` is a `catalog`."""
    return re.fullmatch(rf"{re.escape(name)}(-\d+)?", part) is not None


def numbered(name: str, count: int) -> list[str]:
    """Name the parts that do the same: the only one has the plain name."""
    return [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]


def executable(name: str, package: str) -> str:
    """Return the path of a program which came as a wheel, or raise `Problem` when it is not there."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.is_file():
        raise Problem(missing(package))
    return str(path)


def missing(package: str) -> str:
    """Say that a package of the virtual environment is not there."""
    return f"The package {package} is missing from {sys.prefix}: remove that folder and run ./spotilike again."
