"""Password hashes: Argon2id at OWASP's parameters, off the event loop, with a bound on memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from services.common import errors, metrics
from services.common.errors import Violation
from services.user.domain import composed

QUEUED = metrics.Gauge("spotilike_password_queue_places_taken", "Sign-ins and sign-ups that hash or wait for it.")
QUEUE_LIMIT = metrics.Gauge("spotilike_password_queue_places_limit", "How many may do so before others are refused.")
REFUSED = metrics.Counter("spotilike_password_queue_refused_total", "Sign-ins and sign-ups that found no place.")

Answer = TypeVar("Answer")


class Passwords:
    """Hashes and verifies passwords in a few threads; who does not fit into the queue is refused at once."""

    def __init__(self, threads: int, queue: int, hasher: PasswordHasher) -> None:
        """Use `threads` at once, each with the memory of `hasher`, and let `queue` more wait."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = self._limit = threads + queue
        # Who waits does nothing yet, so that those who find no place hear of it at once.
        self._working = asyncio.Semaphore(2 * threads)
        self._hasher = hasher
        self._decoy = hasher.hash("nobody has this password")
        metrics.at_scrape(self._measure, QUEUED, QUEUE_LIMIT)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """Take a place in the queue for as long as the block lasts; refused with OVERLOADED when none is free."""
        if self._places <= 0:
            REFUSED.add()
            raise errors.ResourceExhausted("OVERLOADED", "Too many people sign in now. Try again.", retry_seconds=2.0)
        self._places -= 1
        turn = Turn(self._threads, self._hasher, self._decoy)
        try:
            async with self._working:
                yield turn
        finally:
            turn.when_over(self._free)

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        async with self.turn() as turn:
            return await turn.hash(password)

    def is_outdated(self, known_hash: str) -> bool:
        """Say whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(known_hash)

    def _free(self) -> None:
        self._places += 1

    async def _measure(self) -> None:
        QUEUED.set(self._limit - self._places)
        QUEUE_LIMIT.set(self._limit)


class Turn:
    """A place in the queue; whoever holds it has one password hashed at a time."""

    def __init__(self, threads: ThreadPoolExecutor, hasher: PasswordHasher, decoy: str) -> None:
        """Hash with `hasher` in `threads`; `decoy` is a hash that nobody's password has."""
        self._threads = threads
        self._hasher = hasher
        self._decoy = decoy
        self._running: asyncio.Future[Any] | None = None

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        return await self._run(lambda: self._hasher.hash(composed(password)))

    async def verify(self, known_hash: str | None, password: str) -> bool:
        """Compare a password with a hash; without one, for an unknown user, it takes as long and is never right."""
        target = known_hash or self._decoy

        def compare() -> bool:
            try:
                return self._hasher.verify(target, composed(password))
            except (VerificationError, InvalidHashError):
                return False

        return await self._run(compare) and known_hash is not None

    def when_over(self, then: Callable[[], None]) -> None:
        """Call `then` when the hash has really ended, also when the caller has given up before."""
        if self._running is None or self._running.done():
            then()
        else:
            self._running.add_done_callback(lambda _: then())

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._running = running
        return await asyncio.shield(running)


def hasher(memory_kib: int, passes: int) -> PasswordHasher:
    """Describe Argon2id with one lane (OWASP: at least 19 MiB and two passes)."""
    return PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)


def check_new(password: str, field: str, *personal: str) -> None:
    """Refuse a password that is tried first: one of the most common, or the account's own address or name."""
    wanted = composed(password).lower()
    tried_first = {part.lower() for name in personal for part in (name, name.partition("@")[0])}
    if wanted in tried_first or wanted in _common():
        raise errors.InvalidFields(Violation(field, "is one of those that everybody tries first; choose another one"))


@cache
def _common() -> frozenset[str]:
    return frozenset(FREQUENCY_LISTS["passwords"])
