"""`up`: starts an installation in the foreground or detached."""

import subprocess
import sys
import time
from typing import BinaryIO

import typer

from cli import web
from cli.console import Console
from cli.engines import control
from cli.engines.data import DataFolder
from cli.options import Options

_POLL_SECONDS = 0.1


def up(options: Options, *, detach: bool) -> None:
    """Start everything; return when it was stopped or, detached, when it is ready."""
    data = options.folder
    data.make()
    if data.is_locked():
        running = control.ask(data, "status") or {}
        typer.echo(f"Spotilike already runs in {data.path}: {running.get('url', 'it is starting or stopping')}")
        return
    options.address.refuse_when_taken()
    web.build()
    if detach:
        _detach(data, options)
    else:
        from cli.supervise import run  # noqa: PLC0415 - a detached start does not need the engines here

        run(options, Console(lines=True))


def _detach(data: DataFolder, options: Options) -> None:
    """Start the supervisor in a session of its own and show its progress until everything is ready."""
    log_file = data.logs / "spotilike.log"
    with log_file.open("ab") as log, log_file.open("rb") as progress:
        progress.seek(0, 2)
        supervisor = subprocess.Popen(  # noqa: S603 - our own argv
            [sys.executable, "-P", "-m", "cli.supervise", options.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
        try:
            _follow_until_running(data, supervisor, progress)
        except KeyboardInterrupt:
            supervisor.terminate()
            supervisor.wait()
            raise
    if supervisor.returncode is not None:
        raise typer.Exit(1)  # the supervisor's own sentence was shown as its last progress


def _follow_until_running(data: DataFolder, supervisor: subprocess.Popen[bytes], progress: BinaryIO) -> None:
    state = "starting"
    while state == "starting" and supervisor.poll() is None:
        time.sleep(_POLL_SECONDS)
        _show(progress)
        answer = control.ask(data, "status")
        state = answer["state"] if answer else "starting"
    if state != "running":
        supervisor.wait()
    _show(progress)


def _show(progress: BinaryIO) -> None:
    sys.stdout.write(progress.read().decode(errors="replace"))
    sys.stdout.flush()
