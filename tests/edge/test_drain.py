"""An edge that is stopped answers what it was asked, and says that it goes."""

import asyncio
import time
from pathlib import Path

import pytest

from cli.engines.envoy import drain
from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge, running
from tests.support.engines import Engines


@pytest.fixture
async def leaving(engines: Engines, echo: EchoServices, tmp_path: Path):
    """Return an edge that may be stopped."""
    async with running(engines, echo, tmp_path) as started:
        yield started


async def test_calls_under_way_end_well_when_the_edge_is_told_to_stop(leaving: RunningEdge):
    """It is stopped as `down` and `restart` do it; meanwhile probes are told, and those who come all the same."""
    slow = {"x-answer": "slow"}
    calls = [asyncio.create_task(leaving.ask("GET", "/v1/tracks", headers=slow)) for _ in range(20)]
    over_http2 = asyncio.create_task(leaving.grpc("/spotilike.catalog.v1.TrackService/ListTracks", slow))
    async with asyncio.timeout(20):
        while (await leaving.stats("edge.downstream_rq_active"))["http.edge.downstream_rq_active"] < len(calls) + 1:
            await asyncio.sleep(0.01)

    draining = asyncio.create_task(drain(leaving.settings.admin_port))
    async with asyncio.timeout(20):
        while (await leaving.ask("GET", "/healthz")).status == 200:
            await asyncio.sleep(0.01)
    late = await leaving.ask("GET", "/v1/genres")
    await draining
    leaving.process.terminate()

    answers = await asyncio.gather(*calls)
    assert [answer.status for answer in answers] == [200] * 20
    assert await over_http2 == b""
    assert (late.status, late.headers["connection"]) == (200, "close")
    assert await asyncio.to_thread(leaving.process.wait, 20) == 0


async def test_an_edge_with_nothing_to_do_leaves_at_once(leaving: RunningEdge):
    """An open connection without a request is nothing to wait for; neither is an edge that is gone."""
    await leaving.ask("GET", "/v1/genres")
    started = time.monotonic()
    await drain(leaving.settings.admin_port)
    leaving.process.kill()
    await drain(leaving.settings.admin_port)
    assert time.monotonic() - started < 2
