"""A real Envoy before stand-in services and the real object store."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
import httpx
from google.protobuf.message import Message

from cli.engines.envoy import DRAIN, envoy_binary
from cli.engines.ports import PortBook
from envoy.contract import Contract
from envoy.render import EdgeSettings, render
from tests.support.engines import Engines

Headers = Mapping[str, Any] | Sequence[tuple[str, Any]]
"""Names and values; a sequence may name one twice."""

READY_SECONDS = 20
KEY_SETS = 2
"""Envoy knows the keys of access tokens and of media tokens when it has fetched two sets."""


@dataclass(frozen=True)
class Answer:
    """What a client got, whichever protocol it spoke."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The reason of a refusal in JSON; the shape of the whole body is checked on the way."""
        refusal = json.loads(self.body)
        assert self.headers["content-type"] == "application/json"
        assert set(refusal) == {"code", "message", "details"}
        assert refusal["message"]
        info = refusal["details"][0]
        assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
        assert info["domain"] == "spotilike.dev"
        return str(info["reason"])


@dataclass(frozen=True)
class RunningEdge:
    """An Envoy of this test process."""

    settings: EdgeSettings
    log: Path
    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    process: subprocess.Popen[bytes]

    async def ask(self, method: str, path: str, **arguments: Any) -> Answer:
        """Send a request over HTTP/1.1."""
        response = await self.http.request(method, path, **arguments)
        return Answer(response.status_code, response.headers, response.content)

    async def health(self) -> Answer:
        """Ask for health until it is well: a test that blocks this process makes the services in it look ill."""
        async with asyncio.timeout(READY_SECONDS):
            while (answer := await self.ask("GET", "/healthz")).status != 200:
                await asyncio.sleep(0.05)
        return answer

    async def begin(self, method: str, path: str, **arguments: Any) -> Answer:
        """Send a request whose answer is a stream; answers with what comes first, or with the whole refusal."""
        async with self.http.stream(method, path, **arguments) as response:
            if response.status_code != 200:
                return Answer(response.status_code, response.headers, await response.aread())
            first = await anext(response.aiter_bytes(), b"")
            return Answer(response.status_code, response.headers, first)

    async def ask_raw(self, request: str, chunks: Iterable[bytes] = (), body: bytes = b"") -> Answer:
        """Send a request byte by byte, as no decent client would: first line and headers, then `body` or `chunks`."""
        reader, writer = await asyncio.open_connection(self.settings.listen_host, self.settings.listen_port)
        first, _, rest = request.partition("\r\n")
        writer.write(f"{first} HTTP/1.1\r\nHost: spotilike\r\n{rest}\r\n".encode("latin-1") + body)

        async def send() -> None:
            for chunk in chunks:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()

        sending = asyncio.create_task(send())
        async with asyncio.timeout(READY_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = b"" if first.startswith("HEAD ") else await _read_body(reader, headers)
        sending.cancel()
        writer.close()
        return Answer(int(head[0].split(" ")[1]), httpx.Headers(headers), body)

    async def log_entry(self, mark: str) -> dict[str, Any]:
        """Wait for the line of the access log that contains `mark`."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                for line in self.log.read_text().splitlines():
                    if line.startswith("{") and mark in line:
                        entry: dict[str, Any] = json.loads(line)
                        return entry
                await asyncio.sleep(0.05)

    async def stats(self, pattern: str) -> dict[str, int]:
        """Read counters from Envoy's own interface."""
        async with httpx.AsyncClient() as admin:
            found = await admin.get(
                f"http://127.0.0.1:{self.settings.admin_port}/stats", params={"filter": pattern, "format": "json"}
            )
        return {stat["name"]: stat["value"] for stat in found.json()["stats"] if "value" in stat}

    async def grpc(self, path: str, metadata: Mapping[str, str]) -> bytes:
        """Call an RPC with an empty message as gRPC does; raises `grpc.aio.AioRpcError` when it is refused."""
        call = self.channel.unary_unary(path, lambda sent: sent, lambda received: received)
        answer: bytes = await call(b"", metadata=[*metadata.items()], timeout=READY_SECONDS)
        return answer

    async def grpc_web(
        self, path: str, request: Message, metadata: Headers, *, streams: bool = False
    ) -> tuple[Answer, dict[str, str]]:
        """Call an RPC as gRPC-Web does; answers the response and the trailers, which a stream that goes on lacks."""
        payload = request.SerializeToString()
        framed = b"\x00" + len(payload).to_bytes(4, "big") + payload
        headers = httpx.Headers(metadata)
        headers.update({"content-type": "application/grpc-web+proto", "x-grpc-web": "1"})
        ask = self.begin if streams else self.ask
        answer = await ask("POST", path, content=framed, headers=headers)
        trailers = {name: value for name, value in answer.headers.items() if name.startswith("grpc-")}
        body = answer.body
        while body:
            length = int.from_bytes(body[1:5], "big")
            if body[0] & 0x80:
                lines = body[5 : 5 + length].decode().split("\r\n")
                trailers |= {name: value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
            body = body[5 + length :]
        return answer, trailers


class Services(Protocol):
    """What stands behind an edge."""

    @property
    def ports(self) -> Mapping[str, int]:
        """Return the port of each context's public listener."""


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while length := int(await reader.readline(), 16):
        body += await reader.readexactly(length)
        await reader.readline()
    return body


@asynccontextmanager
async def running(
    engines: Engines, services: Services, folder: Path, ready: int = 200, **changes: Any
) -> AsyncIterator[RunningEdge]:
    """Run an Envoy with its own ports until /healthz has answered `ready`; `changes` replace settings."""
    folder.mkdir(exist_ok=True)
    ports = PortBook(folder / "ports.json")
    keys = engines.s3_credentials("edge")
    usual: dict[str, Any] = {
        "listen_host": "127.0.0.1",
        "listen_port": ports.take("edge"),
        "admin_port": ports.take("admin"),
        "keys_port": ports.take("keys"),
        "tls_dir": engines.tls_dir("edge"),
        "upstreams": {context: [("127.0.0.1", port)] for context, port in services.ports.items()},
        "store": ("127.0.0.1", engines.s3_port),
        "store_access_key": keys.access_key,
        "store_secret_key": keys.secret_key,
        "web_root": folder / "web",
        # Tests ask faster than people.
        "requests_per_second": 100_000,
        "burst": 100_000,
        "guest_writes_per_second": 100_000,
        "guest_writes_burst": 100_000,
    }
    settings = EdgeSettings(**(usual | changes))
    configuration = folder / "envoy.json"
    configuration.write_text(json.dumps(render(settings)))
    log = folder / "envoy.log"
    argv = [envoy_binary(), "-c", str(configuration), "--disable-hot-restart", "--log-level", "warning"]
    argv += ["--concurrency", "1", "--file-flush-interval-msec", "100", *DRAIN]
    with log.open("wb") as stream:
        process = subprocess.Popen(argv, stdout=stream, stderr=stream)  # noqa: ASYNC220, S603 (our own arguments)
    address = f"127.0.0.1:{settings.listen_port}"
    scheme = "https" if settings.certificate else "http"
    trust = ssl.create_default_context(cafile=settings.certificate.parent / "ca.crt") if settings.certificate else True
    try:
        async with (
            httpx.AsyncClient(base_url=f"{scheme}://{address}", timeout=20, verify=trust) as http,
            grpc.aio.insecure_channel(address) as channel,
        ):
            edge = RunningEdge(settings, log, http, channel, process)
            await _wait(edge, ready)
            yield edge
    finally:
        process.terminate()
        process.wait()


async def _wait(edge: RunningEdge, ready: int) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            if edge.process.poll() is not None:
                raise RuntimeError(f"Envoy has ended:\n{edge.log.read_text()}")
            try:
                healthy = (await edge.ask("GET", "/healthz")).status == ready
                fetched = await edge.stats("jwks_fetch_success")
                if healthy and fetched.get("http.edge.jwt_authn.jwks_fetch_success", 0) >= KEY_SETS:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


def contract() -> Contract:
    """Read the contracts that the edge serves."""
    return Contract.read(EdgeSettings.descriptors)
