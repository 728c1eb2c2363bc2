"""One gRPC process: a listener for the edge, one for other services, one for probes; drains on SIGTERM."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from services.common import certificates, contract, metrics, tasks, telemetry
from services.common.auth import TokenVerifier
from services.common.interceptors import CallInterceptor, Limits
from services.common.settings import ServiceSettings

EDGE = ("edge",)
SERVICES = ("user", "catalog", "processing", "streaming")
PINGS_MS = 10_000
"""How often a caller may ask whether a connection lives. By default gRPC allows that every five minutes, and without a
call hardly ever, and breaks off the connection of who asks more often, with all that is under way on it (gRFC A8)."""
OPTIONS = [
    ("grpc.so_reuseport", 0),  # A second process on the same port has to fail, not to share it silently.
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    # The edge passes 32 KiB of headers, and adds its own. Near its soft limit gRPC would refuse calls at random.
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.http2.min_ping_interval_without_data_ms", PINGS_MS),
    ("grpc.keepalive_permit_without_calls", 1),
]
CONNECTION_GRACE_SECONDS = 30
"""How long calls may go on over a connection that is given up for its age."""
TIDYING_SECONDS = 1.0
"""How long background work may take to end; it has only its connections to give back."""
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


class Process:
    """The listeners and the background work of one service, while they run."""

    def __init__(self, service: Service) -> None:
        """Prepare to run `service`."""
        settings = service.settings
        limits = Limits(settings.call_limit, settings.call_seconds)
        streams = Limits(settings.stream_limit, settings.stream_seconds)
        public = CallInterceptor(_methods(service.public), service.verifier, EDGE, limits, streams)
        internal = CallInterceptor(_methods(service.internal), None, SERVICES, limits, streams)
        self._service = service
        self._probes = HealthServicer()
        self._public = _server(service.public, settings, public)
        self._internal = _server(service.internal, settings, internal)
        self._plain = _server([], settings)
        self._work: list[asyncio.Task[None]] = []
        self.ports: dict[str, int] = {}
        """The port of each listener, `public`, `internal` and `health`, once started; `metrics` where they are on."""

    async def start(self) -> None:
        """Open the listeners and begin the background work."""
        settings = self._service.settings
        for server in (self._public, self._internal, self._plain):
            health_pb2_grpc.add_HealthServicer_to_server(self._probes, server)
        if settings.environment == "development":
            names = [contract.service_of(servicer).full_name for servicer in self._service.public]
            reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self._public)
        credentials = _credentials(settings)
        self.ports["public"] = self._public.add_secure_port(settings.public_listen, credentials)
        self.ports["internal"] = self._internal.add_secure_port(settings.internal_listen, credentials)
        self.ports["health"] = self._plain.add_insecure_port(settings.health_listen)
        certificates.measure(settings.tls_dir)
        if port := metrics.listen():
            self.ports["metrics"] = port
        await self._probes.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        for server in (self._public, self._internal, self._plain):
            await server.start()
        self._work = [asyncio.create_task(coroutine) for coroutine in self._service.background]
        self._work.append(asyncio.create_task(_become_ready(self._service, self._probes)))

    async def failed(self) -> BaseException:
        """Wait until some background work fails; it never ends by itself otherwise."""
        pending = set(self._work)
        while pending:
            done, pending = await asyncio.wait(pending, return_when="FIRST_COMPLETED")
            for task in done:
                if not task.cancelled() and (error := task.exception()):
                    return error
        await asyncio.Event().wait()
        raise AssertionError

    async def stop(self) -> None:
        """Report NOT_SERVING, let the running calls end, then end the background work."""
        settings = self._service.settings
        await self._probes.enter_graceful_shutdown()
        await asyncio.sleep(settings.drain_delay_seconds)
        await asyncio.gather(*(server.stop(settings.drain_seconds) for server in (self._public, self._internal)))
        await tasks.end(*self._work, patience_seconds=TIDYING_SECONDS)
        await self._plain.stop(None)
        log.info("stopped")


def run(name: str, wire: Callable[[], Service]) -> None:
    """Be the process of the service `name`, until SIGTERM or SIGINT.

    `wire` is called inside the event loop, to which channels and locks bind themselves.
    """

    async def main() -> None:
        await _serve(wire())

    telemetry.configure(name)
    uvloop.run(main())


async def _serve(service: Service) -> None:
    """Run until told to stop, then drain. A process whose background work fails must be replaced."""
    process = Process(service)
    await process.start()
    stopping = asyncio.Event()
    for received in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(received, stopping.set)
    stop = asyncio.create_task(stopping.wait())
    failure = asyncio.create_task(process.failed())
    await asyncio.wait([stop, failure], return_when="FIRST_COMPLETED")
    await process.stop()
    if failure.done():
        log.error("background_failed", exc_info=failure.result())
        sys.exit(1)
    failure.cancel()


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


def _methods(servicers: Sequence[object]) -> dict[str, contract.Method]:
    methods: dict[str, contract.Method] = {}
    for servicer in servicers:
        methods |= contract.methods(servicer)
    return methods


def _server(servicers: Sequence[object], settings: ServiceSettings, *interceptors: CallInterceptor) -> grpc.aio.Server:
    age = [
        ("grpc.max_connection_age_ms", round(settings.connection_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", CONNECTION_GRACE_SECONDS * 1000),
    ]
    server = grpc.aio.server(interceptors=interceptors, options=OPTIONS + age)
    for servicer in servicers:
        base = contract.base_of(servicer)
        getattr(sys.modules[base.__module__], f"add_{base.__name__}_to_server")(servicer, server)
    return server


def _credentials(settings: ServiceSettings) -> grpc.ServerCredentials:
    folder = settings.tls_dir
    pair = ((folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes())
    return grpc.ssl_server_credentials([pair], (folder / "ca.crt").read_bytes(), require_client_auth=True)
