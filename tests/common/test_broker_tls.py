"""A broker that speaks TLS, as those of a cluster do: it is known by its certificate, not by its address."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from cli.engines.certificates import CertificateAuthority
from cli.engines.ports import PortBook
from services.common import events
from services.common.settings import NatsSettings
from services.provision.broker import ADMIN
from tests.support import brokers


@pytest.fixture
async def certified():
    """Return the settings of a client of a running broker that lets nobody in without TLS."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        authority = CertificateAuthority(folder / "tls")
        files = authority.service("nats")
        broker, nats = brokers.single(folder / "nats", PortBook(folder / "ports.json"))
        configuration = folder / "nats" / "nats.conf"
        with configuration.open("a") as text:
            text.write(f'tls {{ cert_file: "{files / "tls.crt"}", key_file: "{files / "tls.key"}" }}\n')
        await broker.start()
        yield NatsSettings(
            nats_url=nats.url, nats_seed_file=nats.seed_file(ADMIN), nats_ca_file=authority.certificate_file
        )
        await broker.kill()


async def test_a_service_speaks_tls_with_a_broker_that_its_authority_certified(certified):
    """What goes over the wire between nodes is sealed."""
    connection = await events.connect(certified, ADMIN)

    await connection.flush(timeout=5)

    assert connection.is_connected
    await connection.close()


async def test_a_broker_that_another_authority_certified_is_not_spoken_to(certified, tmp_path):
    """Whoever answers at the broker's address without its certificate learns nothing."""
    stranger = CertificateAuthority(tmp_path / "tls").certificate_file
    settings = certified.model_copy(update={"nats_ca_file": stranger})

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await events.connect(settings, ADMIN)
