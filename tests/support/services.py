"""Services that run inside the test process, called by real clients over mTLS, on real engines.

Only the process boundary is left out; listeners, certificates, interceptors, databases and the broker are the ones
of `./spotilike up`.
"""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import grpc
import pytest
from cryptography.fernet import Fernet
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common import server
from services.user import __main__ as user_main
from services.user.settings import Settings as UserSettings
from spotilike.user.v1.session_pb2 import SessionCredentials
from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from spotilike.user.v1.user_pb2 import User
from spotilike.user.v1.user_service_pb2 import CreateUserRequest
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.support.channels import channel
from tests.support.databases import Databases
from tests.support.engines import Engines
from tests.support.mailbox import Mailbox

ANY_PORT = "127.0.0.1:0"
READY_SECONDS = 20
PASSWORD = "correct horse battery"

Stub = TypeVar("Stub")


@dataclass
class RunningService:
    """A service of this test process."""

    process: server.Process
    tls: Callable[[str], Path]

    @property
    def internal_address(self) -> str:
        """Where other services call it."""
        return f"127.0.0.1:{self.process.ports['internal']}"

    @property
    def public_address(self) -> str:
        """Where the edge calls it."""
        return f"127.0.0.1:{self.process.ports['public']}"

    def public(self, stub: Callable[[grpc.aio.Channel], Stub], peer: str = "edge") -> Stub:
        """Make a client of the public listener with the certificate of `peer`."""
        return stub(channel(self.public_address, self.tls(peer)))

    def internal(self, stub: Callable[[grpc.aio.Channel], Stub], peer: str = "streaming") -> Stub:
        """Make a client of the internal listener with the certificate of `peer`."""
        return stub(channel(self.internal_address, self.tls(peer)))

    async def ready(self) -> None:
        """Wait until the health listener says SERVING."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.process.ports['health']}") as plain:
            stub = health_pb2_grpc.HealthStub(plain)
            async with asyncio.timeout(READY_SECONDS):
                while (
                    await stub.Check(health_pb2.HealthCheckRequest())
                ).status != health_pb2.HealthCheckResponse.SERVING:
                    await asyncio.sleep(0.02)


async def run(service: server.Service, engines: Engines) -> RunningService:
    """Start a service and wait until it is ready."""
    process = server.Process(service)
    await process.start()
    running = RunningService(process, engines.tls_dir)
    await running.ready()
    return running


def listeners(engines: Engines, service: str) -> dict[str, Any]:
    """Return the settings of the listeners: any free port, the certificate of `service`."""
    return {
        "environment": "development",
        "public_listen": ANY_PORT,
        "internal_listen": ANY_PORT,
        "health_listen": ANY_PORT,
        "tls_dir": engines.tls_dir(service),
        "drain_seconds": 1.0,
        "drain_delay_seconds": 0.0,
    }


@pytest.fixture(scope="session")
def key_secret() -> str:
    """Return the secret that seals the signing keys of this worker's services."""
    return Fernet.generate_key().decode()


@pytest.fixture(scope="session")
def catalog_internal() -> str:
    """Return where the catalog of this worker serves other services, once it runs: the user service asks it too."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


UserSettingsOf = Callable[..., UserSettings]


@pytest.fixture(scope="session")
async def user_settings(
    streams: Engines, databases: Databases, mailbox: Mailbox, catalog_internal: str, key_secret: str
) -> UserSettingsOf:
    """Return a function that makes settings of a user service; all of them share secrets and database."""
    values: dict[str, Any] = {
        **listeners(streams, "user"),
        "database_url": await databases.url("user"),
        "nats_url": streams.nats_url,
        "nats_seed_file": streams.nats_seed_file("user"),
        "user_internal": "unused:0",
        "catalog_internal": catalog_internal,
        "key_encryption_secret": key_secret,
        "refresh_secret": secrets.token_urlsafe(32),
        "password_queue": 200,
        "public_url": "http://player.test",
        "smtp_host": "127.0.0.1",
        "smtp_port": mailbox.port,
        "smtp_security": "none",
    }
    return lambda **changed: UserSettings(**values | changed)


@pytest.fixture(scope="session")
async def user(streams: Engines, user_settings: UserSettingsOf) -> AsyncIterator[RunningService]:
    """Return the user service of this worker."""
    running = await run(user_main.wire(user_settings()), streams)
    yield running
    await running.process.stop()


@dataclass(frozen=True)
class Account:
    """Somebody who is signed in."""

    id: UUID
    email: str
    username: str
    credentials: SessionCredentials

    @property
    def name(self) -> str:
        """The account's resource name."""
        return f"users/{self.id}"

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What the edge sends with the account's calls."""
        return bearer(self.credentials.access_token)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Write a token into the metadata of a call."""
    return (("authorization", f"Bearer {token}"),)


SignUp = Callable[[], Any]


@pytest.fixture(scope="session")
def sign_up(user: RunningService) -> SignUp:
    """Return a function that makes an account and signs it in."""

    async def make() -> Account:
        mark = uuid4().hex[:12]
        email, username = f"{mark}@example.org", f"listener-{mark}"
        users, sessions = user.public(UserServiceStub), user.public(SessionServiceStub)
        made = await users.CreateUser(CreateUserRequest(user=User(email=email, username=username), password=PASSWORD))
        credentials = await sessions.CreateSession(CreateSessionRequest(email=email, password=PASSWORD))
        return Account(UUID(made.name.split("/")[1]), email, username, credentials)

    return make


def error_info(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str]]:
    """Read the reason and the metadata of a refusal."""
    info = error_details_pb2.ErrorInfo()
    assert _detail(error, info), f"no ErrorInfo in {error!r}"
    assert info.domain == "spotilike.dev"
    return info.reason, dict(info.metadata)


def violated_fields(error: grpc.aio.AioRpcError) -> set[str]:
    """Read which fields a refusal complains of."""
    bad = error_details_pb2.BadRequest()
    assert _detail(error, bad), f"no BadRequest in {error!r}"
    return {violation.field for violation in bad.field_violations}


def retry_seconds(error: grpc.aio.AioRpcError) -> float:
    """Read when a refusal asks the client to come back."""
    retry = error_details_pb2.RetryInfo()
    assert _detail(error, retry), f"no RetryInfo in {error!r}"
    return float(retry.retry_delay.ToMilliseconds() / 1000)


def _detail(error: grpc.aio.AioRpcError, message: Any) -> bool:
    metadata: Any = error.trailing_metadata() or ()
    packed = next((value for key, value in metadata if key == "grpc-status-details-bin"), None)
    if not isinstance(packed, bytes):
        return False
    status = status_pb2.Status.FromString(packed)
    assert status.message == error.details()
    return any(detail.Unpack(message) for detail in status.details)
