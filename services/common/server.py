"""One gRPC process: a listener for the edge, one for other services, one for probes; drains on SIGTERM."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from services.common import contract
from services.common.auth import TokenVerifier
from services.common.interceptors import CallInterceptor, Limits
from services.common.settings import ServiceSettings

EDGE = ("edge",)
SERVICES = ("user", "catalog", "processing", "streaming")
OPTIONS = [
    ("grpc.so_reuseport", 0),  # A second process on the same port has to fail, not to share it silently.
    ("grpc.max_connection_age_ms", 10 * 60 * 1000),
    ("grpc.max_connection_age_grace_ms", 30 * 1000),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
]
READY_POLL_SECONDS = 0.1

log = structlog.get_logger("server")


@dataclass
class Service:
    """What one process serves and does."""

    settings: ServiceSettings
    verifier: TokenVerifier
    public: Sequence[object]
    """Servicers for the edge."""
    internal: Sequence[object]
    """Servicers for other services."""
    ready: Callable[[], Awaitable[None]]
    """Raises while something that every call needs is missing."""
    background: Sequence[Coroutine[Any, Any, None]] = field(default_factory=tuple)
    """Work beside the calls: relays, consumers, sweepers. Each runs until it is cancelled."""


async def serve(service: Service) -> None:
    """Run until SIGTERM or SIGINT, then let the running calls end."""
    settings = service.settings
    probes = HealthServicer()
    limits = Limits(settings.call_limit, settings.call_seconds)
    public = _server(service.public, service.verifier, EDGE, limits)
    internal = _server(service.internal, None, SERVICES, limits)
    plain = grpc.aio.server(options=OPTIONS)
    for server in (public, internal, plain):
        health_pb2_grpc.add_HealthServicer_to_server(probes, server)
    if settings.environment == "development":
        names = [contract.service_of(servicer).full_name for servicer in service.public]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], public)
    credentials = _credentials(settings)
    public.add_secure_port(settings.public_listen, credentials)
    internal.add_secure_port(settings.internal_listen, credentials)
    plain.add_insecure_port(settings.health_listen)
    await probes.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    for server in (public, internal, plain):
        await server.start()
    await _run(service, probes)
    await _drain(settings, probes, (public, internal))
    await plain.stop(None)


async def _run(service: Service, probes: HealthServicer) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for received in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(received, stopping.set)
    work = [asyncio.create_task(coroutine) for coroutine in service.background]
    work.append(asyncio.create_task(_become_ready(service, probes)))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait([stop, *(asyncio.create_task(_watch(task)) for task in work)], return_when="FIRST_COMPLETED")
    failed = [task for task in work if task.done() and not task.cancelled() and task.exception()]
    for task in (*work, stop):
        task.cancel()
    await asyncio.gather(*work, stop, return_exceptions=True)
    for task in failed:
        # Work beside the calls never ends by itself: a process that lost it must be replaced.
        log.error("background_failed", exc_info=task.exception())
    if failed:
        sys.exit(1)


async def _watch(task: asyncio.Task[None]) -> None:
    """End when `task` fails; go on for ever when it ends well."""
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await asyncio.Event().wait()


async def _become_ready(service: Service, probes: HealthServicer) -> None:
    while True:
        try:
            await service.ready()
        except Exception as error:  # noqa: BLE001 (whatever is missing, the answer is to wait for it)
            log.info("waiting", error=str(error).splitlines()[0][:200] if str(error) else type(error).__name__)
            await asyncio.sleep(READY_POLL_SECONDS)
        else:
            break
    await probes.set("", health_pb2.HealthCheckResponse.SERVING)
    log.info("serving", public=service.settings.public_listen, internal=service.settings.internal_listen)


async def _drain(settings: ServiceSettings, probes: HealthServicer, servers: Sequence[grpc.aio.Server]) -> None:
    await probes.enter_graceful_shutdown()
    await asyncio.sleep(settings.drain_delay_seconds)
    await asyncio.gather(*(server.stop(settings.drain_seconds) for server in servers))
    log.info("stopped")


def _server(
    servicers: Sequence[object], verifier: TokenVerifier | None, peers: Sequence[str], limits: Limits
) -> grpc.aio.Server:
    methods: dict[str, contract.Method] = {}
    for servicer in servicers:
        methods |= contract.methods(servicer)
    server = grpc.aio.server(interceptors=[CallInterceptor(methods, verifier, peers, limits)], options=OPTIONS)
    for servicer in servicers:
        base = contract.base_of(servicer)
        getattr(sys.modules[base.__module__], f"add_{base.__name__}_to_server")(servicer, server)
    return server


def _credentials(settings: ServiceSettings) -> grpc.ServerCredentials:
    folder = settings.tls_dir
    pair = ((folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes())
    return grpc.ssl_server_credentials([pair], (folder / "ca.crt").read_bytes(), require_client_auth=True)
