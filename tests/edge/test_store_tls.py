"""A store that speaks TLS, as those outside of a cluster do."""

import json
import ssl
from typing import Any

import pytest

from cli.engines.certificates import CertificateAuthority
from envoy.render import EdgeSettings, render
from tests.support.echo_store import echo_store
from tests.support.edge import running

PRESIGNED = "/uploads/song?X-Amz-Signature=0"


@pytest.fixture
def authority(tmp_path):
    """Return the authority that the edge believes."""
    return CertificateAuthority(tmp_path / "tls")


def certified(files):
    """Return the side of a server with these files."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(files / "tls.crt", files / "tls.key")
    return tls


async def test_uploads_and_pictures_go_to_the_store_by_tls(engines, echo, tmp_path, authority):
    """The host is named as it was signed: with its port, where that is not the usual one."""
    async with echo_store(certified(authority.service("store"))) as store:
        place = {"store": ("127.0.0.1", store.port), "store_ca": authority.certificate_file}
        async with running(engines, echo, tmp_path / "edge", **place) as edge:
            answers = [await edge.ask("PUT", PRESIGNED, content=b"song")]
            answers.append(await edge.ask("GET", "/images/0198c0de-0000-7000-8000-000000000001/64.webp"))

    assert [answer.status for answer in answers] == [200, 200]
    assert [dict(headers)["host"] for _, headers in store.requests] == [f"127.0.0.1:{store.port}"] * 2


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_store_without_the_right_certificate_gets_nothing(engines, echo, tmp_path, authority, wrong):
    """Neither another authority nor another name is believed."""
    stranger = CertificateAuthority(tmp_path / "stranger")
    files = stranger.service("store") if wrong == "authority" else authority.public("music.example.com")

    async with echo_store(certified(files)) as store:
        place = {"store": ("127.0.0.1", store.port), "store_ca": authority.certificate_file}
        async with running(engines, echo, tmp_path / "edge", **place) as edge:
            answer = await edge.ask("PUT", PRESIGNED, content=b"song")

    assert answer.status == 503
    assert store.requests == []


def test_the_usual_port_is_not_named(tmp_path):
    """Clients sign for the host alone where the port is the scheme's own."""
    usual: dict[str, Any] = {
        "listen_host": "127.0.0.1",
        "listen_port": 1,
        "admin_port": 2,
        "keys_port": 3,
        "upstreams": {},
    }
    place: dict[str, Any] = {
        "store": ("s3.example.com", 443),
        "store_ca": tmp_path,
        "tls_dir": tmp_path,
        "web_root": tmp_path,
    }
    settings = EdgeSettings(**usual, **place, store_access_key="", store_secret_key="")

    assert '"host_rewrite_literal": "s3.example.com"' in json.dumps(render(settings))
