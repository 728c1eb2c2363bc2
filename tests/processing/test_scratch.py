"""Folders for masters: private, removed, and never somebody else's."""

import os
import signal
import stat
import subprocess
import sys

from services.processing import scratch

HOLDER = """
import sys, time
from pathlib import Path
from services.processing import scratch
with scratch.folder(Path(sys.argv[1])) as folder:
    (folder / "master").write_bytes(b"music")
    print(folder, flush=True)
    time.sleep(600)
"""


def holder(parent):
    """Start a process that has a folder; return it with the folder's path."""
    command = [sys.executable, "-c", HOLDER, str(parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own words)
    assert process.stdout is not None
    return process, parent / process.stdout.readline().strip().rsplit("/", 1)[1]


def test_a_folder_is_private_and_gone_afterwards(tmp_path):
    """Masters are unpublished music."""
    with scratch.folder(tmp_path) as folder:
        (folder / "master").write_bytes(b"music")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_worker_goes_when_another_one_starts(tmp_path):
    """And not before: that of a living one stays."""
    process, other = holder(tmp_path)
    with scratch.folder(tmp_path):
        assert (other / "master").exists()

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with scratch.folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_what_only_bears_the_name_is_left_alone(tmp_path):
    """A link in a shared temporary folder must not lead the removal astray."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (tmp_path / f"{scratch.PREFIX}trap").symlink_to(elsewhere)
    with scratch.folder(tmp_path):
        pass

    assert (elsewhere / "precious").exists()
