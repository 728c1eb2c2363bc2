"""Promises of the player's build: it happens where it has to, and only when something changed."""

import shutil
import subprocess

from cli import web


def test_a_built_player_is_not_built_again():
    """The second call finds the same sources and leaves the files alone."""
    web.build()
    index = web.WEB / "dist" / "index.html"
    built = index.stat().st_mtime_ns
    web.build()
    assert index.stat().st_mtime_ns == built


def test_the_node_of_the_wheel_brings_a_working_npm(tmp_path, monkeypatch):
    """Where the machine has no Node, npm runs from the Python package."""
    for tool in ("sh", "dirname", "uname"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tmp_path))
    folders = web.node_folders(tmp_path)
    npm = shutil.which("npm", path=folders[0])
    assert npm is not None
    environment = {"PATH": ":".join([*folders, str(tmp_path)]), "HOME": str(tmp_path)}
    printed = subprocess.run([npm, "--version"], env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    assert int(printed.stdout.split(".")[0]) >= 10
