"""Passwords that are sent to get in or to confirm a change: counted, then looked at."""

from dataclasses import dataclass
from uuid import UUID

from services.user import domain
from services.user.domain import Credentials, Place
from services.user.passwords import Passwords
from services.user.store import Store


@dataclass(frozen=True)
class Admission:
    """A right password."""

    user_id: UUID
    attempt: UUID
    """The line of the trail that says "failed" until it is known what became of the attempt."""


class Gate:
    """Compares passwords, with growing pauses after wrong ones."""

    def __init__(self, store: Store, passwords: Passwords) -> None:
        """Count in `store`."""
        self._store = store
        self._passwords = passwords

    async def check(self, email: str, password: str, place: Place) -> Admission | None:
        """Compare a password with the account of an address; None when there is no such account or it is wrong.

        The attempt counts as failed before the password is looked at, so that many at once are not free. The same
        statements run for an address without an account. Refused with ATTEMPTS_THROTTLED during a pause.
        """
        async with self._store.begin() as tx:
            own = place.address if await tx.trail.is_own_place(email, place.address) else None
            subject = domain.account_subject(email, own)
            attempts, now = await tx.attempts.lock(subject)
            if pause := attempts.pause(now):
                raise domain.attempts_throttled(pause)
            await tx.attempts.keep(subject, attempts.next(now))
            attempt = await tx.trail.add_attempt(email, place)
            known = await tx.users.find_credentials(email)
        right = await self._passwords.verify(known.password_hash if known else None, password)
        if known is None or attempt is None or not right:
            return None
        await self._welcome(known, password, subject)
        return Admission(known.user_id, attempt)

    async def confirm(self, user_id: UUID, password: str, place: Place) -> None:
        """Pass a signed-in user who knows the password; refused with PASSWORD_WRONG."""
        async with self._store.read() as tx:
            user = await tx.users.find(user_id)
        admission = await self.check(user.email, password, place) if user else None
        if admission is None:
            raise domain.password_wrong()
        async with self._store.begin() as tx:
            await tx.trail.remove(admission.attempt)

    async def _welcome(self, known: Credentials, password: str, subject: bytes) -> None:
        """Forget the failures, and hash again if that is done in another way today."""
        outdated = self._passwords.is_outdated(known.password_hash)
        renewed = await self._passwords.hash(password) if outdated else None
        async with self._store.begin() as tx:
            await tx.attempts.forget(subject)
            if renewed:
                await tx.users.rehash(known, renewed)
