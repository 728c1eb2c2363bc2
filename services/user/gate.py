"""Passwords that are sent to get in or to confirm a change: counted, then looked at."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.user import domain
from services.user.domain import Credentials, Place, User
from services.user.passwords import Passwords, Turn
from services.user.store import Store, Transaction


@dataclass(frozen=True)
class Admission:
    """A right password."""

    user_id: UUID
    set_at: datetime
    """When that password was set: after another one is, the admission counts no more."""
    attempt: UUID
    """The line of the trail that says "failed" until it is known what became of the attempt."""

    async def lock(self, tx: Transaction) -> User | None:
        """Find the account and lock it; None when it is gone or its password was changed meanwhile."""
        user = await tx.users.lock(self.user_id)
        return user if user and user.password_set_at == self.set_at else None


class Gate:
    """Compares passwords, with growing pauses after wrong ones."""

    def __init__(self, store: Store, passwords: Passwords) -> None:
        """Count in `store`."""
        self._store = store
        self._passwords = passwords

    async def check(self, email: str, password: str, place: Place) -> Admission | None:
        """Compare a password with the account of an address; None when there is no such account or it is wrong.

        The attempt counts as failed before the password is looked at, so that many at once are not free, but only
        when there is room to look at it. The same statements run for an address without an account. Refused with
        ATTEMPTS_THROTTLED during a pause.
        """
        async with self._passwords.turn() as turn:
            async with self._store.begin() as tx:
                own = place.network if await tx.trail.is_own_network(email, place.network) else None
                subject = domain.account_subject(email, own)
                attempts, now = await tx.attempts.lock(subject)
                if pause := attempts.pause(now):
                    raise domain.attempts_throttled(pause)
                await tx.attempts.keep(subject, attempts.next(now))
                attempt = await tx.trail.add_attempt(email, place)
                known = await tx.users.find_credentials(email)
            right = await turn.verify(known.password_hash if known else None, password)
            if known is None or not right:
                return None
            await self._welcome(turn, known, password, subject)
        return Admission(known.user_id, known.set_at, attempt)

    async def confirm(self, user_id: UUID, password: str, place: Place) -> Admission:
        """Pass a signed-in user who knows the password; refused with PASSWORD_WRONG."""
        async with self._store.read() as tx:
            user = await tx.users.find(user_id)
        admission = await self.check(user.email, password, place) if user else None
        if admission is None:
            raise domain.password_wrong()
        async with self._store.begin() as tx:
            await tx.trail.remove(admission.attempt)
        return admission

    async def _welcome(self, turn: Turn, known: Credentials, password: str, subject: bytes) -> None:
        """Forget the failures, and hash again if that is done in another way today."""
        outdated = self._passwords.is_outdated(known.password_hash)
        renewed = await turn.hash(password) if outdated else None
        async with self._store.begin() as tx:
            await tx.attempts.forget(subject)
            if renewed:
                await tx.users.rehash(known, renewed)
