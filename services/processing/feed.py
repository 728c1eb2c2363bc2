"""Jobs while they change: one look at the database serves every watcher of this process.

A transaction may commit later than the time that it wrote into `updated_at`: each look covers the end of what the one
before has covered once more, and tells only what is not known from there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import structlog

from services.common.tasks import rest
from services.processing.domain import Job
from services.processing.store import Store

OVERLAP = timedelta(seconds=10)
"""Longer than a transaction that changes a job lasts; its statements are given up after five seconds."""
BATCH = 200
"""Jobs in one message, at most."""

Visible = Callable[[], Awaitable[Collection[UUID] | None]]
"""Asks whose jobs the client may see now; None stands for everybody's."""

log = structlog.get_logger("feed")


@dataclass(frozen=True)
class Changes:
    """Jobs that have changed, as they are now; none in a heartbeat."""

    jobs: Sequence[Job]
    until: datetime | None
    """The client knows everything up to here, by the database's clock; None while it does not."""


class Watcher:
    """What one client has not been told yet: of each job only how it is now, however slowly the client reads."""

    def __init__(self) -> None:
        self._untold: dict[UUID, Job] = {}
        self._changed = asyncio.Event()
        self.heard_until: datetime | None = None

    def hear(self, jobs: Collection[Job], until: datetime) -> None:
        """Note the jobs that have changed up to a moment."""
        self.heard_until = until
        self._untold |= {job.id: job for job in jobs}
        if jobs:
            self._changed.set()

    def saw(self, jobs: Iterable[Job]) -> None:
        """Forget what is noted of jobs that the client has seen elsewhere as they are by now."""
        for job in jobs:
            noted = self._untold.get(job.id)
            if noted and noted.updated_at <= job.updated_at:
                del self._untold[job.id]

    async def changes(self, seconds: float) -> Iterable[Job]:
        """Take what is noted, waiting for something but not longer than `seconds`."""
        await rest(self._changed, seconds)
        untold, self._untold = self._untold, {}
        return untold.values()


class Feed:
    """Looks for changes as long as somebody watches."""

    def __init__(self, store: Store, news: asyncio.Event, poll_seconds: float, heartbeat_seconds: float) -> None:
        """Look into `store` when there is `news`, and every `poll_seconds`.

        Something is said to every client each `heartbeat_seconds`.
        """
        self._store = store
        self._news = news
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._watchers: set[Watcher] = set()
        self._watched = asyncio.Event()
        self._looked_at: datetime | None = None
        self._known: dict[UUID, Job] = {}

    async def run(self) -> None:
        """Look until cancelled. While the database is away nobody is told anything; then they are told everything."""
        while True:
            if not self._watchers:
                self._looked_at, self._known = None, {}
                self._watched.clear()
                await self._watched.wait()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 (an outage of the database: look again)
                log.warning("jobs_not_read", error=type(error).__name__)
            await rest(self._news, self._poll_seconds)

    async def follow(self, since: datetime | None, visible: Visible) -> AsyncIterator[Changes]:
        """Tell what has changed since a moment, or without one what has not ended, and then every change.

        `visible` is asked at each heartbeat again.
        """
        with self._watch() as watcher:
            artists = await visible()
            async for changes in self._snapshot(watcher, since, artists):
                yield changes
                until = changes.until
            while True:
                end = asyncio.get_running_loop().time() + self._heartbeat_seconds
                while (left := end - asyncio.get_running_loop().time()) > 0:
                    news = [job for job in await watcher.changes(left) if artists is None or _owner(job) in artists]
                    until = watcher.heard_until or until
                    for jobs in _batches(news):
                        yield Changes(jobs, until)
                artists = await visible()
                yield Changes([], until)

    @contextmanager
    def _watch(self) -> Iterator[Watcher]:
        """Lend a watcher that hears of every change from now on."""
        watcher = Watcher()
        self._watchers.add(watcher)
        self._watched.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def _snapshot(
        self, watcher: Watcher, since: datetime | None, artists: Collection[UUID] | None
    ) -> AsyncIterator[Changes]:
        """Tell how things are; a client that loses the stream in between has to begin where it began."""
        async with self._store.read() as tx:
            now = await tx.now()
        start, last, is_over = since - OVERLAP if since else None, None, False
        while not is_over:
            async with self._store.read() as tx:
                jobs = await tx.jobs.changed(start, artists, last, BATCH)
            watcher.saw(jobs)
            is_over = len(jobs) < BATCH
            yield Changes(jobs, now if is_over else since)
            last = jobs[-1] if jobs else None

    async def _look(self) -> None:
        async with self._store.read() as tx:
            now = await tx.now()
            jobs = await tx.jobs.changed((self._looked_at or now) - OVERLAP)
        news = [job for job in jobs if self._known.get(job.id) != job]
        self._looked_at, self._known = now, {job.id: job for job in jobs}
        for watcher in self._watchers:
            watcher.hear(news, now)


def _owner(job: Job) -> UUID:
    return job.master.artist_id


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    rest = iter(jobs)
    while batch := list(islice(rest, BATCH)):
        yield batch
