"""`down` and `restart`: stop an installation, or one part of it for a moment."""

import contextlib
import time

import psutil
import typer

from cli.engines import control
from cli.engines.data import DataFolder
from cli.engines.parts import is_one_of
from cli.engines.running import running

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
    """Stop one part and wait until it is ready again; replicas take their turn, so that the others go on."""
    parts = [part["name"] for part in running(data)["parts"]]
    for part in [part for part in parts if is_one_of(part, name)] or [name]:
        control.ask(data, "restart", name=part)
        typer.echo(f"{part} is ready again.")
