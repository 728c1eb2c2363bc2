"""Many sign-ins at once: bounded memory, quick refusals, and everybody else served."""

import asyncio
import os
import socket
import statistics
import sys
import time
from uuid import uuid4

import grpc
import psutil
import pytest

from cli.engines.data import ROOT
from spotilike.user.v1.key_service_pb2 import GetJwksRequest
from spotilike.user.v1.key_service_pb2_grpc import KeyServiceStub
from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from tests.support.channels import channel
from tests.support.figures import show
from tests.support.services import PASSWORD, error_info, retry_seconds
from tests.user.desk import Desk

MIB = 1024 * 1024
HASH_MIB = 19
THREADS, QUEUE = 2, 32
PASSES = 8
"""More than in service, so that the queue stays full for a while."""
LOGINS = 64
ASIDE_MIB = 24
"""What 64 calls take beside their hashes."""
REFUSED_SECONDS = 0.1
BURST_SECONDS = 0.5
"""For those of the burst that find no place; a quiet machine takes a tenth of it."""
LOOKED_AT = ("CREDENTIALS_INVALID", "DEPENDENCY_UNAVAILABLE")
"""What unknown addresses are answered, and whoever waited too long for the database of a busy machine."""


@pytest.fixture
async def process(streams, user_settings):
    """Return the user service in a process of its own, and its public address."""
    settings = user_settings(
        password_threads=THREADS,
        password_queue=QUEUE,
        password_passes=PASSES,
        call_seconds=60,
        **{f"{name}_listen": f"127.0.0.1:{_free_port()}" for name in ("public", "internal", "health")},
    )
    variables = {
        f"SPOTILIKE_{name.upper()}": str(getattr(value, "get_secret_value", lambda value=value: value)())
        for name, value in settings
        if value is not None
    }
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "services.user"),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", **variables},
        stdout=asyncio.subprocess.DEVNULL,
    )
    public = channel(settings.public_listen, streams.tls_dir("edge"))
    await KeyServiceStub(public).GetJwks(GetJwksRequest(), wait_for_ready=True, timeout=30)
    yield running, public
    running.terminate()
    await running.wait()


@pytest.fixture
async def crowd(another, rows):
    """Return the addresses of as many accounts as there are sign-ins, all with one password."""
    account, mark = await Desk(await another(password_passes=PASSES)).sign_up(), uuid4().hex[:8]
    made = await rows(
        "INSERT INTO users (email, username, password_hash)"
        " SELECT n || '-' || CAST(:mark AS text) || '@example.org', CAST(:mark AS text) || '-' || n, password_hash"
        " FROM users, generate_series(1, :logins) n WHERE users.id = :id RETURNING email",
        mark=mark,
        logins=LOGINS,
        id=account.id,
    )
    return [row.email for row in made]


async def test_sixty_four_sign_ins_at_once_take_bounded_memory_and_who_comes_then_is_refused_at_once(process, crowd):
    """Nobody waits for long to hear that there is no place, and other calls are answered meanwhile."""
    running, public = process
    sessions, keys = SessionServiceStub(public), KeyServiceStub(public)
    memory = psutil.Process(running.pid).memory_info
    await _sign_in(sessions, crowd[0])
    before, peak = memory().rss, 0

    signing_in = [asyncio.create_task(_timed(_sign_in(sessions, email))) for email in crowd]
    late, others = [], []
    while waiting := sum(not call.done() for call in signing_in):
        peak = max(peak, memory().rss)
        if waiting > THREADS + QUEUE:
            await asyncio.sleep(0.005)
            continue
        late.append(await _timed(_sign_in(sessions, f"{uuid4().hex}@example.org")))
        others.append((await _timed(keys.GetJwks(GetJwksRequest())))[1])
    results = [call.result() for call in signing_in]

    surplus, refused = _overloaded(results), [seconds for _, seconds in _overloaded(late)]
    assert LOGINS - len(surplus) + len(late) - len(refused) >= THREADS + QUEUE
    grown = (peak - before) / MIB
    show("of 64 sign-ins at once got in", LOGINS - len(surplus))
    show("memory that they took", f"{grown:.0f} MiB, of which {THREADS} hashes {THREADS * HASH_MIB} MiB")
    show("the surplus was refused after, median and longest", _milliseconds([seconds for _, seconds in surplus]))
    show("who came then was refused after, median and longest", _milliseconds(refused))
    show("other calls took meanwhile, median and longest", _milliseconds(others))
    assert grown < THREADS * HASH_MIB + ASIDE_MIB
    assert statistics.median(seconds for _, seconds in surplus) < BURST_SECONDS
    assert statistics.median(refused) < REFUSED_SECONDS
    assert statistics.median(others) < REFUSED_SECONDS


async def test_an_attempt_that_found_no_place_does_not_count_as_a_wrong_password(another, desk):
    """A flood does not slow down those whom it kept out."""
    account = await desk.sign_up()
    full = (await another(password_threads=1, password_queue=-1)).public(SessionServiceStub)

    for _ in range(20):
        error, _ = await _timed(_sign_in(full, account.email))
        assert error_info(error)[0] == "OVERLOADED"

    assert await desk.sign_in(account.email)
    assert "SIGN_IN_FAILED" not in await desk.event_types(account)


async def _sign_in(sessions, email):
    return await sessions.CreateSession(CreateSessionRequest(email=email, password=PASSWORD))


async def _timed(call):
    """Answer what a call answers, or its error, and the seconds that it took."""
    began = time.perf_counter()
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        answer = error
    return answer, time.perf_counter() - began


def _overloaded(results):
    """Choose what was refused because there was no place; nothing else may be refused but unknown addresses."""
    errors = [(answer, seconds) for answer, seconds in results if isinstance(answer, grpc.aio.AioRpcError)]
    refused = [(error, seconds) for error, seconds in errors if error_info(error)[0] not in LOOKED_AT]
    assert {(error.code(), error_info(error)[0]) for error, _ in refused} == {
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    }
    assert all(retry_seconds(error) > 0 for error, _ in refused)
    return refused


def _milliseconds(seconds):
    return f"{statistics.median(seconds) * 1000:.0f} and {max(seconds) * 1000:.0f} ms ({len(seconds)} calls)"


def _free_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]
