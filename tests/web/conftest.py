"""A browser, an installation, and somebody whose songs are out."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.song import Listener
from tests.support import audio
from tests.support.installation import Installation
from tests.web.browser import CHROMIUM, FLAGS, PATIENCE_MS, Tab, session_of, visit

Visit = Callable[..., AbstractContextManager[Tab]]


@dataclass(frozen=True)
class Release:
    """An album that is out, and who runs its artist."""

    manager: Listener
    artist: str
    album: dict[str, Any]
    tracks: list[dict[str, Any]]

    @property
    def path(self) -> str:
        """Return the address of the album's page."""
        return f"/{self.album['name']}"


def swelling(seconds: float, seed: int) -> audio.Sound:
    """Make tones that swell and fade as music does, so that the waveform has a shape."""
    sound = audio.tones(seconds)
    generator = np.random.default_rng(seed)
    bends = generator.uniform(0.2, 1, 60) * np.linspace(0.5, 1, 60)
    envelope = np.interp(np.linspace(0, 1, len(sound)), np.linspace(0, 1, 60), bends)
    return (sound * envelope[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the machine's Chromium.

    It ends with the module: while Playwright is open it occupies the thread's event loop, which tests of services need.
    """
    if not Path(CHROMIUM).exists():
        sentence = f"{CHROMIUM} is missing: install it (on Debian: apt-get install chromium) to run these tests."
        if os.environ.get("CI"):
            pytest.fail(sentence)
        # A developer without a browser still gets the other tests; CI and `./spotilike test` always have one.
        pytest.skip(sentence)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visiting(browser: Browser, installation: Installation) -> Visit:
    """Return a way to open tabs on the installation."""
    return partial(visit, browser, installation.url)


@pytest.fixture(scope="session")
def release(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Return an album with three songs of half a minute, ready to be heard."""
    manager = Listener(installation.url)
    artist = manager.post("/v1/artists", {"displayName": "Glass Harbour", "bio": "Synthesizers by the sea."})["name"]
    date = {"year": 2024, "month": 5, "day": 17}
    album = manager.post("/v1/albums", {"artist": artist, "title": "Tidal Memory", "releaseDate": date})
    folder = tmp_path_factory.mktemp("masters")
    names = []
    for number, title in enumerate(("Low Water", "Breakwater", "Night Ferry")):
        master = audio.save(folder / f"{title}.ogg", swelling(30 + number, number))
        track = manager.post("/v1/tracks", {"album": album["name"], "title": title, "genres": [f"genres/{number + 1}"]})
        names.append(track["name"])
        manager.upload(track["name"], master)
    return Release(manager, artist, album, [manager.playable(name) for name in names])


@pytest.fixture
def listener(installation: Installation) -> Listener:
    """Return somebody who has just signed up."""
    return Listener(installation.url)


@pytest.fixture
def tab(visiting: Visit, listener: Listener) -> Iterator[Tab]:
    """Return a tab in which the listener is signed in."""
    with visiting(storage_state=session_of(listener)) as opened:
        yield opened
