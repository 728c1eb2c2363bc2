"""What the pipeline costs beside FFmpeg itself.

`python -m bench.media [MASTER]` runs `transcode` and a bare FFmpeg with the same arguments in turn, several times, and
prints the ratio of the medians of their processor time (user and system). Without a master it makes four minutes.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from services.processing.ffmpeg import Ffmpeg, encode_arguments
from services.processing.media.containers import inspect
from services.processing.media.facts import Limits, Source
from services.processing.media.pipeline import transcode
from services.processing.media.probe import probe
from services.processing.media.recipe import Recipe
from tests.support import audio
from tests.support.folder_sink import FolderSink

POLL_SECONDS = 0.02


def main() -> None:
    """Measure and print; with --once, be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", metavar="FOLDER", type=Path, help="transcode into a folder and print the seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        master = options.master or audio.save(Path(folder) / "master.flac", audio.noise(240))
        if options.once:
            asyncio.run(_once(master, options.once))
        else:
            asyncio.run(_compare(master, options.rounds, Path(folder)))


async def _compare(master: Path, rounds: int, folder: Path) -> None:
    ffmpeg = await Ffmpeg.find()
    source = await probe(master, ffmpeg, Limits(), inspect(master))
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(_pipeline(master, folder))
        bare.append(_bare(ffmpeg.binary, source, master, folder))
        print(f"transcode {ours[-1]:.2f} s, FFmpeg {bare[-1]:.2f} s", flush=True)  # noqa: T201 - the result
    print(f"ratio of the medians {statistics.median(ours) / statistics.median(bare):.3f}")  # noqa: T201 - the result


async def _once(master: Path, folder: Path) -> None:
    """Say when everything is imported and detected, transcode, and print this process's own seconds."""
    ffmpeg = await Ffmpeg.find()
    print("ready", flush=True)  # noqa: T201 - read by the parent
    before = time.process_time()
    await transcode(master, FolderSink(folder), ffmpeg, Recipe(), lambda _stage, _percent: None)
    print(time.process_time() - before)  # noqa: T201 - read by the parent


def _pipeline(master: Path, folder: Path) -> float:
    """Transcode in a process of its own; return its seconds and those of all below it."""
    command = [sys.executable, "-m", "bench.media", str(master), "--once", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own words
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise RuntimeError("The transcoding process did not start")
        children = _seconds_until_end(process, lambda: psutil.Process(process.pid).children(recursive=True))
        return children + float(process.stdout.readline())


def _bare(binary: Path, source: Source, master: Path, folder: Path) -> float:
    """Run FFmpeg alone, into files; return its seconds."""
    recipe = Recipe()
    rungs = recipe.rungs(lossless=source.lossless)
    with ExitStack() as files:
        stdin = files.enter_context(master.open("rb"))
        outputs = [files.enter_context((folder / f"{number}").open("wb")).fileno() for number in range(len(rungs) + 2)]
        longest, fragment = recipe.limits.max_seconds, recipe.fragment_seconds
        command = [str(binary), *encode_arguments(rungs, source, longest, fragment, outputs)]
        with subprocess.Popen(command, stdin=stdin, stderr=subprocess.DEVNULL, pass_fds=outputs) as process:  # noqa: S603
            return _seconds_until_end(process, lambda: [psutil.Process(process.pid)])


def _seconds_until_end(process: subprocess.Popen[bytes], watched: Callable[[], Iterable[psutil.Process]]) -> float:
    """Look at processes until the first one ends; the kernel's own sum leaves out what runs behind bubblewrap."""
    seconds: dict[int, float] = {}
    while process.poll() is None:
        with suppress(psutil.Error):
            for each in watched():
                with suppress(psutil.Error):
                    seconds[each.pid] = sum(each.cpu_times()[:2])
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise RuntimeError(f"The process ended with {process.returncode}")
    return sum(seconds.values())


if __name__ == "__main__":
    main()
