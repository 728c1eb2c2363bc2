"""How a service starts, ages and stops, seen by its callers."""

import asyncio
import re
from contextlib import asynccontextmanager

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cli.engines.data import ROOT
from services.common import auth, contract, deadlines, peers, server
from services.common.errors import NotFound
from services.common.server import Service
from services.common.settings import ServiceSettings
from spotilike.catalog.v1.genre_service_pb2 import ListGenresRequest, ListGenresResponse
from spotilike.catalog.v1.genre_service_pb2_grpc import GenreServiceServicer, GenreServiceStub
from tests.support.channels import channel
from tests.support.http2 import connection
from tests.support.services import error_info, listeners, run

SELDOM_MS = 50
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Genres(GenreServiceServicer):
    """Answers when it is told to, and says how long it may take."""

    def __init__(self):
        """Answer at once."""
        self.running = self.finished = 0
        self.answer = asyncio.Event()
        self.answer.set()

    async def ListGenres(self, _, context):
        """Wait until the test says so, then say something beside the answer."""
        self.running += 1
        await self.answer.wait()
        self.running -= 1
        mark = dict(context.invocation_metadata()).get("x-mark", "none")
        await context.send_initial_metadata((("x-heard", mark),))
        self.finished += 1
        if mark == "refuse":
            raise NotFound("GENRE_NOT_FOUND", "There is no such genre.", retry_seconds=1.2)
        return ListGenresResponse(next_page_token=f"{deadlines.left(100):.3f}")


class NoKeys:
    """Knows no key: nobody sends a token here."""

    async def public_key(self, _):
        """Know none."""


@asynccontextmanager
async def serving(engines, *background, **changes):
    """Serve genres until the end of the block, with work beside the calls."""
    genres = Genres()

    async def ready():
        pass

    settings = listeners(engines, "catalog") | {"database_url": "postgresql://unused", "user_internal": "unused:0"}
    running = await run(
        Service(
            settings=ServiceSettings(**(settings | changes)),
            verifier=auth.TokenVerifier(NoKeys()),
            public=[genres],
            internal=[],
            ready=ready,
            background=background,
        ),
        engines,
    )
    try:
        yield running, genres
    finally:
        genres.answer.set()
        await running.process.stop()


async def until(condition):
    """Wait for a condition."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_service_that_stops_says_so_first_then_ends_what_it_began(engines):
    """Health is NOT_SERVING while calls are still taken; then none is, and those that run end well."""
    async with serving(engines, drain_delay_seconds=0.5, drain_seconds=10) as (running, genres):
        public = running.public(GenreServiceStub)
        health = running.public(health_pb2_grpc.HealthStub)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
        genres.answer.clear()
        calls = [asyncio.ensure_future(public.ListGenres(ListGenresRequest())) for _ in range(5)]
        await until(lambda: genres.running == 5)

        stopping = asyncio.create_task(running.process.stop())
        async with asyncio.timeout(5):
            while (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING:
                await asyncio.sleep(0.01)
        late = asyncio.ensure_future(public.ListGenres(ListGenresRequest()))
        await until(lambda: genres.running == 6)
        await until_refused(running.public(GenreServiceStub))
        assert not stopping.done()

        genres.answer.set()
        assert len(await asyncio.gather(*calls, late)) == 6
        await asyncio.wait_for(stopping, 5)


async def until_refused(genres):
    """Ask, over and over, until the service takes no more calls."""
    async with asyncio.timeout(10):
        while True:
            try:
                await genres.ListGenres(ListGenresRequest(), timeout=0.1)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    return


async def test_a_call_that_does_not_end_does_not_keep_a_service_from_stopping(engines):
    """It has as long as a drain may take."""
    async with serving(engines, drain_seconds=0.3) as (running, genres):
        genres.answer.clear()
        call = asyncio.ensure_future(running.public(GenreServiceStub).ListGenres(ListGenresRequest()))
        await until(lambda: genres.running == 1)
        await asyncio.wait_for(running.process.stop(), 5)
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_background_work_that_loses_its_cancellation_does_not_keep_a_service_from_stopping(engines, monkeypatch):
    """It is told again; otherwise the process would have to be killed."""
    monkeypatch.setattr("services.common.server.TIDYING_SECONDS", 0.05)
    told = 0

    async def work():
        nonlocal told
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1
                if told > 1:
                    raise

    async with serving(engines, work()) as (running, _):
        async with asyncio.timeout(5):
            await running.process.stop()
        assert told == 2


@pytest.mark.parametrize(("allowed_ms", "lives"), [(SELDOM_MS, True), (60_000, False)], ids=["seldom", "too often"])
async def test_a_quiet_connection_may_be_asked_after_but_not_too_often(engines, monkeypatch, allowed_ms, lives):
    """Without a call, too."""
    changed = dict(server.OPTIONS) | {"grpc.http2.min_ping_interval_without_data_ms": allowed_ms}
    monkeypatch.setattr(server, "OPTIONS", list(changed.items()))
    async with serving(engines) as (running, _), connection(running.process.ports["health"]) as client:
        asked = 0
        while asked < 6 and not client.closed.is_set():
            await client.ping()
            asked += 1
            await asyncio.sleep(2 * SELDOM_MS / 1000)
        assert client.closed.is_set() is not lives


def test_nobody_asks_more_often_than_a_service_allows():
    """Neither the other services nor the edge."""
    cluster = (ROOT / "envoy" / "service_cluster.yaml").read_text()
    [seconds] = re.findall(r"connection_keepalive: {interval: (\d+)s", cluster)
    assert min(peers.PING_MS, 1000 * int(seconds)) >= 2 * server.PINGS_MS


async def test_connections_age_without_a_failed_call(engines):
    """So that callers find new replicas; calls that run move on with the next connection."""
    async with serving(engines, connection_seconds=0.3) as (running, _):
        public = running.public(GenreServiceStub)
        connections: set[int] = set()
        async with asyncio.timeout(20):
            while len(connections) < 4:
                await public.ListGenres(ListGenresRequest(), timeout=5)
                connections |= client_ports(running.process.ports["public"])


def client_ports(port):
    """Find the ports from which this process is connected to `port`."""
    mine = psutil.Process().net_connections("tcp")
    return {found.laddr.port for found in mine if found.raddr and found.raddr.port == port}


async def test_a_call_knows_what_is_left_of_its_deadline(engines):
    """The client's, less what the way back takes; the server's own where that is shorter."""
    async with serving(engines, call_seconds=5) as (running, _):
        public = running.public(GenreServiceStub)
        for asked, given in ((2.0, 1.95), (60.0, 5.0), (None, 5.0)):
            answer = await public.ListGenres(ListGenresRequest(), timeout=asked)
            assert given - 0.5 < float(answer.next_page_token) <= given


async def test_work_outside_calls_has_no_deadline():
    """Consumers and sweepers ask other services as well."""
    assert deadlines.left(2.0) == 2.0


async def test_a_call_whose_time_is_over_asks_nobody():
    """It would not wait for the answer."""

    async def late():
        deadlines.begin(0.01)
        await asyncio.sleep(0.02)
        deadlines.left(2.0)

    with pytest.raises(TimeoutError):
        await asyncio.create_task(late())


async def test_a_handler_may_send_headers_before_its_answer_or_refusal(engines):
    """Cookies of browsers travel so."""
    async with serving(engines) as (running, _):
        public = running.public(GenreServiceStub)
        call = public.ListGenres(ListGenresRequest(), metadata=(("x-mark", "song"),))
        await call
        assert ("x-heard", "song") in list(await call.initial_metadata())
        call = public.ListGenres(ListGenresRequest(), metadata=(("x-mark", "refuse"),))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert error_info(refused.value)[0] == "GENRE_NOT_FOUND"
        assert ("x-heard", "refuse") in list(await call.initial_metadata())
        assert ("retry-after", "2") in list(await call.trailing_metadata())


async def test_work_whose_client_has_gone_ends_and_keeps_its_place_until_then(engines):
    """Otherwise whoever asks and hangs up at once could start as much as they like."""
    async with serving(engines, call_limit=2) as (running, genres):
        public = running.public(GenreServiceStub)
        genres.answer.clear()
        calls = [asyncio.ensure_future(public.ListGenres(ListGenresRequest())) for _ in range(2)]
        await until(lambda: genres.running == 2)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await public.ListGenres(ListGenresRequest())
        assert error_info(refused.value)[0] == "OVERLOADED"

        genres.answer.set()
        await until(lambda: genres.finished == 2)
        await public.ListGenres(ListGenresRequest())


@pytest.mark.parametrize("sent", [b"\xff\xff", b"\x12\x02\xc3\x28"], ids=["garbage", "not UTF-8"])
async def test_a_message_that_cannot_be_read_is_refused_in_our_words(engines, sent):
    """The library's own would show the client what we are made of."""
    async with serving(engines) as (running, _):
        async with channel(running.public_address, engines.tls_dir("edge")) as edge:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await edge.unary_unary("/spotilike.catalog.v1.GenreService/ListGenres", bytes, bytes)(sent)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert error_info(refused.value) == ("REQUEST_MALFORMED", {})


async def test_headers_that_the_edge_lets_through_are_taken(engines):
    """It takes 32 KiB, and a library's own limit must not refuse some of them at random."""
    async with serving(engines) as (running, _):
        public = running.public(GenreServiceStub)
        for _ in range(20):
            await public.ListGenres(ListGenresRequest(), metadata=(("x-large", "a" * 40_000),))


async def test_reflection_is_for_development(engines):
    """In production nobody is told what there is."""

    async def asked(running):
        stub = running.public(reflection_pb2_grpc.ServerReflectionStub)
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        return [answer async for answer in stub.ServerReflectionInfo(requests)]

    async with serving(engines, environment="development") as (running, _):
        [answer] = await asked(running)
        names = {service.name for service in answer.list_services_response.service}
        assert "spotilike.catalog.v1.GenreService" in names
    async with serving(engines, environment="production") as (running, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asked(running)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("peer", ["catalog", "streaming", "cli"])
async def test_health_and_reflection_are_for_the_edge_alone_too(engines, peer):
    """Also what stands in no contract has its caller checked."""
    async with serving(engines) as (running, _):
        health = running.public(health_pb2_grpc.HealthStub, peer)
        reflection = running.public(reflection_pb2_grpc.ServerReflectionStub, peer)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health.Check(health_pb2.HealthCheckRequest())
        assert error_info(refused.value)[0] == "PEER_NOT_ALLOWED"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(aiter(health.Watch(health_pb2.HealthCheckRequest())))
        assert error_info(refused.value)[0] == "PEER_NOT_ALLOWED"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(aiter(reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest()]))))
        assert error_info(refused.value)[0] == "PEER_NOT_ALLOWED"


def test_a_stream_of_requests_is_refused_at_the_start():
    """Nothing could check its messages one by one, so no contract may have one."""
    with pytest.raises(TypeError, match="ServerReflectionInfo streams its requests"):
        contract.methods(reflection_pb2_grpc.ServerReflectionServicer())
