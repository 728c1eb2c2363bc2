"""Tracks to hear and somebody who hears them."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from spotilike.streaming.v1.history_service_pb2_grpc import HistoryServiceStub
from spotilike.streaming.v1.playback_service_pb2_grpc import PlaybackServiceStub
from tests.streaming.listener import Listener
from tests.streaming.shelf import Shelf
from tests.support.catalog import Edge
from tests.support.databases import Databases
from tests.support.rows import Rows, rows_of
from tests.support.services import RunningService, SignUp


@pytest.fixture(scope="module")
async def shelf(edge: Edge, catalog_rows: Rows, sign_up: SignUp) -> Shelf:
    """Return the tracks that can be heard, to the tests of a module; a whole run lasts longer than an access token."""
    account = await sign_up()
    artist = await edge.artist(account)
    return Shelf(edge, catalog_rows, account, artist, await edge.album(account, artist))


@pytest.fixture(scope="session")
def closed_port() -> Iterator[str]:
    """Return an address at which nobody listens, nor can anybody begin to while the test runs."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def hanging_port() -> Iterator[str]:
    """Return an address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture(scope="session")
async def rows(databases: Databases) -> AsyncIterator[Rows]:
    """Return a function that runs SQL as the owner of the tables."""
    async with rows_of(databases, "streaming") as execute:
        yield execute


@pytest.fixture(scope="session")
def someone(sign_up: SignUp, streaming: RunningService, rows: Rows) -> Callable[[], Awaitable[Listener]]:
    """Return a function that makes somebody new who wants to listen, who calls as the edge does."""
    playbacks, history = streaming.public(PlaybackServiceStub), streaming.public(HistoryServiceStub)

    async def make() -> Listener:
        return Listener(await sign_up(), playbacks, history, rows)

    return make


@pytest.fixture
async def listener(someone: Callable[[], Awaitable[Listener]]) -> Listener:
    """Return somebody new who wants to listen."""
    return await someone()
