"""The long form: `./spotilike test --nemesis [--uploads NUMBER]`."""

import pytest

from tests.nemesis import masters
from tests.nemesis.campaign import Campaign
from tests.nemesis.scene import Scene
from tests.nemesis.steps import some_cells
from tests.nemesis.verdict import judge, watch
from tests.support.engines import Run
from tests.support.installation import IMPATIENT, start, stop

WORKERS = "3"
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


def test_whatever_is_killed_whenever_every_upload_ends_once_and_as_it_should(installation, tmp_path, request):
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
