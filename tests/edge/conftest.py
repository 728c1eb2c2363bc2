"""One Envoy for all tests of the edge, and the tokens to pass it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.echo_services import EchoServices, method_descriptors
from tests.support.edge import RunningEdge, contract, running
from tests.support.engines import Engines

USER = "0198c0de-0000-7000-8000-000000000001"


@pytest.fixture(scope="session")
async def echo(engines: Engines) -> AsyncIterator[EchoServices]:
    """Return services that note what they see."""
    services = EchoServices()
    await services.start(engines.tls_dir, method_descriptors(contract()))
    yield services
    await services.stop()


@pytest.fixture(scope="session")
def web_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a built player of four small files."""
    root = tmp_path_factory.mktemp("web")
    (root / "assets").mkdir()
    (root / "index.html").write_text("<!doctype html><title>Spotilike</title><p>Слушайте</p>")
    (root / "manifest.webmanifest").write_text("{}")
    (root / "assets" / "main-0a1b2c3d.js").write_text("export const songs = [];\n" * 100)
    (root / "assets" / "cover-4e5f6a7b.png").write_bytes(bytes(range(256)) * 8)
    return root


@pytest.fixture(scope="session")
async def edge(
    engines: Engines, echo: EchoServices, web_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningEdge]:
    """Return the edge of this worker."""
    async with running(engines, echo, tmp_path_factory.mktemp("edge"), web_root=web_root) as started:
        yield started


@pytest.fixture
def bearer(echo: EchoServices) -> dict[str, str]:
    """Return the header of a signed-in user."""
    return {"authorization": f"Bearer {echo.access.token(sub=USER)}"}
