"""The pictures of the README, taken from the product as it is.

They are written only when SPOTILIKE_WRITE_SCREENSHOTS is set, so that a run of the tests leaves the checkout as it was.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cli.engines.data import ROOT
from tests.web.browser import Tab

LIMIT_BYTES = 300_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where pictures go."""
    if os.environ.get("SPOTILIKE_WRITE_SCREENSHOTS"):
        return ROOT / "docs" / "screenshots"
    return tmp_path


def close_reminder(tab: Tab) -> None:
    """Put away what reminds of an address that is not confirmed."""
    reminder = tab.page.get_by_role("complementary", name="Your address is not confirmed")
    reminder.get_by_role("button", name="Close").click()


def test_the_player_looks_as_the_readme_shows_it(visiting, release, folder):
    """An album that plays, with its waveform and the queue."""
    with visiting() as tab:
        tab.sign_in(release.manager.account["email"])
        tab.open(release.path)
        close_reminder(tab)
        tab.page.get_by_role("main").get_by_role("button", name="Play", exact=True).click()
        tab.wait_until(lambda: tab.position() > 0.3, "the sound")
        tab.page.get_by_role("slider", name="Position in the track").first.press("PageUp")
        tab.page.keyboard.press("Home")
        for _ in range(2):
            tab.page.keyboard.press("ArrowRight")
        tab.page.locator("main").focus()
        tab.page.keyboard.press("q")
        expect(tab.page.get_by_role("complementary", name="Queue").locator("li")).to_have_count(3)
        tab.page.screenshot(path=folder / "player.png")
    assert (folder / "player.png").stat().st_size < LIMIT_BYTES


def test_the_studio_looks_as_the_readme_shows_it(visiting, release, folder):
    """A release whose tracks are ready."""
    with visiting() as tab:
        tab.sign_in(release.manager.account["email"])
        tab.open(f"/studio{release.path}")
        close_reminder(tab)
        expect(tab.page.locator("li[data-state=READY]")).to_have_count(3)
        tab.page.screenshot(path=folder / "studio.png")
    assert (folder / "studio.png").stat().st_size < LIMIT_BYTES
