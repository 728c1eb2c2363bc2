"""What the pipeline costs beside FFmpeg itself, how much memory it takes, and how soon a master can be heard.

`python -m bench.processing [MASTER]` prints, from rounds that are run in turn: the processor time (user and system) of
`transcode` beside one bare FFmpeg with the same arguments, and beside one FFmpeg for each rendition and for the meter;
the most memory of the pipeline with its FFmpeg; and, in a whole installation with one worker, the time from the last
byte of a master of three minutes to its completed job, beside the bare FFmpeg. Without a master it makes four minutes
of noise. `--minutes` adds the memory for a master of that length.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.processing.ffmpeg import Ffmpeg, encode_arguments
from services.processing.media.containers import inspect
from services.processing.media.facts import Source
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.probe import probe
from services.processing.media.recipe import Recipe
from tests.e2e.song import Listener
from tests.support import audio
from tests.support.engines import Run
from tests.support.folder_sink import FolderSink
from tests.support.installation import start, stop

POLL_SECONDS = 0.02
OTHER_OUTPUTS = 3
RECIPE = Recipe()
THREE_MINUTES = 180


@dataclass(frozen=True)
class Cost:
    """What a process and all below it took: seconds of the processor, seconds of the clock, most bytes at a time."""

    seconds: float
    wall: float
    memory: int = 0


def main() -> None:
    """Measure and print; with --once, be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=int, help="also measure the memory for a master of so many minutes")
    parser.add_argument("--once", metavar="FOLDER", type=Path, help="transcode into a folder and print the seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        master = options.master or audio.save(folder / "master.flac", audio.noise(240))
        if options.once:
            asyncio.run(_once(master, options.once))
            return
        asyncio.run(_compare(master, options.rounds, folder))
        if options.minutes:
            _measure_length(options.minutes, folder)
        asyncio.run(_upload(options.rounds, folder))


async def _compare(master: Path, rounds: int, folder: Path) -> None:
    ffmpeg = await Ffmpeg.find()
    source = await probe(master, ffmpeg, RECIPE.limits, inspect(master))
    ours, bare, apart = [], [], []
    for _ in range(rounds):
        ours.append(_pipeline(master, folder))
        bare.append(_bare(ffmpeg.binary, source, master, folder))
        apart.append(_apart(ffmpeg.binary, source, master, folder))
        _say(f"pipeline {ours[-1].seconds:.2f} s, FFmpeg {bare[-1].seconds:.2f} s, in single runs {apart[-1]:.2f} s")
    cpu, wall = (statistics.median(getattr(cost, field) for cost in ours) for field in ("seconds", "wall"))
    _say(f"processor: {cpu / statistics.median(each.seconds for each in bare):.3f} of one bare FFmpeg")
    _say(f"processor: {cpu / statistics.median(apart):.3f} of one FFmpeg a rendition")
    _say(f"clock: {wall / statistics.median(each.wall for each in bare):.3f} of one bare FFmpeg")
    _say(f"memory: {max(cost.memory for cost in ours) / (1 << 20):.0f} MiB")


def _measure_length(minutes: int, folder: Path) -> None:
    """Repeat one minute, so that making the master takes no memory of its own."""
    minute = audio.save(folder / "minute.wav", audio.noise(60))
    command = [audio.FFMPEG, "-loglevel", "error", "-stream_loop", str(minutes - 1), "-i", str(minute)]
    subprocess.run([*command, str(folder / "long.flac")], check=True)  # noqa: S603 (our own words)
    _say(f"memory for {minutes} minutes: {_pipeline(folder / 'long.flac', folder).memory / (1 << 20):.0f} MiB")


async def _upload(rounds: int, folder: Path) -> None:
    """Send masters to an installation, and wait for their jobs."""
    ffmpeg = await Ffmpeg.find()
    run = Run.begin()
    try:
        listener = Listener((await asyncio.to_thread(start, run, "--workers", "1")).url)
        for form in ("wav", "flac"):
            master = audio.save(folder / f"three.{form}", audio.noise(THREE_MINUTES))
            source = await probe(master, ffmpeg, RECIPE.limits, inspect(master))
            ours, bare = [], []
            for _ in range(rounds):
                ours.append(await asyncio.to_thread(_until_completed, listener, master))
                bare.append(_bare(ffmpeg.binary, source, master, folder).wall)
            seconds, ratio = statistics.median(ours), statistics.median(ours) / statistics.median(bare)
            _say(f"{form}, last byte to COMPLETED: {seconds:.1f} s, {ratio:.2f} of one bare FFmpeg")
    finally:
        stop(run)
        run.end()


def _until_completed(listener: Listener, master: Path) -> float:
    """Upload a master; answer the seconds between its last byte and its completed job."""
    wanted = {"track": listener.release()["name"], "filename": master.name, "sizeBytes": master.stat().st_size}
    upload = listener.post("/v1/uploads", wanted)
    with master.open("rb") as file:
        sent = [listener.send(part, file.read(int(part["sizeBytes"]))) for part in upload["parts"]]
    before = time.monotonic()
    job = listener.job(listener.post(f"/v1/{upload['name']}:complete", {"parts": sent})["job"])
    if job["state"] != "COMPLETED":
        raise RuntimeError(f"The job ended as {job}")
    return time.monotonic() - before


async def _once(master: Path, folder: Path) -> None:
    """Say when everything is imported and detected, transcode, and print this process's own seconds."""
    ffmpeg = await Ffmpeg.find()
    _say("ready")
    before = time.process_time()
    await transcode(Master(master), FolderSink(folder), ffmpeg, RECIPE, lambda _stage, _percent: None)
    _say(str(time.process_time() - before))


def _pipeline(master: Path, folder: Path) -> Cost:
    """Transcode in a process of its own."""
    command = [sys.executable, "-m", "bench.processing", str(master), "--once", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 (our own words)
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise RuntimeError("The transcoding process did not start")
        worker = psutil.Process(process.pid)
        below = _watch(process, lambda: worker.children(recursive=True), worker)
        return Cost(below.seconds + float(process.stdout.readline()), below.wall, below.memory)


def _bare(binary: Path, source: Source, master: Path, folder: Path) -> Cost:
    """Run FFmpeg alone, into files."""
    rungs = RECIPE.rungs(lossless=source.lossless)
    with ExitStack() as files:
        stdin = files.enter_context(master.open("rb"))
        names = range(len(rungs) + OTHER_OUTPUTS)
        outputs = [files.enter_context((folder / f"{name}").open("wb")).fileno() for name in names]
        longest, fragment = RECIPE.limits.max_seconds, RECIPE.fragment_seconds
        arguments = encode_arguments(rungs, source, longest, fragment, outputs)
        return _ffmpeg([str(binary), *arguments], stdin.fileno(), outputs)


def _apart(binary: Path, source: Source, master: Path, folder: Path) -> float:
    """Run FFmpeg once for each rendition and once for the meter, as simply as can be; return the seconds of all."""
    target = str(folder / "apart.mp4")
    commands = [["-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]]
    for rung in RECIPE.rungs(lossless=source.lossless):
        rate = ["-b:a", str(rung.bitrate_bps)] if rung.bitrate_bps else []
        sound = ["-ac", "2", "-ar", str(rung.sample_rate(source.sample_rate_hz))]
        commands.append(["-c:a", rung.encoder, *rate, *sound, target])
    begin = [str(binary), "-y", "-nostdin", "-i", str(master), "-map", "0:a:0"]
    return sum(_ffmpeg([*begin, *command], subprocess.DEVNULL, []).seconds for command in commands)


def _ffmpeg(command: Sequence[str], stdin: int, outputs: Sequence[int]) -> Cost:
    with subprocess.Popen(command, stdin=stdin, stderr=subprocess.DEVNULL, pass_fds=outputs) as process:  # noqa: S603
        return _watch(process, lambda: [psutil.Process(process.pid)])


def _watch(
    process: subprocess.Popen[bytes], watched: Callable[[], Iterable[psutil.Process]], *beside: psutil.Process
) -> Cost:
    """Look at processes until the first one ends; the kernel's own sum leaves out what runs behind bubblewrap.

    The memory is their share of what they have in RAM, with that of the processes `beside`.
    """
    seconds: dict[int, float] = {}
    memory = 0
    before = time.monotonic()
    while process.poll() is None:
        with suppress(psutil.Error):
            processes = [*watched()]
            for each in processes:
                seconds[each.pid] = sum(each.cpu_times()[:2])
            memory = max(memory, sum(each.memory_full_info().pss for each in (*processes, *beside)))
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise RuntimeError(f"The process ended with {process.returncode}")
    return Cost(sum(seconds.values()), time.monotonic() - before, memory)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
