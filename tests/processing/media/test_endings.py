"""Ways for a run to end before its time: stopped, killed, cancelled, out of bounds, out of storage."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from services.processing.media.facts import Facts, Limits
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.recipe import Recipe
from services.processing.media.refusals import Reason, TranscodeError
from tests.processing.media.conftest import silent
from tests.processing.media.processes import all_gone, encoder_of, processes_reading, send
from tests.support import audio
from tests.support.folder_sink import FolderSink, FolderWriter

WORKER = """
import asyncio, dataclasses, pathlib, sys
from services.processing.ffmpeg import Ffmpeg
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.recipe import Recipe

class Stuck:
    async def open(self, *_):
        print("encoding", flush=True)
        await asyncio.sleep(600)

async def main():
    ffmpeg = await Ffmpeg.find()
    if sys.argv[2] == "inner":
        ffmpeg = dataclasses.replace(ffmpeg, sandbox=dataclasses.replace(ffmpeg.sandbox, bubblewrap=None))
    await transcode(Master(pathlib.Path(sys.argv[1])), Stuck(), ffmpeg, Recipe(), lambda *_: None)

asyncio.run(main())
"""


@dataclass
class InterruptedSink(FolderSink):
    """Does something at the moment when the first rendition begins, so in the middle of the encoding."""

    interrupt: Callable[[], None] = lambda: None

    async def open(self, name: str, content_type: str, cache_control: str) -> FolderWriter:
        """Interrupt, once, and begin the file."""
        if not self.events:
            self.interrupt()
        return await super().open(name, content_type, cache_control)


@pytest.fixture
def master(tmp_path):
    """Return a master long enough to be interrupted in the middle."""
    return audio.save(tmp_path / "m.flac", audio.noise(20))


@pytest.fixture
def interrupted(tmp_path):
    """Return a function that makes a sink with an interruption."""
    folder = tmp_path / "interrupted"
    folder.mkdir()
    return lambda interrupt: InterruptedSink(folder, interrupt=interrupt)


async def test_a_stopped_encoder_is_killed_at_the_limit(master, interrupted, ffmpeg):
    """SIGSTOP would hold a worker for ever; the limit ends the whole process group, and the job may be tried again."""
    sink = interrupted(lambda: send(master, signal.SIGSTOP))
    started = time.monotonic()

    with pytest.raises(TranscodeError) as refused:
        await transcode(Master(master), sink, ffmpeg, Recipe(Limits(slowest_encode=10, encode_grace_seconds=2)), silent)

    assert (refused.value.reason, refused.value.transient) == (Reason.ENCODER_CRASHED, True)
    assert time.monotonic() - started < 15
    assert await all_gone(master)
    assert list(sink.folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
async def test_a_dying_encoder_publishes_nothing(number, master, interrupted, ffmpeg):
    """FFmpeg closes its files neatly on SIGTERM; what it had written by then is still no track."""
    sink = interrupted(lambda: send(master, number))

    with pytest.raises(TranscodeError) as refused:
        await transcode(Master(master), sink, ffmpeg, Recipe(), silent)

    assert (refused.value.reason, refused.value.transient) == (Reason.ENCODER_CRASHED, True)
    assert list(sink.folder.iterdir()) == []


async def test_a_sandbox_that_fails_is_not_the_masters_fault(master, sink, ffmpeg):
    """When FFmpeg could not even start, the job is tried again; the artist is not told that the file is bad."""
    broken = replace(ffmpeg, binary=Path("/bin/false"))

    with pytest.raises(TranscodeError) as refused:
        await transcode(Master(master), sink, broken, Recipe(), silent)

    assert (refused.value.reason, refused.value.transient) == (Reason.ENCODER_CRASHED, True)


async def test_a_cancelled_run_leaves_no_process_and_no_file(master, interrupted, ffmpeg):
    """The caller's cancellation kills FFmpeg and aborts what was begun."""
    tasks: list[asyncio.Task[Facts]] = []

    def cancel() -> None:
        tasks[0].cancel()

    sink = interrupted(cancel)
    tasks.append(asyncio.create_task(transcode(Master(master), sink, ffmpeg, Recipe(), silent)))

    with pytest.raises(asyncio.CancelledError):
        await tasks[0]

    assert processes_reading(master) == []
    begun, aborted = ({name for event, name in sink.events if event == kind} for kind in ("open", "abort"))
    assert begun == aborted != set()
    assert list(sink.folder.iterdir()) == []


async def test_a_failing_store_ends_the_run_with_its_own_error(master, interrupted, ffmpeg):
    """What the sink raises reaches the caller as it is; FFmpeg does not run on."""

    def fail() -> None:
        raise OSError(28, "No space left")

    sink = interrupted(fail)

    with pytest.raises(OSError, match="No space left"):
        await transcode(Master(master), sink, ffmpeg, Recipe(), silent)

    assert processes_reading(master) == []
    assert list(sink.folder.iterdir()) == []


async def test_a_flood_of_bytes_is_stopped(master, sink, ffmpeg):
    """The renditions have a budget, whatever the header promised."""
    with pytest.raises(TranscodeError) as refused:
        await transcode(Master(master), sink, ffmpeg, Recipe(Limits(max_renditions_bytes=200_000)), silent)

    assert refused.value.reason == Reason.ENCODER_CRASHED
    assert await all_gone(master)
    assert list(sink.folder.iterdir()) == []


@pytest.mark.parametrize("walls", ["all", "inner"])
async def test_an_encoder_does_not_outlive_a_killed_worker(walls, master):
    """SIGKILL of the worker takes its FFmpeg with it, with bubblewrap and without."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(master), walls, stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout
    assert await worker.stdout.readline() == b"encoding\n"
    assert encoder_of(master)

    worker.kill()
    await worker.wait()

    assert await all_gone(master)


async def test_the_encoder_sees_no_environment(master, interrupted, ffmpeg, monkeypatch):
    """Secrets of the worker's environment are not inherited."""
    monkeypatch.setenv("SPOTILIKE_S3_SECRET_KEY", "canary")
    seen: list[bytes] = []

    def look() -> None:
        seen.append(Path(f"/proc/{encoder_of(master)}/environ").read_bytes())

    await transcode(Master(master), interrupted(look), ffmpeg, Recipe(), silent)

    assert os.environ["SPOTILIKE_S3_SECRET_KEY"] == "canary"
    assert seen == [b""]
