"""With two replicas of each service and three NATS servers, any one of them may go."""

from collections import Counter

import pytest

from cli.engines.parts import CONTEXTS
from tests.nemesis import leaders, masters, restarts
from tests.nemesis.scene import Scene
from tests.nemesis.verdict import watch
from tests.support.engines import Run
from tests.support.installation import IMPATIENT, start, stop

UPLOADS = 6
RESTARTED = ("catalog", "user")
"""Whom the other services ask."""

pytestmark = pytest.mark.xdist_group("replicated")


@pytest.fixture(scope="module")
def replicated():
    """Return an installation in which there are several of everything that there may be several of."""
    run = Run.begin()
    yield start(run, "--workers", "1", "--replicas", "2", "--nats-nodes", "3", **IMPATIENT)
    stop(run)
    run.end()


async def test_replicas_are_restarted_without_a_failed_call(replicated):
    """One after another, under 50 reads a second of all services through the edge."""
    restarted = await restarts.restart_all(replicated, RESTARTED)
    print(f"\n{restarts.table(restarted)}")  # noqa: T201 (what it cost the callers)
    assert [one.failures for one in restarted] == [Counter()] * len(RESTARTED)
    assert all(len(one.milliseconds) > restarts.A_SECOND for one in restarted)


def test_replicas_have_names_of_their_own(replicated):
    """`status` and `logs` show each; a name that they share means all of them."""
    names = [f"{context}-{number}" for context in CONTEXTS for number in (1, 2)]
    assert set(names) <= {part["name"] for part in replicated.status()["parts"]}
    logs = replicated.command("logs", "user").stdout
    assert {line.split(" | ")[0] for line in logs.splitlines()} == {"user-1", "user-2"}


def test_leaders_may_be_killed_while_uploads_are_under_way(replicated, tmp_path):
    """Every upload is completed, none is lost, none is published twice."""
    scene = Scene(replicated)
    watch(scene)
    outcome = leaders.hunt(scene, masters.make(tmp_path, long=False), UPLOADS, leaders.Hunt(3, 6))
    scene.close()
    print(f"\n{outcome}")  # noqa: T201 (who was killed, and what it cost)
    assert outcome.report.faults == []
    assert outcome.killed
