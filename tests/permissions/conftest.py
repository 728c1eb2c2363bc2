"""The real edge before the four real services, and the world that calls are about."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.permissions.world import World
from tests.streaming.shelf import Shelf
from tests.support.catalog import Edge
from tests.support.databases import Databases
from tests.support.edge import RunningEdge, running
from tests.support.engines import Engines
from tests.support.rows import Rows, rows_of
from tests.support.services import RunningService, SignUp


@dataclass(frozen=True)
class Mesh:
    """The services of this worker by context."""

    services: dict[str, RunningService]

    @property
    def ports(self) -> dict[str, int]:
        """Return where the edge finds each of them."""
        return {context: service.process.ports["public"] for context, service in self.services.items()}


@pytest.fixture(scope="session")
def mesh(user: RunningService, catalog: RunningService, processing: RunningService, streaming: RunningService) -> Mesh:
    """Return the four services."""
    return Mesh({"user": user, "catalog": catalog, "processing": processing, "streaming": streaming})


@pytest.fixture(scope="session")
async def front(engines: Engines, mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningEdge]:
    """Return the edge before them."""
    async with running(engines, mesh, tmp_path_factory.mktemp("front")) as started:
        yield started


@pytest.fixture(scope="module")
async def world(
    mesh: Mesh, edge: Edge, catalog_rows: Rows, databases: Databases, sign_up: SignUp
) -> AsyncIterator[World]:
    """Return the people and things of the matrix, made anew before their tokens expire."""
    founder = await sign_up()
    artist = await edge.artist(founder)
    shelf = Shelf(edge, catalog_rows, founder, artist, await edge.album(founder, artist))
    async with rows_of(databases, "user") as user_rows, rows_of(databases, "processing") as processing_rows:
        made = World(sign_up, edge, mesh.services, user_rows, processing_rows, shelf)
        await made.populate()
        yield made
