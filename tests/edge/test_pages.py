"""The player's files, the description of the API, and TLS."""

import dataclasses
import json
from pathlib import Path

import grpc
import httpx
import pytest

from cli.engines.certificates import CertificateAuthority
from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge, contract, running
from tests.support.engines import Engines

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/index.html", "text/html; charset=utf-8"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/assets/main-0a1b2c3d.js", "text/javascript; charset=utf-8"),
        ("/assets/cover-4e5f6a7b.png", "image/png"),
    ],
)
async def test_files_come_as_they_were_built(edge: RunningEdge, web_root: Path, path, content_type):
    """Also those that are not text."""
    answer = await edge.ask("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.body == (web_root / path.lstrip("/")).read_bytes()
    head = await edge.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")


async def test_only_hashed_files_are_kept(edge: RunningEdge):
    """A new player is seen at the next load."""
    assert (await edge.ask("GET", "/assets/main-0a1b2c3d.js")).headers["cache-control"].endswith("immutable")
    for path in ("/", "/index.html", "/openapi.json"):
        assert (await edge.ask("GET", path)).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/library", "/artists/0198c0de", "/studio/uploads"])
async def test_the_players_own_addresses_show_the_player(edge: RunningEdge, path):
    """They can be reloaded and shared."""
    answer = await edge.ask("GET", path, headers=BROWSER)
    assert answer.status == 200
    assert b"<title>Spotilike</title>" in answer.body


@pytest.mark.parametrize("path", ["/assets/gone.js", "/favicon.ico", "/v1/nothing", "/.well-known/nothing.json"])
async def test_a_missing_file_is_not_the_player(edge: RunningEdge, path):
    """A script that is HTML helps nobody."""
    answer = await edge.ask("GET", path, headers=BROWSER)
    assert (answer.status, answer.reason) == (404, "PATH_UNKNOWN")


async def test_a_program_that_is_lost_is_told_so(edge: RunningEdge):
    """Only browsers are shown pages."""
    answer = await edge.ask("GET", "/library")
    assert (answer.status, answer.reason) == (404, "PATH_UNKNOWN")


@pytest.mark.parametrize("coding", ["br", "gzip"])
async def test_text_is_compressed(edge: RunningEdge, web_root: Path, coding):
    """The better coding where the client knows it."""
    answer = await edge.ask("GET", "/assets/main-0a1b2c3d.js", headers={"accept-encoding": coding})
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"].lower() == "accept-encoding"
    if coding == "gzip":  # httpx has undone it
        assert answer.body == (web_root / "assets/main-0a1b2c3d.js").read_bytes()


async def test_without_a_player_the_api_still_works(engines: Engines, echo: EchoServices, tmp_path: Path):
    """`/` is then one more unknown path."""
    async with running(engines, echo, tmp_path, web_root=tmp_path / "missing") as edge:
        answer = await edge.ask("GET", "/", headers=BROWSER)
        assert (answer.status, answer.reason) == (404, "PATH_UNKNOWN")
        assert (await edge.ask("GET", "/v1/tracks")).status == 200


async def test_the_api_describes_itself(edge: RunningEdge):
    """Every RPC with a path is there, with a sentence and whether it needs a token."""
    document = json.loads((await edge.ask("GET", "/openapi.json")).body)
    operations = {
        operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()
    }
    names = {method.path.rpartition(".")[2].replace("/", "_"): method for method in contract().methods}
    assert operations.keys() == names.keys()
    for name, method in names.items():
        assert operations[name]["summary"]
        assert ({} in operations[name]["security"]) == (not method.needs_token)
    body = json.dumps(document)
    for reference in body.split('"$ref": "')[1:]:
        target = reference.partition('"')[0].removeprefix("#/components/schemas/")
        assert target in document["components"]["schemas"]


async def test_tls_speaks_both_versions_of_http(engines: Engines, echo: EchoServices, tmp_path: Path):
    """Browsers choose HTTP/2 by ALPN, and gRPC needs it."""
    certificate = CertificateAuthority(engines.shared / "tls").public("127.0.0.1")
    crt, key = certificate / "tls.crt", certificate / "tls.key"
    async with running(engines, echo, tmp_path, certificate=crt, private_key=key) as edge:
        assert edge.http.base_url.scheme == "https"
        assert (await edge.ask("GET", "/v1/tracks")).status == 200
        address = f"127.0.0.1:{edge.settings.listen_port}"
        credentials = grpc.ssl_channel_credentials((certificate / "ca.crt").read_bytes())
        async with grpc.aio.secure_channel(address, credentials) as channel:
            over_tls = dataclasses.replace(edge, channel=channel)
            assert await over_tls.grpc("/spotilike.catalog.v1.TrackService/ListTracks", {}) == b""
        with pytest.raises(httpx.RemoteProtocolError):
            async with httpx.AsyncClient() as plain:
                await plain.get(f"http://{address}/")
