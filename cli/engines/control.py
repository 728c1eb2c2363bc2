"""How the command line talks to a running supervisor: one JSON object each way over a Unix socket."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from cli.engines.data import DataFolder
from cli.problem import Problem

_SOCKET = "control.sock"
_ANSWER_SECONDS = 120.0

Answer = dict[str, Any]
Handler = Callable[[dict[str, str]], Awaitable[Answer]]


async def serve(data: DataFolder, handler: Handler) -> asyncio.Server:
    """Answer requests; a `Problem` travels back as its sentence."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await handler(json.loads(await reader.readline()))
        except Problem as problem:
            answer = {"problem": str(problem)}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    path = data.socket(_SOCKET)
    path.unlink(missing_ok=True)
    return await asyncio.start_unix_server(converse, path)


def ask(data: DataFolder, command: str, **arguments: str) -> Answer | None:
    """Send a request to the supervisor of a data folder; None when nobody listens there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(data.socket(_SOCKET)))
            connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            line = connection.makefile().readline()
        except (FileNotFoundError, ConnectionError):
            return None
        except TimeoutError as error:
            raise Problem(f"Spotilike in {data.path} does not answer; see `./spotilike logs`.") from error
    if not line:
        return None
    answer: Answer = json.loads(line)
    if "problem" in answer:
        raise Problem(answer["problem"])
    return answer
