"""Fixtures which all tests may use: the engines of this run and the databases of this worker."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Databases, run_module
from tests.support.engines import Engines, Run
from tests.support.installation import IMPATIENT, OBSERVED, Installation, start, stop

pytest_plugins = [
    "tests.support.mailbox",
    "tests.support.services",
    "tests.support.processing",
    "tests.support.catalog",
    "tests.support.streaming",
]

_FOLDER = "SPOTILIKE_TEST_RUN_FOLDER"
_OWNER = "SPOTILIKE_TEST_RUN_OWNER"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run name what does not belong into the tree."""
    parser.addoption("--music", metavar="FOLDER", help="real music for tests/processing/media/music.py")
    parser.addoption("--uploads", type=int, default=200, help="how many of them tests/nemesis/long.py runs")


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run in the process that started pytest; xdist's workers inherit its environment."""
    if not hasattr(config, "workerinput"):
        run = Run.begin()
        os.environ[_FOLDER], os.environ[_OWNER] = str(run.folder), str(os.getpid())
        config.add_cleanup(run.end)
        config.add_cleanup(lambda: stop(run))  # cleanups run last in, first out


@pytest.fixture(scope="session")
def test_run() -> Run:
    """Return the run which this worker belongs to."""
    return Run(Path(os.environ[_FOLDER]), int(os.environ[_OWNER]))


@pytest.fixture(scope="session")
def engines(test_run: Run, worker_id: str) -> Engines:
    """Return running engines with all roles, identities, buckets and certificates."""
    return test_run.engines(worker_id)


@pytest.fixture(scope="session")
def databases(test_run: Run, engines: Engines, worker_id: str) -> Databases:
    """Return the maker of migrated databases."""
    return Databases(test_run, engines, worker_id)


@pytest.fixture(scope="session")
def streams(engines: Engines) -> Engines:
    """Return the engines with the JetStream streams and consumers of the product in this worker's NATS."""
    seed = str(engines.nats_seed_file("admin"))
    run_module("services.common.streams", SPOTILIKE_NATS_URL=engines.nats_url, SPOTILIKE_NATS_SEED_FILE=seed)
    return engines


@pytest.fixture(scope="session")
def installation(test_run: Run) -> Installation:
    """Return the run's whole installation: `up --detach` in a folder of its own, with traces of everything."""
    return start(test_run, **OBSERVED, SPOTILIKE_SWEEP_SECONDS="5")


@pytest.fixture(scope="session")
def quiet_installation() -> Iterator[Installation]:
    """Return an impatient installation with one worker, for tests that kill its parts or measure them.

    These tests are marked `xdist_group("quiet")`, so that one worker runs them one after the other.
    """
    run = Run.begin()
    yield start(run, "--workers", "1", **IMPATIENT)
    stop(run)
    run.end()
