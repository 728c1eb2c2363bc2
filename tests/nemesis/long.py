"""The long forms: `./spotilike test --nemesis [--uploads NUMBER] [-k campaign|restarts|leaders]`."""

from collections import Counter

import pytest

from cli.engines.parts import CONTEXTS
from tests.nemesis import leaders, masters, restarts
from tests.nemesis.campaign import Campaign
from tests.nemesis.scene import Scene
from tests.nemesis.steps import some_cells
from tests.nemesis.verdict import judge, watch
from tests.support.engines import Run
from tests.support.installation import IMPATIENT, start, stop

WORKERS = "3"
LEADER_UPLOADS = 100
ROUNDS_SECONDS = 19 * 60
"""No round begins later, so that this ends within 25 minutes."""


@pytest.fixture
def installation():
    """Return an installation that nobody else uses."""
    run = Run.begin()
    try:
        yield start(run, "--workers", WORKERS, **IMPATIENT)
    finally:
        stop(run)
        run.end()


@pytest.fixture
def replicated():
    """Return an installation with two replicas of each service and three NATS servers."""
    run = Run.begin()
    try:
        yield start(run, "--workers", "2", "--replicas", "2", "--nats-nodes", "3", **IMPATIENT)
    finally:
        stop(run)
        run.end()


async def test_restarts_of_all_services_fail_no_call(replicated):
    """Each service in turn, replica by replica, under 50 reads a second; the table says what they waited."""
    restarted = await restarts.restart_all(replicated, CONTEXTS)
    print(f"\n{restarts.table(restarted)}")  # noqa: T201 (this is what one runs it for)
    assert [one.failures for one in restarted] == [Counter()] * len(CONTEXTS)


def test_leaders_may_be_killed_every_five_seconds(replicated, tmp_path):
    """For a minute, with a hundred uploads under way: all are completed, none is lost, none is published twice."""
    scene = Scene(replicated)
    watch(scene)
    outcome = leaders.hunt(scene, masters.make(tmp_path, long=False), LEADER_UPLOADS, leaders.Hunt(5, 60))
    scene.close()
    print(f"\n{outcome}")  # noqa: T201 (this is what one runs it for)
    assert outcome.report.faults == []
    assert len(outcome.killed) > 5


def test_the_campaign_ends_every_upload_once_and_as_it_should(installation, tmp_path, request):
    """Every part at every step; the table says what was killed when, and what it cost."""
    uploads = request.config.getoption("--uploads")
    scene = Scene(installation)
    watch(scene)
    campaign = Campaign(scene, masters.make(tmp_path, long=True))
    campaign.run(some_cells(uploads), uploads, ROUNDS_SECONDS)
    report = judge(campaign)
    scene.close()

    print(f"\n{report.table()}")  # noqa: T201 (this is what one runs it for)
    assert report.faults == []
    assert len(report.missed) <= len(report.rounds) / 4
