"""The song through containers: `python -m tests.containers` builds the images, boots every program and sings.

Needs root, podman and a base image; the engines are the embedded ones of this machine. It prints what the kernel says
about each container, how long it took to be ready and what it needed. docs/image.md says how it was run.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from cli.engines.data import ROOT
from cli.engines.readiness import grpc_serving, http_ok
from services.common.streams import CONTEXTS
from tests.containers.installation import COMPOSE, HOSTS, Installation
from tests.containers.podman import Podman, peak_bytes, walls
from tests.e2e.song import sing
from tests.support import audio
from tests.support.provisioned import Place, begin

JOBS = (
    *("databases", "streams", "buckets"),
    *(f"migrate-{context}" for context in CONTEXTS),
    "edge-configuration",
)
PROGRAMS = [*CONTEXTS, "worker", "mailbox", "edge"]
READY_SECONDS = 60
PROBE_SECONDS = 2
STOP_SECONDS = 25
MASTER_SECONDS = 30
HEALTH_PORT = 8086
SMTP_PORT = 2525
MIB = 1 << 20


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def timed(what: str, work: Callable[[], object]) -> None:
    """Do something and print how long it took."""
    began = time.monotonic()
    work()
    say(f"{what:24} {time.monotonic() - began:6.2f} s")


class Scene:
    """The containers of one run."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        """Keep what stands for the volumes in an empty folder."""
        self.edge_port = 0
        self._podman = podman
        self._installation = Installation(folder)
        self._place: Place | None = None

    @property
    def url(self) -> str:
        """Return the address of the edge."""
        return f"http://127.0.0.1:{self.edge_port}"

    def prepare(self) -> None:
        """Make secrets in a container, start engines that know them, and run every job."""
        self._place = begin(self._installation.folder, self._make_secrets)
        engines = self._place.engines
        self.edge_port = engines.ports.take("edge")
        self._installation.here.update(
            {
                "SPOTILIKE_NATS_URL": engines.nats.url,
                "SPOTILIKE_S3_ENDPOINT": engines.seaweedfs.endpoint,
                "SPOTILIKE_EDGE_LISTEN": f"127.0.0.1:{self.edge_port}",
                "SPOTILIKE_EDGE_ADMIN_PORT": str(engines.ports.take("edge-admin")),
                "SPOTILIKE_EDGE_KEYS_PORT": str(engines.ports.take("edge-keys")),
            }
        )
        for name in JOBS:
            timed(name, partial(self._podman.run, self._installation.container(name)))

    def wait(self) -> None:
        """Let a program of each context see that its database is new enough, as the role of the application."""
        for context in CONTEXTS:
            waiting = replace(
                self._installation.container(context), command=["services.common.migrate", context, "--wait"]
            )
            timed(f"migrate {context} --wait", partial(self._podman.run, waiting))

    def _make_secrets(self, _: Path, postgres: str) -> None:
        self._installation.here["SPOTILIKE_POSTGRES"] = postgres
        timed("secrets", partial(self._podman.run, self._installation.container("secrets")))

    def boot(self, name: str) -> None:
        """Start a container and wait until its probe answers; raises AssertionError when it is not confined."""
        container = self._installation.container(name)
        began = time.monotonic()
        self._podman.start(container)
        while not self._is_ready(name):
            if time.monotonic() - began > READY_SECONDS:
                raise TimeoutError(f"{name} is not ready:\n{self._podman.logs(container.name)}")
            time.sleep(0.05)
        seconds = time.monotonic() - began
        found = walls(self._podman.processes(container.name)[0])
        assert found == container.walls
        say(f"{name:24} {seconds:6.2f} s   limit {container.memory}, may write {found['writable']}")

    def _is_ready(self, name: str) -> bool:
        if name == "worker":
            return '"event": "working"' in self._podman.logs(name)
        probes = {"edge": http_ok(self.edge_port, "/healthz"), "mailbox": _takes_mail}
        probe = probes[name] if name in probes else grpc_serving(HEALTH_PORT, HOSTS[name])
        try:
            return asyncio.run(_asked(probe()))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False

    def report(self, names: list[str]) -> None:
        """Print the memory of each container."""
        for name in names:
            processes = self._podman.processes(name)
            now = sum(process.memory_info().rss for process in processes)
            say(f"{name:24} {now / MIB:6.0f} MiB now, {peak_bytes(processes[0]) / MIB:.0f} MiB at most (with files)")

    def stop(self, names: list[str]) -> None:
        """Ask each container to end; raises AssertionError when one has to be killed."""
        for name in names:
            began = time.monotonic()
            code = self._podman.stop(name, STOP_SECONDS)
            say(f"{name:24} {time.monotonic() - began:6.2f} s to stop, exit code {code}")
            assert code == 0, self._podman.logs(name)

    def end(self) -> None:
        """Remove the containers and stop the engines."""
        self._podman.end()
        if self._place:
            self._place.end()


async def _takes_mail() -> bool:
    reader, writer = await asyncio.open_connection(HOSTS["mailbox"], SMTP_PORT)
    try:
        return (await reader.readline()).startswith(b"220")
    finally:
        writer.close()


async def _asked(probe: Awaitable[bool]) -> bool:
    async with asyncio.timeout(PROBE_SECONDS):
        return await probe


def main() -> None:
    """Build, boot, sing, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--podman", default="podman", help="how podman is called, with its own options")
    parser.add_argument("--build-options", default="", help="more options of `podman build`")
    parser.add_argument("--run-options", default="", help="more options of `podman run`")
    parser.add_argument("--no-build", action="store_true", help="take the images that are there")
    options = parser.parse_args()
    podman = Podman(options.podman, options.run_options, HOSTS)
    if not options.no_build:
        for image in ("spotilike", "spotilike-edge"):
            tag = COMPOSE["services"]["edge" if image == "spotilike-edge" else "user"]["image"]
            timed(f"build {image}", partial(podman.build, ROOT, image, tag, options.build_options))
            say(f"{image:24} {podman.size(tag) / MIB:6.0f} MiB")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever limits the time finds everything removed
    folder = Path(tempfile.mkdtemp(prefix="spotilike-test-", dir="/tmp"))
    folder.chmod(0o711)  # the account of the containers has to come by
    scene = Scene(podman, folder)
    try:
        scene.prepare()
        scene.wait()
        for name in PROGRAMS:
            scene.boot(name)
        scene.report(PROGRAMS)
        master = audio.save(folder / "master.flac", audio.noise(MASTER_SECONDS))
        timed(f"song of {MASTER_SECONDS} seconds", partial(sing, scene.url, master))
        scene.report(PROGRAMS)
        scene.stop(["edge", *CONTEXTS, "worker", "mailbox"])
    finally:
        scene.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
