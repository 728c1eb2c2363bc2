"""`test` and `drill`: run the tests of the checkout, or one of them that operators want to see."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import typer

from cli import web
from cli.engines.data import ROOT
from cli.problem import Problem

CHROMIUM = "chromium"
NEMESIS = "--nemesis"
_WORKERS = "2"
_LONG_FORM = ("-n", "0", "-s", "tests/nemesis/long.py", "tests/nemesis/odd_masters.py")


def test(arguments: list[str]) -> None:
    """Run pytest with these arguments, after making sure that there is a browser and a built player."""
    if NEMESIS not in arguments and shutil.which(CHROMIUM) is None:
        _install_chromium()
    web.build()
    command = [sys.executable, "-m", "pytest", *_selection(arguments)]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode)  # noqa: S603


def drill(options: list[str]) -> None:
    """Run a restore drill, which harms no other installation."""
    web.build()
    command = [sys.executable, "-P", "-m", "tests.nemesis.drill", *options]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode)  # noqa: S603


def _selection(arguments: list[str]) -> list[str]:
    """Take NEMESIS for the long form, which one process runs; everything else goes to several at once."""
    if NEMESIS in arguments:
        return [*_LONG_FORM, *(argument for argument in arguments if argument != NEMESIS)]
    distribution = [] if any(argument.startswith("-n") for argument in arguments) else ["-n", _WORKERS]
    return [*distribution, "--dist", "loadgroup", *arguments]


def _environment() -> dict[str, str]:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    # Children are only ever forked to become other programs; gRPC's care for those that go on as they are can end them.
    return {**os.environ, "PATH": programs, "GRPC_ENABLE_FORK_SUPPORT": "0"}


def _install_chromium() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Problem("The tests need Chromium: install it (on Debian: apt-get install chromium) and try again.")
    typer.echo("Installing Chromium for the browser tests …")
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", CHROMIUM],
    ):
        done = subprocess.run(  # noqa: S603 - our own argv
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Problem(f"Chromium could not be installed ({last}): install it yourself and try again.")
