"""The built player: how much is loaded first, and whether its own tests and types hold."""

import gzip
import os
import re
import subprocess
import sysconfig

import pytest

from cli.web import WEB, node_folders

ENTRY_LIMIT_BYTES = 60_000

pytestmark = pytest.mark.usefixtures("installation")  # it builds the player


def test_what_is_loaded_before_the_page_shows_is_small():
    """The page, its styles and all scripts that it names are at most 60 kB, compressed."""
    index = (WEB / "dist" / "index.html").read_text()
    files = [WEB / "dist" / path for path in re.findall(r'(?:src|href)="/([^"]+\.(?:js|css))"', index)]
    sizes = {file.name: len(gzip.compress(file.read_bytes())) for file in files}
    assert len(sizes) > 2
    assert sum(sizes.values()) <= ENTRY_LIMIT_BYTES, sizes


def test_the_page_holds_nothing_that_its_policy_forbids():
    """No inline scripts, no inline styles, no addresses elsewhere."""
    index = (WEB / "dist" / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|https?://", index)


@pytest.mark.parametrize("script", ["test", "check"])
def test_the_players_own_modules_hold(script, tmp_path):
    """Queue, keys, uploads and words by their unit tests; types by svelte-check."""
    programs = [*node_folders(tmp_path), sysconfig.get_path("scripts"), os.environ["PATH"]]
    done = subprocess.run(  # noqa: S603 - our own argv
        ["npm", "run", script],  # noqa: S607 - found on the PATH that is made here
        cwd=WEB,
        env={**os.environ, "PATH": os.pathsep.join(map(str, programs)), "CI": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
