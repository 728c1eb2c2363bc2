"""A stand-in for the object store that notes the requests which reach it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class EchoStore:
    """What the store has seen."""

    port: int = 0
    requests: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    """First lines and headers."""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request of a connection with nothing."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                pairs = [
                    (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:-2])
                ]
                await reader.readexactly(int(dict(pairs).get("content-length", 0)))
                self.requests.append((head[0], pairs))
                writer.write(NOTHING)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def echo_store(tls: ssl.SSLContext | None = None) -> AsyncIterator[EchoStore]:
    """Serve until the end of the block, in the clear unless told otherwise."""
    store = EchoStore()
    server = await asyncio.start_server(store.converse, "127.0.0.1", 0, ssl=tls)
    store.port = server.sockets[0].getsockname()[1]
    yield store
    server.close()
