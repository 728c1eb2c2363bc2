"""Password hashes: Argon2id at OWASP's parameters, off the event loop, with a bound on memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from services.common import errors
from services.user.domain import composed

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

Answer = TypeVar("Answer")


class Passwords:
    """Hashes and verifies passwords in a few threads; what does not fit into the queue is refused at once."""

    def __init__(self, threads: int, queue: int) -> None:
        """Use `threads` at once (19 MiB each) and let `queue` more wait."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threads + queue
        self._decoy = HASHER.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        return await self._run(lambda: HASHER.hash(composed(password)))

    async def verify(self, known_hash: str | None, password: str) -> bool:
        """Compare a password with a hash; without one, for an unknown user, it takes as long and is never right."""
        target = known_hash or self._decoy

        def compare() -> bool:
            try:
                return HASHER.verify(target, composed(password))
            except VerificationError:
                return False

        return await self._run(compare) and known_hash is not None

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
