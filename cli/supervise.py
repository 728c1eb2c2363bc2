"""The process behind `up`: it holds the data folder, runs the mesh and answers the other commands.

A detached start runs `python -m cli.supervise OPTIONS`, the options as JSON.
"""

import asyncio
import signal
import sys
import time

from cli.backup.erasures import Erasures
from cli.console import Console
from cli.engines import control
from cli.engines.certificates import CertificateAuthority
from cli.engines.control import Answer
from cli.engines.data import DataFolder
from cli.engines.envoy import Edge
from cli.engines.mesh import Product
from cli.engines.supervisor import Keeper, Supervisor
from cli.options import Options
from cli.problem import Problem

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(options: Options, console: Console) -> None:
    """Start everything, run until asked to stop, stop everything. Raise `Problem` when a start fails."""
    data = options.folder
    data.make()
    try:
        with data.lock():
            options.address.refuse_when_taken()
            asyncio.run(_run(data, options, console))
    except BlockingIOError as error:
        raise Problem(f"Spotilike already runs in {data.path}.") from error


async def _run(data: DataFolder, options: Options, console: Console) -> None:
    product = Product(data, Edge(options.address), options.counts)
    supervisor = Supervisor(product.mesh(), data.logs, console)
    desk = _Desk(data, options, supervisor)
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, supervisor.ask_to_stop)
    server = await control.serve(data, desk.answer)
    erasures = loop.create_task(Erasures(data, product.postgres).run())
    try:
        await supervisor.start()
        if not supervisor.is_stopping:
            desk.state = "running"
            console.ready(options.address.url, CertificateAuthority(data.tls) if options.tls else None)
            await supervisor.watch()
    finally:
        desk.state = "stopping"
        erasures.cancel()
        await supervisor.stop()
        server.close()


class _Desk:
    """Answers the other commands."""

    def __init__(self, data: DataFolder, options: Options, supervisor: Supervisor) -> None:
        self.state = "starting"
        self._data = data
        self._options = options
        self._supervisor = supervisor

    async def answer(self, request: dict[str, str]) -> Answer:
        """Do what a command asks."""
        match request["command"]:
            case "status":
                return await self._status()
            case "restart":
                await self._supervisor.restart(request["name"])
                return {}
            case "stop":
                self._supervisor.ask_to_stop()
                return {}
            case other:
                raise Problem(f"This Spotilike does not know {other}: it was started by another version.")

    async def _status(self) -> Answer:
        parts = await asyncio.gather(*(_part(keeper) for keeper in self._supervisor.keepers))
        return {
            "state": self.state,
            "url": self._options.address.url,
            "data": str(self._data.path),
            "parts": parts,
        }


async def _part(keeper: Keeper) -> Answer:
    silent = keeper.state == "ready" and not await keeper.answers()
    return {
        "name": keeper.part.name,
        "state": "not answering" if silent else keeper.state,
        "pid": keeper.pid,
        "ports": dict(keeper.part.ports),
        "restarts": keeper.restarts,
        "uptime": round(time.time() - keeper.started_at, 1) if keeper.pid else None,
    }


if __name__ == "__main__":
    try:
        run(Options.from_json(sys.argv[1]), Console(lines=False))
    except Problem as problem:
        sys.exit(f"spotilike: {problem}")
