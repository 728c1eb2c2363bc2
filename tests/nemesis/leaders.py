"""Uploads run while whichever NATS server leads a stream is killed again and again."""

import asyncio
import itertools
import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import LiteralString

from services.common import events
from services.common.streams import STREAMS
from tests.nemesis.artist import Artist
from tests.nemesis.campaign import Campaign, Round, Upload
from tests.nemesis.masters import Masters
from tests.nemesis.scene import Scene, until
from tests.nemesis.steps import Cell, Step
from tests.nemesis.verdict import Report, judge

LEADER = "nats leader"
AT_ONCE = 4
"""Uploads that one artist has under way."""
ELECTED_SECONDS = 60
LONGEST_WAIT: LiteralString = "SELECT extract(epoch FROM max(published_at - created_at)) FROM outbox"


@dataclass(frozen=True)
class Hunt:
    """How often leaders are killed, and for how long."""

    every_seconds: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    killed: list[str]
    """The servers, in the order in which they were killed."""
    report: Report
    longest_wait_seconds: float
    """How long a fact waited at most until the brokers took it."""

    def __str__(self) -> str:
        """Say it in one line."""
        endings = self.report.endings.values()
        completed = sum(ending.status == "COMPLETED" for ending in endings)
        return (
            f"{len(self.killed)} leaders killed ({', '.join(self.killed)}): {completed} of {len(endings)} uploads "
            f"COMPLETED, {len(self.report.faults)} lost or doubled, "
            f"a fact waited {self.longest_wait_seconds:.1f} s at most"
        )


def hunt(scene: Scene, masters: Masters, uploads: int, how: Hunt) -> Outcome:
    """Upload whole masters, spread over the time of the hunt, and look at what became of each."""
    campaign, artist = Campaign(scene, masters), Artist(scene.url)
    whole = [master for master in masters.others if master.reason is None]
    one = Round(
        Cell(LEADER, Step.BEGUN),
        [Upload(artist.release(f"Song {n}")["name"], whole[n % len(whole)]) for n in range(uploads)],
        hit=True,
    )
    campaign.rounds.append(one)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pace = how.seconds / uploads * AT_ONCE
        under_way = [pool.submit(_bring, artist, upload, pace) for upload in one.uploads]
        killed = _kill_leaders(scene, how, under_way)
    one.retried = artist.retried
    until(lambda: all(part["state"] == "ready" for part in scene.parts()), ELECTED_SECONDS)
    report = judge(campaign)
    waits = [scene.rows(context, LONGEST_WAIT)[0][0] for context in ("user", "catalog", "processing")]
    return Outcome(killed, report, max(float(wait or 0) for wait in waits))


def _bring(artist: Artist, upload: Upload, pace_seconds: float) -> None:
    """Upload, and take at least so long."""
    began = time.monotonic()
    try:
        upload.job = artist.bring(upload.track, upload.master.path, lambda _: None)["job"]
    except Exception as error:  # noqa: BLE001 (whatever it is, the report says so)
        upload.error = repr(error)
    time.sleep(max(0.0, began + pace_seconds - time.monotonic()))


def _kill_leaders(scene: Scene, how: Hunt, under_way: list[Future[None]]) -> list[str]:
    """Kill the leader of one stream after the other while uploads are under way."""
    killed: list[str] = []
    end = time.monotonic() + how.seconds
    for stream in itertools.cycle(("CATALOG", "PROCESSING", *STREAMS)):
        began = time.monotonic()
        leader = until(partial(_leader_now, scene, stream), ELECTED_SECONDS)
        if time.monotonic() > end or all(upload.done() for upload in under_way):
            return killed
        os.kill(next(part["pid"] for part in scene.parts() if part["name"] == leader), signal.SIGKILL)
        killed.append(leader)
        time.sleep(max(0.0, began + how.every_seconds - time.monotonic()))
    raise AssertionError


def _leader_now(scene: Scene, stream: str) -> str | None:
    """Ask from a thread: a loop that ends takes the main thread's own loop along."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _leader(scene, stream)).result()


async def _leader(scene: Scene, stream: str) -> str | None:
    """Ask who leads a stream; None while nobody does."""
    connection = await events.connect(scene.nats_settings, "admin")
    try:
        cluster = (await connection.jetstream(timeout=2).stream_info(stream)).cluster
    except Exception:  # noqa: BLE001 (an election, or a server that was just killed: ask again)
        return None
    else:
        return cluster.leader if cluster else None
    finally:
        await connection.close()
