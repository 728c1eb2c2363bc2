"""A replica may die, stop or be replaced: no read fails, and no write is done twice."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from typing import Self
from uuid import uuid4

import pytest

from tests.support.echo_services import EchoServices
from tests.support.edge import Answer, RunningEdge, running
from tests.support.engines import Engines
from tests.support.replicas import Replicas

A_SECOND = 50
"""Calls a second."""


@pytest.fixture(scope="module")
async def pair(
    engines: Engines, echo: EchoServices, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[RunningEdge, Replicas]]:
    """Return an edge before two replicas."""
    folder = tmp_path_factory.mktemp("replicas")
    replicas = Replicas(folder, engines.tls_dir("user"))
    upstreams = {context: [("127.0.0.1", port)] for context, port in echo.ports.items()} | {"user": replicas.addresses}
    try:
        await replicas.start()
        async with running(engines, echo, folder / "edge", upstreams=upstreams) as edge:
            yield edge, replicas
    finally:
        await replicas.stop()


@pytest.fixture
async def replicas(pair: tuple[RunningEdge, Replicas]) -> Replicas:
    """Return both replicas, running and chosen by the edge in turn."""
    edge, replicas = pair
    await replicas.start()
    async with asyncio.timeout(20):
        while {await read(edge) for _ in replicas.all} != {replica.name for replica in replicas.all}:
            pass
    replicas.forget()
    return replicas


@pytest.fixture
def edge(pair: tuple[RunningEdge, Replicas]) -> RunningEdge:
    """Return the edge before both."""
    return pair[0]


async def read(edge: RunningEdge) -> str:
    """Make a call that may be repeated; answer which replica did it, or what went wrong."""
    answer = await edge.ask("GET", "/.well-known/jwks.json")
    return str(answer.json["keys"][0]["kid"]) if answer.status == 200 else f"{answer.status} {answer.body!r}"


def address() -> str:
    """Return what a write is known by: the services check that it could be an address."""
    return f"{uuid4().hex}@example.org"


async def write(edge: RunningEdge, mark: str) -> Answer:
    """Make a call that may not be repeated."""
    return await edge.ask("POST", "/v1/sessions", json={"email": mark, "password": "-"})


class Load:
    """Reads, and every fifth time a write, 50 times a second until the end of the block."""

    def __init__(self, edge: RunningEdge) -> None:
        """Ask `edge`."""
        self._edge = edge
        self._calls: list[asyncio.Task[str]] = []
        self._writes: dict[str, asyncio.Task[Answer]] = {}
        self.reads: list[str] = []
        self.writes: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        """Begin."""
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, with every answer in."""
        self._running.cancel()
        self.reads = await asyncio.gather(*self._calls)
        self.writes = {mark: (await task).status for mark, task in self._writes.items()}

    async def answered(self, count: int) -> None:
        """Wait until so many more reads were answered."""
        goal = sum(call.done() for call in self._calls) + count
        async with asyncio.timeout(60):
            while sum(call.done() for call in self._calls) < goal:
                await asyncio.sleep(0.02)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in itertools.count():
            self._calls.append(asyncio.create_task(read(self._edge)))
            if number % 5 == 0:
                mark = address()
                self._writes[mark] = asyncio.create_task(write(self._edge, mark))
            await asyncio.sleep(began + (number + 1) / A_SECOND - loop.time())


async def test_a_replica_that_is_killed_fails_no_read(edge: RunningEdge, replicas: Replicas):
    """Kill -9 at 50 calls a second: what it had not answered is asked of the other one."""
    first, second = replicas.all
    async with Load(edge) as load:
        await load.answered(100)
        first.send(signal.SIGKILL)
        await load.answered(150)
    assert set(load.reads) == {first.name, second.name}
    assert set(load.reads[-50:]) == {second.name}
    assert (await edge.stats("cluster.user.upstream_rq_retry_success"))["cluster.user.upstream_rq_retry_success"] > 0
    assert set(load.writes.values()) <= {200, 503}
    assert set(replicas.seen().values()) == {1}


async def test_replicas_are_replaced_one_by_one_without_a_failed_call(edge: RunningEdge, replicas: Replicas):
    """SIGTERM, a new process at the same port, then the next one; writes are done once."""
    async with Load(edge) as load:
        await load.answered(50)
        for replica in replicas.all:
            replica.send(signal.SIGTERM)
            assert await replica.ended() == 0
            await load.answered(20)
            await replica.start()
            await load.answered(150)
    assert set(load.reads) == {replica.name for replica in replicas.all}
    assert set(load.writes.values()) == {200}
    assert replicas.seen() == dict.fromkeys(load.writes, 1)


async def test_calls_under_way_end_well_when_their_service_is_told_to_stop(edge: RunningEdge, replicas: Replicas):
    """Both replicas get SIGTERM while they work."""
    marks = [address() for _ in range(20)]
    with replicas.holding():
        calls = [asyncio.create_task(write(edge, mark)) for mark in marks]
        await begun(replicas, marks)
        for replica in replicas.all:
            replica.send(signal.SIGTERM)
            await replica.leaving()
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} == {200}
    assert {answer.json["refreshToken"] for answer in answers} == {replica.name for replica in replicas.all}
    assert [await replica.ended() for replica in replicas.all] == [0, 0]


async def test_a_write_that_a_service_has_seen_is_never_sent_again(edge: RunningEdge, replicas: Replicas):
    """Kill -9 in the middle: whoever asked is told, and only they can know whether to ask again."""
    marks = [address() for _ in range(20)]
    first, second = replicas.all
    with replicas.holding():
        calls = [asyncio.create_task(write(edge, mark)) for mark in marks]
        await begun(replicas, marks)
        first.send(signal.SIGKILL)
        await first.ended()
    answers = await asyncio.gather(*calls)
    lost = [answer for answer in answers if answer.status != 200]
    assert 0 < len(lost) < len(marks)
    assert {(answer.status, answer.reason) for answer in lost} == {(503, "DEPENDENCY_UNAVAILABLE")}
    assert {answer.json["refreshToken"] for answer in answers if answer.status == 200} == {second.name}
    assert replicas.seen() == dict.fromkeys(marks, 1)


async def test_a_write_that_no_service_has_seen_goes_to_another_one(edge: RunningEdge, replicas: Replicas):
    """The dead replica still counts as healthy when they come."""
    first, second = replicas.all
    first.send(signal.SIGKILL)
    await first.ended()
    marks = [address() for _ in range(20)]
    answers = await asyncio.gather(*(write(edge, mark) for mark in marks))
    assert {(answer.status, answer.json["refreshToken"]) for answer in answers} == {(200, second.name)}
    assert replicas.seen() == dict.fromkeys(marks, 1)


async def begun(replicas: Replicas, marks: list[str]) -> None:
    """Wait until a replica has noted each write."""
    async with asyncio.timeout(20):
        while set(replicas.seen()) != set(marks):
            await asyncio.sleep(0.02)
