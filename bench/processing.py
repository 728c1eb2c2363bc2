"""What the pipeline costs beside FFmpeg itself, how much memory it takes, and how soon a master can be heard.

`python -m bench.processing [MASTER]` prints, from rounds that are run in turn: the processor time (user and system) of
`transcode` beside one bare FFmpeg with the same arguments, and beside one FFmpeg for each rendition and for the meter;
the most memory of the pipeline with its FFmpeg; and, in a whole installation, the time from the last byte of a master
of three minutes until its artist can hear its beginning, and until its job has completed, beside the bare FFmpeg; and
how long two workers need for a pile of masters, beside `xargs -P 2` with the bare FFmpeg. Without a master it makes
four minutes of something like music. `--minutes` adds memory and preview for a master of that length.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

import psutil

from services.processing.ffmpeg import Ffmpeg, encode_arguments
from services.processing.media.containers import inspect
from services.processing.media.facts import Source
from services.processing.media.master import Master
from services.processing.media.pipeline import transcode
from services.processing.media.preview import Preview
from services.processing.media.probe import probe
from services.processing.media.recipe import Recipe
from tests.e2e.song import Json, Listener, hear_so_far
from tests.support import audio
from tests.support.engines import Run
from tests.support.folder_sink import FolderSink
from tests.support.installation import start, stop

POLL_SECONDS = 0.02
LOOKS_A_MEMORY = 20
OTHER_OUTPUTS = 3
RECIPE = Recipe()
THREE_MINUTES = 180
PILE, POOL = 4, 2
PATIENCE_SECONDS = 120
LEAST_BYTES = 1000
SETTLE_SECONDS = 3


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
        master = options.master or _save(folder / "master.flac", 240)
        if options.once:
            asyncio.run(_once(master, options.once))
            return
        asyncio.run(_compare(master, options.rounds, folder))
        long = _repeat(options.minutes, folder) if options.minutes else None
        if long:
            _say(f"memory for {options.minutes} minutes: {_pipeline(long, folder).memory / (1 << 20):.0f} MiB")
        with _installation("--workers", "1") as listener:
            asyncio.run(_upload(listener, options.rounds, folder, long))
        with _installation("--workers", str(POOL)) as listener:
            asyncio.run(_pile(listener, options.rounds, folder))


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


def _save(path: Path, seconds: float) -> Path:
    """Make a master of the depth and spectrum of a song, so that it takes as much room and work as one."""
    return audio.save(path, audio.music(seconds), audio.RATE, "-sample_fmt", "s16")


def _repeat(minutes: int, folder: Path) -> Path:
    """Make a WAV of one minute again and again, so that making it takes no memory of its own."""
    minute = _save(folder / "minute.wav", 60)
    command = [audio.FFMPEG, "-loglevel", "error", "-stream_loop", str(minutes - 1), "-i", str(minute), "-c", "copy"]
    subprocess.run([*command, str(folder / "long.wav")], check=True)  # noqa: S603 (our own words)
    return folder / "long.wav"


@contextmanager
def _installation(*options: str) -> Iterator[Listener]:
    """Lend an artist of an installation that nobody else uses."""
    run = Run.begin()
    try:
        yield Listener(start(run, *options).url)
    finally:
        stop(run)
        run.end()


async def _upload(listener: Listener, rounds: int, folder: Path, long: Path | None) -> None:
    """Send masters and wait until they can be heard; the long one is cancelled then."""
    ffmpeg = await Ffmpeg.find()
    previews = []
    for form in ("wav", "flac"):
        master = _save(folder / f"three.{form}", THREE_MINUTES)
        source = await probe(master, ffmpeg, RECIPE.limits, inspect(master))
        heard, ours, bare = [], [], []
        for _ in range(rounds):
            sent = Sent(listener, master)
            with _watching(listener) as jobs:
                sent.complete()
                heard.append(sent.until_heard(jobs))
                ours.append(sent.until_completed(jobs))
            bare.append(_bare(ffmpeg.binary, source, master, folder).wall)
        previews.append(statistics.median(heard))
        seconds, ratio = statistics.median(ours), statistics.median(ours) / statistics.median(bare)
        _say(f"{form}, last byte to the artist's preview: {previews[-1]:.2f} s")
        _say(f"{form}, last byte to COMPLETED: {seconds:.1f} s, {ratio:.2f} of one bare FFmpeg")
    if long:
        heard = []
        for _ in range(rounds):
            sent = Sent(listener, long)
            with _watching(listener) as jobs:
                sent.complete()
                heard.append(sent.until_heard(jobs, cancel=True))
        seconds, ratio = statistics.median(heard), statistics.median(heard) / previews[0]
        _say(f"long wav, last byte to the artist's preview: {seconds:.2f} s, {ratio:.2f} of three minutes")


async def _pile(listener: Listener, rounds: int, folder: Path) -> None:
    """Let a pool of workers, and as many bare FFmpegs, work on the same masters."""
    ffmpeg = await Ffmpeg.find()
    masters = [_save(folder / f"{number}.flac", THREE_MINUTES) for number in range(PILE)]
    source = await probe(masters[0], ffmpeg, RECIPE.limits, inspect(masters[0]))
    outputs = [folder / f"of-{master.stem}" for master in masters]
    for output in outputs:
        output.mkdir()
    ours, bare = [], []
    for _ in range(rounds):
        sent = [Sent(listener, master) for master in masters]
        with _watching(listener) as jobs:
            with ThreadPoolExecutor(PILE) as clients:
                list(clients.map(Sent.complete, sent))
            seen = list(islice((job for job in jobs if job["state"] == "COMPLETED"), PILE))
        ours.append(max(each.until_completed(iter(seen)) for each in sent))
        before = time.monotonic()
        with ThreadPoolExecutor(POOL) as pool:
            list(pool.map(partial(_bare, ffmpeg.binary, source), masters, outputs))
        bare.append(time.monotonic() - before)
    share = statistics.median(bare) / statistics.median(ours)
    _say(f"{PILE} masters, throughput of {POOL} workers: {share:.2f} of xargs -P {POOL}")


class Sent:
    """A master whose bytes are all there; time counts from the word that they are."""

    def __init__(self, listener: Listener, master: Path) -> None:
        """Send it part by part."""
        self._listener = listener
        wanted = {"track": listener.release()["name"], "filename": master.name, "sizeBytes": master.stat().st_size}
        self._upload = listener.post("/v1/uploads", wanted)
        with master.open("rb") as file:
            self._parts = [listener.send(part, file.read(int(part["sizeBytes"]))) for part in self._upload["parts"]]
        self._began = 0.0
        self._job = ""

    def complete(self) -> None:
        """Say that all is there, when the store has caught up: no artist's line is as fast as loopback."""
        time.sleep(SETTLE_SECONDS)
        self._began = time.time()
        self._job = self._listener.post(f"/v1/{self._upload['name']}:complete", {"parts": self._parts})["job"]

    def until_heard(self, jobs: Iterator[Json], *, cancel: bool = False) -> float:
        """Answer the seconds until the first segment of the preview has come."""
        preview = next(job["previewUri"] for job in jobs if job["name"] == self._job and job["previewUri"])
        if len(hear_so_far(self._listener, preview).data) < LEAST_BYTES:
            raise RuntimeError("The preview is empty")
        seconds = time.time() - self._began
        if cancel:
            self._listener.post(f"/v1/{self._job}:cancel", {})
        return seconds

    def until_completed(self, jobs: Iterator[Json]) -> float:
        """Answer the seconds until the job has completed, by the clock of the machine, which is the database's, too."""
        job = next(job for job in jobs if job["name"] == self._job and job["state"] in {"COMPLETED", "FAILED"})
        if job["state"] != "COMPLETED":
            raise RuntimeError(f"The job ended as {job}")
        return datetime.fromisoformat(job["updateTime"]).timestamp() - self._began


@contextmanager
def _watching(listener: Listener) -> Iterator[Iterator[Json]]:
    """Watch the jobs as the studio does: looking for them again and again would take the machine from the encoder."""
    with listener.http.stream("GET", "/v1/jobs:watch", timeout=PATIENCE_SECONDS) as stream:
        lines = stream.iter_lines()
        next(lines)
        yield (job for line in lines for job in json.loads(line)["jobs"])


async def _once(master: Path, folder: Path) -> None:
    """Say when everything is imported and detected, transcode, and print this process's own seconds."""
    ffmpeg = await Ffmpeg.find()
    _say("ready")
    before = time.process_time()
    preview = Preview(FolderSink(folder), RECIPE.fragment_seconds, _heard)
    await transcode(Master(master), FolderSink(folder), ffmpeg, RECIPE, lambda _stage, _percent: None, preview=preview)
    _say(str(time.process_time() - before))


async def _heard() -> bool:
    """Hear of the preview."""
    return True


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
    memory, looks = 0, 0
    before = time.monotonic()
    while process.poll() is None:
        with suppress(psutil.Error):
            processes = [*watched()]
            for each in processes:
                seconds[each.pid] = sum(each.cpu_times()[:2])
            if looks % LOOKS_A_MEMORY == 0:  # which costs more than all the rest
                memory = max(memory, sum(each.memory_full_info().pss for each in (*processes, *beside)))
            looks += 1
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise RuntimeError(f"The process ended with {process.returncode}")
    return Cost(sum(seconds.values()), time.monotonic() - before, memory)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
