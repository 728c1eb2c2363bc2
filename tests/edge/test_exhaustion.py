"""Whoever takes too much, too slowly or too often is stopped, and nobody else notices."""

import asyncio
from pathlib import Path

from cli.engines.certificates import CertificateAuthority
from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge, running
from tests.support.engines import Engines
from tests.support.http2 import EMPTY_MESSAGE, GRPC, Stream, connection, request

LIST_TRACKS = "/spotilike.catalog.v1.TrackService/ListTracks"
HANGING = request("POST", LIST_TRACKS, *GRPC, ("x-answer", "wait"), ("grpc-timeout", "4S"))
EXHAUSTED, LATE = "8", "4"
ENDED = {b"408": b'"reason":"REQUEST_TIMEOUT"', b"504": b'"reason":"DEADLINE_EXCEEDED"'}


async def test_a_path_may_be_long_but_not_endless(edge: RunningEdge, bearer):
    """8 KiB with its query; above 32 KiB the headers are too large as a whole."""
    room = 8192 - len("/v1/tracks?pageToken=")
    for length, expected in ((room, 200), (room + 1, 414), (16_000, 414), (40_000, 431)):
        answer = await edge.ask("GET", f"/v1/tracks?pageToken={'a' * length}", headers=bearer)
        assert answer.status == expected
        if expected != 200:
            assert answer.reason == {414: "PATH_TOO_LONG", 431: "HEADERS_TOO_LARGE"}[expected]


async def drip(edge: RunningEdge, start: str, more: bytes) -> bytes:
    """Send a request that never ends, a little at a time, and read how it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.settings.listen_port)
    writer.write(start.encode())

    async def go_on() -> None:
        while True:
            writer.write(more)
            await asyncio.sleep(0.3)

    dripping = asyncio.create_task(go_on())
    try:
        async with asyncio.timeout(20):
            return await reader.read(4096)
    finally:
        dripping.cancel()
        writer.close()


async def test_nobody_waits_forever_for_a_request(edge: RunningEdge):
    """Headers have 10 seconds, a call with its body 5, also when a byte comes now and then."""
    json = "Host: a\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    web = "Host: a\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 900\r\n\r\n"
    headers, body, message = await asyncio.gather(
        drip(edge, "GET /v1/tracks HTTP/1.1\r\nHost: a\r\n", b"x-slow: 1\r\n"),
        drip(edge, f"POST /v1/sessions HTTP/1.1\r\n{json}", b" "),
        drip(edge, f"POST {LIST_TRACKS} HTTP/1.1\r\n{web}\0\0\0\3\0", b"\0"),
    )
    assert headers.startswith(b"HTTP/1.1 408 ")
    assert b'"reason":"REQUEST_TIMEOUT"' in headers
    # The time of the request and the time of the call end together, and either of them may say so.
    assert ENDED[body.split()[1]] in body
    assert b"grpc-status: 4\r\n" in message


async def test_nobody_waits_forever_for_a_handshake(engines: Engines, echo: EchoServices, tmp_path: Path):
    """TLS has 10 seconds; whoever says nothing is cut off."""
    certificate = CertificateAuthority(engines.shared / "tls").public("127.0.0.1")
    crt, key = certificate / "tls.crt", certificate / "tls.key"
    async with running(engines, echo, tmp_path, certificate=crt, private_key=key) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.settings.listen_port)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_one_connection_may_hold_so_many_streams(edge: RunningEdge):
    """128; a client that opens more has its connection closed."""
    async with connection(edge.settings.listen_port) as client:
        assert client.allowed_streams == 128
        client.allow_myself(1000)
        for _ in range(client.allowed_streams // 2):
            number, _ = await client.begin(HANGING, end=False)
            await client.send(number, EMPTY_MESSAGE)
        async with asyncio.timeout(20):
            await client.closed.wait()
    assert (await edge.ask("GET", "/v1/tracks")).status == 200


async def test_a_service_is_asked_so_much_at_once_and_no_more(engines: Engines, echo: EchoServices, tmp_path: Path):
    """The others are told at once to come back, and other services do not notice."""
    async with (
        running(engines, echo, tmp_path, calls_per_service=40) as edge,
        connection(edge.settings.listen_port) as client,
    ):
        streams: list[Stream] = []
        for _ in range(60):
            number, stream = await client.begin(HANGING, end=False)
            await client.send(number, EMPTY_MESSAGE)
            streams.append(stream)
        async with asyncio.timeout(20):
            await asyncio.gather(*(stream.ended.wait() for stream in streams[40:]))
        answer = await edge.ask("GET", "/v1/tracks")
        assert (answer.status, answer.reason, answer.headers["retry-after"]) == (429, "OVERLOADED", "1")
        assert (await edge.ask("POST", "/v1/sessions", json={})).status == 200
        async with asyncio.timeout(20):
            await asyncio.gather(*(stream.ended.wait() for stream in streams))
        assert [stream.headers["grpc-status"] for stream in streams] == [LATE] * 40 + [EXHAUSTED] * 20
        assert (await edge.ask("GET", "/v1/tracks")).status == 200


async def test_so_many_clients_may_be_connected(engines: Engines, echo: EchoServices, tmp_path: Path):
    """Whoever comes then is turned away; operators and Envoy's own connections are not counted."""
    async with running(engines, echo, tmp_path, connections=30) as edge:
        held = [await asyncio.open_connection("127.0.0.1", edge.settings.listen_port) for _ in range(40)]
        for _, writer in held:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = await asyncio.gather(*(first_line(reader) for reader, _ in held))
        # This test's own client may hold a few of them.
        assert 25 <= answered.count(b"HTTP/1.1 200 OK\r\n") <= 30
        assert answered.count(b"") >= 10
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(20):
            while not await is_served(edge):
                await asyncio.sleep(0.05)


async def first_line(reader: asyncio.StreamReader) -> bytes:
    """Read the first line of an answer; nothing when the connection was refused."""
    try:
        return await asyncio.wait_for(reader.readline(), 10)
    except ConnectionError:
        return b""


async def is_served(edge: RunningEdge) -> bool:
    """Tell whether there is room for one more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.settings.listen_port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    line = await first_line(reader)
    writer.close()
    return line == b"HTTP/1.1 200 OK\r\n"
