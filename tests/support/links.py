"""A way to a server that can be cut, fall silent or break off early: every byte goes through it to the real one."""

import asyncio


class Link:
    """One port that leads to a server."""

    def __init__(self, target: str) -> None:
        """Lead to `target`, which is host:port."""
        self._host, _, self._port = target.partition(":")
        self._server: asyncio.Server
        self._open: set[asyncio.StreamWriter] = set()
        self._deaf: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.longest_answer: int | None = None
        """A connection breaks off after so many bytes from the server."""

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    async def connect(self) -> None:
        """Let connections through, on the same port every time."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections and refuse new ones."""
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    def fall_silent(self) -> None:
        """Swallow every byte of the connections that are open, and end none of them, as a broken route does."""
        self._deaf |= self._open

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._host, int(self._port))
        self._open |= {writer, there[1]}
        await asyncio.gather(
            self._pump(reader, there[1], None),
            self._pump(there[0], writer, self.longest_answer),
            return_exceptions=True,
        )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        while data := await reader.read(1 << 16):
            if writer in self._deaf:
                continue
            writer.write(data if left is None else data[:left])
            await writer.drain()
            if left is not None:
                left -= len(data)
                if left <= 0:
                    writer.transport.abort()
                    return
        writer.close()
