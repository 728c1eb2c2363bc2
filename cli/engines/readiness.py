"""Questions which tell whether a part can serve."""

import asyncio
import http
import ssl
from pathlib import Path

from cli.engines.parts import Probe

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_FRAME_HEADER_BYTES = 9
_EMPTY_MESSAGE = bytes(5)
_SERVING = b"\x00\x00\x00\x00\x02\x08\x01"
"""HealthCheckResponse{status: SERVING} as a length-prefixed gRPC message."""


def http_ok(port: int, path: str, host: str = "127.0.0.1", authority: Path | None = None) -> Probe:
    """Ask for `GET path` and expect 200; over TLS when the certificate authority to trust is given."""

    async def probe() -> bool:
        tls = ssl.create_default_context(cafile=authority) if authority else None
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status_line = await reader.readline()
            return status_line.split(b" ")[1:2] == [str(int(http.HTTPStatus.OK)).encode()]
        finally:
            writer.close()

    return probe


def grpc_serving(port: int, host: str = "127.0.0.1") -> Probe:
    """Ask grpc.health.v1 about the whole server (the empty service name) and expect SERVING.

    One call in plain HTTP/2 frames (RFC 9113) instead of grpcio: that starts threads and hooks fork, and a supervisor
    which forks beside them stalls for seconds.
    """
    request = _PREFACE + _frame(_SETTINGS, 0, 0, b"")
    request += _frame(_HEADERS, _END_HEADERS, 1, _health_check_headers(f"{host}:{port}"))
    request += _frame(_DATA, _END_STREAM, 1, _EMPTY_MESSAGE)

    async def probe() -> bool:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(request)
            while True:
                header = await reader.readexactly(_FRAME_HEADER_BYTES)
                payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
                kind, flags = header[3], header[4]
                if kind == _DATA:
                    return payload == _SERVING
                if kind == _HEADERS and flags & _END_STREAM:  # an error has no message
                    return False
        finally:
            writer.close()

    return probe


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _health_check_headers(authority: str) -> bytes:
    """Return the call's headers in HPACK (RFC 7541): names from the static table, values as plain literals."""
    post, http_scheme = b"\x83", b"\x86"
    return b"".join(
        [
            post,
            http_scheme,
            b"\x04" + _literal("/grpc.health.v1.Health/Check"),
            b"\x01" + _literal(authority),
            b"\x0f\x10" + _literal("application/grpc"),
            b"\x00" + _literal("te") + _literal("trailers"),
        ]
    )


def _literal(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
