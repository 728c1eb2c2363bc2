"""Containers as podman runs them, and what the kernel says about them."""

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

BUILD_SECONDS = 1800
RUN_SECONDS = 120
READ_ONLY = "ro"
UNITS = {"m": 20, "g": 30}
"""Of sizes in compose.yaml: how far a number is shifted."""


@dataclass(frozen=True)
class Container:
    """One container of compose.yaml, on this machine."""

    name: str
    image: str
    command: Sequence[str]
    memory: str
    tmpfs: Sequence[str]
    stop_signal: str = "SIGTERM"
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, tuple[Path, bool]] = field(default_factory=dict)
    """By the place in the container: the folder, and whether it may be written."""

    @property
    def walls(self) -> dict[str, str]:
        """Return what the kernel has to say about it: what `walls` reads."""
        number, unit = int(self.memory[:-1]), self.memory[-1]
        writable = [place.split(":")[0] for place in self.tmpfs]
        writable += [place for place, (_, may_be_written) in self.mounts.items() if may_be_written]
        return {
            "uid": "10001",
            "gid": "10001",
            "capabilities": "0" * 16,
            "no new privileges": "1",
            "root": READ_ONLY,
            "writable": ", ".join(sorted(writable)),
            "memory limit": str(number << UNITS[unit]),
        }


class Podman:
    """Builds images and runs confined containers in the network of this machine."""

    def __init__(self, command: str, run_options: str, hosts: Mapping[str, str]) -> None:
        """Call podman by `command`; `hosts` are names that containers know, with their addresses."""
        self._command = shlex.split(command)
        self._run_options = [*shlex.split(run_options), "--network", "host"]
        self._run_options += [f"--add-host={name}:{address}" for name, address in hosts.items()]
        self._started: list[str] = []

    def build(self, folder: Path, target: str, tag: str, options: str) -> int:
        """Build an image of a folder; answers its size in bytes."""
        arguments = ["build", "--target", target, "--tag", tag, *shlex.split(options), str(folder)]
        self._call(arguments, BUILD_SECONDS)
        return self.size(tag)

    def size(self, image: str) -> int:
        """Return the size of an image in bytes."""
        return int(self._call(["image", "inspect", "--format", "{{.Size}}", image]))

    def run(self, container: Container) -> None:
        """Run a job to its end; raises CalledProcessError when it fails."""
        self._call(["run", "--rm", *self._options(container)])

    def start(self, container: Container) -> None:
        """Start a container that stays."""
        self._started.append(container.name)
        self._call(["run", "--detach", *self._options(container)])

    def stop(self, name: str, seconds: int) -> int:
        """Ask a container to end and wait; answers the exit code, which is 137 when it did not end by itself."""
        self._call(["stop", "--time", str(seconds), name])
        return int(self._call(["inspect", "--format", "{{.State.ExitCode}}", name]))

    def logs(self, name: str) -> str:
        """Return what a container has written."""
        return self._call(["logs", name])

    def processes(self, name: str) -> list[psutil.Process]:
        """Return the processes of a container as this machine sees them, the first one first."""
        first = psutil.Process(int(self._call(["inspect", "--format", "{{.State.Pid}}", name])))
        return [first, *first.children(recursive=True)]

    def environment(self, image: str) -> list[str]:
        """Return the variables that an image sets."""
        variables: list[str] = json.loads(self._call(["image", "inspect", "--format", "{{json .Config.Env}}", image]))
        return variables

    def end(self) -> None:
        """Remove every container that was started."""
        for name in self._started:
            self._call(["rm", "--force", "--time", "0", "--ignore", name])

    def _options(self, container: Container) -> list[str]:
        options = [
            *self._run_options,
            f"--name={container.name}",
            "--read-only",
            "--read-only-tmpfs=false",
            "--user=10001:10001",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            f"--stop-signal={container.stop_signal}",
            f"--memory={container.memory}",
            f"--memory-swap={container.memory}",
            *(f"--tmpfs={tmpfs}" for tmpfs in container.tmpfs),
            *(f"--env={name}={value}" for name, value in container.environment.items()),
        ]
        for target, (folder, writable) in container.mounts.items():
            options.append(f"--volume={folder}:{target}:{'rw' if writable else READ_ONLY}")
        return [*options, container.image, *container.command]

    def _call(self, arguments: Sequence[str], seconds: float = RUN_SECONDS) -> str:
        done = subprocess.run(  # noqa: S603 (our own argv)
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"podman {arguments[0]} … {arguments[-1]} failed:\n{done.stdout[-4000:]}")
        return done.stdout.strip()


def walls(process: psutil.Process) -> dict[str, str]:
    """Read from the kernel how a process is confined."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    roots = [line.split() for line in Path(f"/proc/{process.pid}/mountinfo").read_text().splitlines()]
    [root] = [fields[5] for fields in roots if fields[4] == "/"]
    return {
        "uid": status["Uid"].split()[0],
        "gid": status["Gid"].split()[0],
        "capabilities": status["CapEff"],
        "no new privileges": status["NoNewPrivs"],
        "root": root.split(",")[0],
        "writable": ", ".join(sorted(fields[4] for fields in roots if _is_writable(fields))),
        "memory limit": str(_memory(process, "memory.limit_in_bytes", "memory.max")),
    }


def peak_bytes(process: psutil.Process) -> int:
    """Return the most memory that the container of a process has had, with what it read and wrote of files."""
    return _memory(process, "memory.max_usage_in_bytes", "memory.peak")


def _is_writable(fields: Sequence[str]) -> bool:
    """Tell whether a line of mountinfo is a place for files that may be written."""
    kernel = ("/proc", "/sys", "/dev")
    return fields[5].split(",")[0] == "rw" and not fields[4].startswith(kernel)


def _memory(process: psutil.Process, first: str, second: str) -> int:
    """Read the control group of a process: `first` of version 1, or `second` of version 2."""
    for line in Path(f"/proc/{process.pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return int(Path(f"/sys/fs/cgroup/memory{path}/{first}").read_text())
    return int(Path(f"/sys/fs/cgroup{path}/{second}").read_text())
