"""What is left of somebody who leaves: nothing, and a fact that makes every other context forget them too."""

from services.user import events
from services.user.domain import User
from services.user.store import Transaction


async def erase(tx: Transaction, user: User) -> None:
    """Erase an account, whose row is locked."""
    await events.sessions_ended(tx, user.id, await tx.sessions.end_all(user.id))
    await tx.mails.forget(user.email)
    await tx.trail.erase(user.id, user.email)
    await tx.users.erase(user.id)
    await events.user_deleted(tx, user.id)
