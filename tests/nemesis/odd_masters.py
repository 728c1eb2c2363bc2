"""A thousand damaged files and the odd files of a tag library through workers; part of `./spotilike test --nemesis`."""

import subprocess
import sys
import tarfile
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.metadata import version

import pytest
from sqlalchemy import func, select

from services.processing.domain import Status
from services.processing.media.refusals import TRANSIENT, Reason
from services.processing.tables import attempts
from tests.support import audio

NAMES = ("m.mp3", "m.ogg", "m.opus", "m.flac", "m.wav", "m.aiff", "m.caf", "m.m4a", "m.mka", "m.aac")
MUTANTS_OF_A_KIND, MUTANTS_OF_AN_ODD_FILE = 81, 2
FIRST_SEED = 1000
"""The seeds of the short forms come before."""
LASTING = set(Reason) - TRANSIENT
LEAST_MUTANTS = 1000
WORKERS = 2
LONGEST_SECONDS = 30


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory):
    """Return the files that mutagen tests itself with, as its source package brings them."""
    folder = tmp_path_factory.mktemp("mutagen")
    wanted = f"mutagen=={version('mutagen')}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "mutagen", wanted]
    subprocess.run(command, cwd=folder, check=True)  # noqa: S603 (our own words)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as package:
        package.extractall(folder, filter="data")
    return sorted(path for path in folder.glob("*/tests/data/*") if path.is_file())


async def longest(workshop, jobs):
    """Return how long the longest attempt at one of these jobs took."""
    statement = select(func.max(attempts.c.ended_at - attempts.c.started_at)).where(attempts.c.job_id.in_(jobs))
    async with workshop.database.read() as connection:
        return await connection.scalar(statement)


@pytest.fixture
async def end_of(workshop):
    """Return what sends files to the workers, all at once, and answers the status and reason of each."""
    async with AsyncExitStack() as stack:
        work = [await stack.enter_async_context(workshop.working(workshop.worker())) for _ in range(WORKERS)]

        async def send(paths):
            jobs = [await workshop.offer_content(path.read_bytes()) for path in paths]
            ends = [await workshop.over(job, seconds=LONGEST_SECONDS * len(paths)) for job in jobs]
            assert not any(each.done() for each in work)
            assert {(job.attempt, job.worker_deaths) for job in ends} == {(1, 0)}
            assert await longest(workshop, jobs) <= timedelta(seconds=LONGEST_SECONDS)
            return [(job.status, job.reason) for job in ends]

        yield send


async def test_every_odd_file_and_every_mutant_ends_soon_with_a_track_or_a_lasting_reason(end_of, odd_files, tmp_path):
    """At the first try, and no worker dies of it."""

    def tell(what, ends):
        print(f"{what}: {dict(Counter(reason or str(status) for status, reason in ends))}")  # noqa: T201 (it is run for this)

    ends = await end_of(odd_files)
    tell(f"\n{len(odd_files)} odd files", ends)
    wholes = [audio.save(tmp_path / name, audio.noise(1.3)) for name in NAMES]
    kinds = [(whole, MUTANTS_OF_A_KIND) for whole in wholes]
    kinds += [(odd, MUTANTS_OF_AN_ODD_FILE) for odd in odd_files if odd.stat().st_size]
    for number, (original, count) in enumerate(kinds):
        seeds = range(FIRST_SEED + 100 * number, FIRST_SEED + 100 * number + count)
        mutants = [audio.mutant(tmp_path / f"{seed}-{original.name}", original, seed) for seed in seeds]
        ends += await end_of(mutants)
        tell(f"{count} mutants of {original.name}", ends[-count:])

    assert len(ends) >= len(odd_files) + LEAST_MUTANTS
    assert all(end == (Status.COMPLETED, None) or end[1] in LASTING for end in ends)
