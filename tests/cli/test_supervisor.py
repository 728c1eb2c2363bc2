"""Promises of the supervisor: nothing outlives it, nothing is lost, whatever ends is started again."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from cli.engines.data import DataFolder
from cli.engines.engines import Engines
from cli.engines.parts import Part, Step
from cli.engines.supervisor import Supervisor
from cli.problem import Problem
from services.provision.databases import SUPERUSER
from tests.support.engines import start_daemon

PATIENCE_SECONDS = 30


class Journal:
    """Remembers progress."""

    def __init__(self) -> None:
        self.progressed: list[tuple[str, str]] = []

    def progress(self, name: str, text: str) -> None:
        """Remember it."""
        self.progressed.append((name, text))

    def line(self, name: str, text: str) -> None:
        """Leave it to the log."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return an empty folder with a short path which other accounts may enter: pytest's own is long and private."""
    path = Path(tempfile.mkdtemp(prefix="spotilike-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@contextlib.asynccontextmanager
async def running_engines(folder: Path, *names: str) -> AsyncIterator[tuple[Engines, Supervisor]]:
    """Run engines in this process until the end of the block."""
    data = DataFolder(folder)
    data.make()
    engines = Engines.at(data)
    mesh = [item for item in engines.mesh() if item.name in names]
    supervisor = Supervisor(mesh, data.logs, Journal())
    try:
        await supervisor.start()
        yield engines, supervisor
    finally:
        await supervisor.stop()


async def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement in a transaction of its own; a server which is starting again is waited for."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                    cursor = await connection.execute(statement)
                    return await cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                await asyncio.sleep(0.05)


async def test_a_killed_postgres_starts_again_with_every_acknowledged_row(folder: Path):
    """Kill -9 of the server after a commit: the row is there when it is back."""
    async with running_engines(folder, "postgres", "databases") as (engines, supervisor):
        url = engines.postgres.url("catalog_owner", "catalog_db")
        await rows(url, "CREATE TABLE plays (id int)")
        await rows(url, "INSERT INTO plays VALUES (7)")
        postgres = supervisor.keepers[0]
        killed = postgres.pid
        assert killed is not None
        psutil.Process(killed).kill()
        assert await rows(url, "SELECT id FROM plays") == [(7,)]
        assert postgres.pid != killed
        assert postgres.restarts >= 1


async def test_engines_start_again_on_their_own_data(folder: Path):
    """Stop and start: ports, passwords and rows are the same."""
    async with running_engines(folder, "postgres", "databases") as (engines, _):
        url = engines.postgres.url("user_owner", "user_db")
        await rows(url, "CREATE TABLE kept (id int)")
    async with running_engines(folder, "postgres", "databases") as (engines, _):
        assert engines.postgres.url("user_owner", "user_db") == url
        assert await rows(url, "SELECT count(*) FROM kept") == [(0,)]


async def test_a_server_of_another_major_version_is_refused_with_a_sentence(folder: Path):
    """Data of PostgreSQL 15 are not touched; the sentence names both versions."""
    async with running_engines(folder, "postgres"):
        pass
    (folder / "postgres" / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(Problem, match="was made by PostgreSQL 15 and this version brings PostgreSQL 18"):
        async with running_engines(folder, "postgres"):
            pass


async def test_a_stale_process_id_does_not_keep_postgres_from_starting(folder: Path):
    """After a reboot the number in postmaster.pid may belong to any program of the same account."""
    async with running_engines(folder, "postgres") as (_, supervisor):
        account = supervisor.keepers[0].part.user
    stranger = await asyncio.create_subprocess_exec("sleep", "60", user=account)
    lock = folder / "postgres" / "data" / "postmaster.pid"
    lock.write_text(f"{stranger.pid}\n/proc/self/cwd\n0\n")
    try:
        async with running_engines(folder, "postgres") as (engines, _):
            assert await rows(engines.postgres.url(SUPERUSER, "postgres"), "SELECT 1") == [(1,)]
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_part_that_cannot_start_fails_the_start_with_its_last_words(folder: Path):
    """The sentence names the part, how it ended and what it printed."""

    async def never() -> bool:
        return False

    part = Part(name="mute", argv=["/bin/sh", "-c", "echo no such table; exit 3"], ready=never)
    supervisor = Supervisor([part], folder, Journal())
    with pytest.raises(Problem, match=r"mute ended with exit code 3 while starting\.\n    no such table"):
        await supervisor.start()
    await supervisor.stop()


async def test_a_step_is_done_again_after_a_part_that_it_needs_came_back(folder: Path):
    """The part may have lost what the step had made; the first attempt may come too early."""
    done: list[str] = []

    async def make() -> None:
        done.append("failed" if len(done) == 1 else "made")
        if done[-1] == "failed":
            raise ConnectionError

    async def probe() -> bool:
        return True

    store = Part(name="store", argv=["sleep", "60"], ready=probe)
    other = Part(name="other", argv=["sleep", "60"], ready=probe)
    supervisor = Supervisor([store, other, Step(name="buckets", run=make, needs=["store"])], folder, Journal())
    await supervisor.start()
    try:
        for keeper in supervisor.keepers:
            psutil.Process(keeper.pid).kill()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while done != ["made", "failed", "made"] or not all(keeper.restarts for keeper in supervisor.keepers):
                await asyncio.sleep(0.05)
    finally:
        await supervisor.stop()


async def test_a_part_that_ignores_the_polite_signal_is_killed_after_its_time(folder: Path):
    """Stopping takes as long as the part may, not longer."""
    ready = folder / "ready"

    async def probe() -> bool:
        return ready.exists()

    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"
    part = Part(name="deaf", argv=["/bin/sh", "-c", script], ready=probe, stop_seconds=0.3)
    journal = Journal()
    supervisor = Supervisor([part], folder, journal)
    await supervisor.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await supervisor.stop()
    assert ("deaf", "did not stop in 0.3 s and was killed") in journal.progressed
    assert supervisor.keepers[0].pid is None


async def test_a_part_ends_its_work_before_it_is_told_to_stop(folder: Path):
    """The edge lets its calls end first; a part that is gone by then is no trouble."""
    told = folder / "told"

    async def probe() -> bool:
        return (folder / "ready").exists()

    async def finish() -> None:
        assert not told.exists()
        (folder / "finished").touch()

    script = f"trap 'touch {told}; exit' TERM; touch {folder}/ready; while :; do sleep 0.1; done"
    part = Part(name="patient", argv=["/bin/sh", "-c", script], ready=probe, before_stop=finish)
    supervisor = Supervisor([part], folder, Journal())
    await supervisor.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await supervisor.stop()
    assert (folder / "finished").exists()
    assert told.exists()


async def test_a_second_request_to_stop_kills_what_still_runs(folder: Path):
    """The second Ctrl-C does not wait for a deaf part, and nothing is started again after it."""
    ready = folder / "ready"

    async def probe() -> bool:
        return ready.exists()

    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"
    deaf = Part(name="deaf", argv=["/bin/sh", "-c", script], ready=probe, stop_seconds=PATIENCE_SECONDS * 2)
    below = replace(deaf, name="below", needs=[])
    supervisor = Supervisor([below, replace(deaf, needs=["below"])], folder, Journal())
    await supervisor.start()
    supervisor.ask_to_stop()
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0)
    supervisor.ask_to_stop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await stopping
    assert [(keeper.pid, keeper.restarts) for keeper in supervisor.keepers] == [(None, 0), (None, 0)]


async def test_a_killed_supervisor_takes_every_process_along(folder: Path):
    """Kill -9 of the supervisor: the engines and their children are gone without anybody's help."""
    daemon = start_daemon(folder, psutil.Process().pid, ("postgres", "databases", "nats", "seaweedfs"))
    children = psutil.Process(daemon.pid).children(recursive=True)
    assert {"postgres", "nats-server", "weed"} <= set(map(name_of, children))
    daemon.kill()
    daemon.wait()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(is_alive(child) for child in children):
            await asyncio.sleep(0.05)


def name_of(process: psutil.Process) -> str:
    """Return the name of a process; nothing when it has ended, as connections of PostgreSQL do."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return str(process.name())
    return ""


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; a zombie only waits for its new parent."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
