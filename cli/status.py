"""`status`: every part with its state, process, ports, memory and processor time."""

import json
from typing import Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from cli.engines import control
from cli.engines.control import Answer
from cli.engines.data import DataFolder

_SHOWN_PORTS = 3
_STOPPED = 3
"""The exit code of a stopped service in the LSB, and so in systemctl."""


def status(data: DataFolder, *, as_json: bool) -> None:
    """Print the state of an installation; the exit code is 0 when it runs, 3 when it does not."""
    answer = control.ask(data, "status") or {"state": "stopped", "url": None, "data": str(data.path), "parts": []}
    answer["parts"] = [part | _usage(part["pid"]) for part in answer["parts"]]
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    elif answer["state"] == "stopped":
        typer.echo(f"Spotilike does not run in {data.path}.")
    else:
        Console().print(_table(answer))
    if answer["state"] == "stopped":
        raise typer.Exit(_STOPPED)


def _usage(pid: int | None) -> dict[str, Any]:
    """Return memory (bytes, shared pages counted once) and processor time (seconds) of a process and its children."""
    memory, cpu = 0, 0.0
    try:
        process = psutil.Process(pid) if pid else None
        for member in [process, *process.children(recursive=True)] if process else []:
            memory += _memory(member)
            times = member.cpu_times()
            cpu += times.user + times.system
    except psutil.NoSuchProcess:
        pass
    return {"memory": memory, "cpu": round(cpu, 2)}


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


def _ports(ports: dict[str, int]) -> str:
    """Show the ports which somebody may want to talk to; the JSON has all."""
    shown = " ".join(str(port) for port in list(ports.values())[:_SHOWN_PORTS])
    return shown if len(ports) <= _SHOWN_PORTS else f"{shown} and {len(ports) - _SHOWN_PORTS} more"


def _table(answer: Answer) -> Table:
    table = Table(title=f"Spotilike is {answer['state']}: {answer['url']}", title_justify="left", box=None)
    for column in ("part", "state", "pid", "ports", "memory", "cpu", "restarts", "uptime"):
        table.add_column(column, justify="left" if column in {"part", "state", "ports"} else "right")
    for part in answer["parts"]:
        table.add_row(
            part["name"],
            part["state"],
            str(part["pid"] or "-"),
            _ports(part["ports"]),
            f"{part['memory'] >> 20} MB",
            f"{part['cpu']:.1f} s",
            str(part["restarts"]),
            f"{part['uptime'] or 0:.0f} s",
        )
    return table
