"""Questions which tell whether a part can serve."""

import asyncio
import http

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.engines.parts import Probe

_PROBE_SECONDS = 2.0


def http_ok(port: int, path: str, host: str = "127.0.0.1") -> Probe:
    """Ask for `GET path` and expect 200."""

    async def probe() -> bool:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status_line = await reader.readline()
            return status_line.split(b" ")[1:2] == [str(int(http.HTTPStatus.OK)).encode()]
        finally:
            writer.close()

    return probe


def grpc_serving(port: int, host: str = "127.0.0.1") -> Probe:
    """Ask grpc.health.v1 about the whole server (the empty service name) and expect SERVING."""

    async def probe() -> bool:
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=_PROBE_SECONDS
                )
            except grpc.aio.AioRpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    return probe
