"""Password hashes: Argon2id at OWASP's parameters, off the event loop, with a bound on memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from services.common import errors
from services.common.errors import Violation
from services.user.domain import composed

Answer = TypeVar("Answer")


class Passwords:
    """Hashes and verifies passwords in a few threads; what does not fit into the queue is refused at once."""

    def __init__(self, threads: int, queue: int, hasher: PasswordHasher) -> None:
        """Use `threads` at once, each with the memory of `hasher`, and let `queue` more wait."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threads + queue
        self._hasher = hasher
        self._decoy = hasher.hash("nobody has this password")

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

    def is_outdated(self, known_hash: str) -> bool:
        """Say whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(known_hash)

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        if self._places <= 0:
            raise errors.ResourceExhausted("OVERLOADED", "Too many people sign in now. Try again.", retry_seconds=2.0)
        self._places -= 1
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # The place is free when the hash has really ended, also when the caller has given up.
        running.add_done_callback(self._free)
        return await asyncio.shield(running)

    def _free(self, _: "asyncio.Future[Answer]") -> None:
        self._places += 1


def hasher(memory_kib: int, passes: int) -> PasswordHasher:
    """Describe Argon2id with one lane (OWASP: at least 19 MiB and two passes)."""
    return PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)


def check_new(password: str, field: str, *personal: str) -> None:
    """Refuse a password that is tried first: one of the most common, or the account's own address or name."""
    tried_first = {part.lower() for name in personal for part in (name, name.partition("@")[0])}
    if password.lower() in _common() | tried_first:
        raise errors.InvalidFields(Violation(field, "is one of those that everybody tries first; choose another one"))


@cache
def _common() -> frozenset[str]:
    return frozenset(FREQUENCY_LISTS["passwords"])
