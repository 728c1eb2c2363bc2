"""The short form of tests/nemesis: some parts at some steps of an upload; tests/e2e/test_kills.py has every part."""

import pytest

from tests.nemesis import masters
from tests.nemesis.campaign import Campaign
from tests.nemesis.scene import Scene
from tests.nemesis.steps import WIPED, WORKER, Cell, Step
from tests.nemesis.verdict import judge, watch

CELLS = [
    Cell("catalog", Step.BEGUN),
    Cell("seaweedfs", Step.SENT),
    Cell(WIPED, Step.COMPLETED),
    Cell("postgres", Step.DOWNLOADING),
    Cell(WORKER, Step.PUBLISHING),
    Cell("processing", Step.TOLD),
]
UPLOADS = 9
SECONDS = 120

pytestmark = pytest.mark.xdist_group("quiet")


def test_whatever_is_killed_every_upload_ends_once_and_as_it_should(quiet_installation, tmp_path):
    """Whole masters can be heard, broken ones have their reason, and nothing is left over."""
    scene = Scene(quiet_installation)
    watch(scene)
    campaign = Campaign(scene, masters.make(tmp_path, long=False))
    campaign.run(CELLS, UPLOADS, SECONDS)
    report = judge(campaign)
    scene.close()

    print(f"\n{report.table()}")  # noqa: T201 (what was killed when, and what it cost)
    assert report.faults == []
    assert len(report.missed) <= len(report.rounds) / 4
    assert len(report.rounds) == len(CELLS)
