"""A client that writes HTTP/2 as no decent one does: headers in any spelling, trailers, streams without end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events

ANSWER_SECONDS = 20

Headers = Sequence[tuple[str, str]]


@dataclass
class Stream:
    """What came back for one request."""

    headers: dict[str, str] = field(default_factory=dict)
    """Of the answer, and its trailers."""
    body: bytes = b""
    reset: int | None = None
    """The code with which the edge ended the stream, if it did."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int | None:
        """The HTTP status, if an answer came."""
        return int(self.headers[":status"]) if ":status" in self.headers else None


class Http2:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Nothing is checked or made pretty on its way: what the edge does with it is the question.
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._connection = h2.connection.H2Connection(config)
        self._reader, self._writer = reader, writer
        self._streams: dict[int, Stream] = {}
        self.closed = asyncio.Event()
        self.settled = asyncio.Event()
        """Set when the edge has said what it allows."""
        self._ponged = asyncio.Event()

    async def begin(self, headers: Headers, *, end: bool = True) -> tuple[int, Stream]:
        """Send the headers of a request; answer its number and what comes back for it."""
        number = self._connection.get_next_available_stream_id()
        self._streams[number] = stream = Stream()
        if self.closed.is_set():
            stream.ended.set()
        self._connection.send_headers(number, list(headers), end_stream=end)
        await self._flush()
        return number, stream

    async def send(self, number: int, body: bytes, trailers: Headers = (), *, end: bool = True) -> None:
        """Send the body of a request, and its trailers."""
        self._connection.send_data(number, body, end_stream=end and not trailers)
        if trailers:
            self._connection.send_headers(number, list(trailers), end_stream=True)
        await self._flush()

    async def ask(self, headers: Headers, body: bytes | None = None, trailers: Headers = ()) -> Stream:
        """Send a request and wait until it has ended, one way or another."""
        number, stream = await self.begin(headers, end=body is None)
        if body is not None:
            await self.send(number, body, trailers)
        async with asyncio.timeout(ANSWER_SECONDS):
            await stream.ended.wait()
        return stream

    async def ping(self) -> None:
        """Ask whether the connection lives, and wait for the word, or for its end."""
        self._ponged.clear()
        self._connection.ping(bytes(8))
        await self._flush()
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._ponged.wait()

    @property
    def allowed_streams(self) -> int:
        """How many streams at once the edge allows."""
        return int(self._connection.remote_settings.max_concurrent_streams)

    def allow_myself(self, streams: int) -> None:
        """Open so many streams at once, whatever the edge has said."""
        self._connection.remote_settings.max_concurrent_streams = streams
        self._connection.remote_settings.acknowledge()

    async def listen(self) -> None:
        """Take in what the edge sends until it closes the connection."""
        self._connection.initiate_connection()
        await self._flush()
        try:
            while data := await self._reader.read(65536):
                for event in self._connection.receive_data(data):
                    self._hear(event)
                await self._flush()
        except ConnectionError:
            pass  # closing without a word is an answer, too
        finally:
            self.closed.set()
            self._ponged.set()
            for stream in self._streams.values():
                stream.ended.set()

    def _hear(self, event: Any) -> None:
        stream = self._streams.get(getattr(event, "stream_id", None) or 0, Stream())
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                stream.headers |= {str(name): str(value) for name, value in event.headers}
            case h2.events.DataReceived():
                stream.body += event.data
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                stream.ended.set()
            case h2.events.StreamReset():
                stream.reset = int(event.error_code)
                stream.ended.set()
            case h2.events.PingAckReceived():
                self._ponged.set()
            case h2.events.RemoteSettingsChanged():
                self.settled.set()

    async def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())
        await self._writer.drain()


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Http2]:
    """Connect to a port of this machine, in clear."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = Http2(reader, writer)
    listening = asyncio.create_task(client.listen())
    try:
        await asyncio.wait_for(client.settled.wait(), ANSWER_SECONDS)
        yield client
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()


def request(method: str, path: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """Write the headers of a request."""
    return [(":method", method), (":path", path), (":scheme", "http"), (":authority", "spotilike"), *more]


GRPC = (("content-type", "application/grpc"), ("te", "trailers"))
EMPTY_MESSAGE = bytes(5)
"""As gRPC frames it."""
