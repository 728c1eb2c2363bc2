"""`down` and `restart`: stop an installation, or one part of it for a moment."""

import contextlib
import time

import psutil
import typer

from cli.engines import control
from cli.engines.data import DataFolder
from cli.problem import Problem

_POLL_SECONDS = 0.1
_STOP_SECONDS = 60.0


def down(data: DataFolder) -> None:
    """Stop what runs in a data folder and wait until it is gone."""
    if not data.is_locked():
        typer.echo(f"Spotilike does not run in {data.path}.")
        return
    control.ask(data, "stop")
    deadline = time.monotonic() + _STOP_SECONDS
    while data.is_locked():
        if time.monotonic() > deadline:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(data.holder()).kill()  # its children end with it
        time.sleep(_POLL_SECONDS)
    typer.echo("Spotilike is stopped.")


def restart(data: DataFolder, name: str) -> None:
    """Stop one part and wait until it is ready again."""
    if control.ask(data, "restart", name=name) is None:
        raise Problem(f"Spotilike does not run in {data.path}: start it with ./spotilike up.")
    typer.echo(f"{name} is ready again.")
