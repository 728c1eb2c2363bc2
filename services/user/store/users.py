"""Rows of accounts and their roles."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation
from sqlalchemy import Row, Select, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.pages import Page, PageRequest
from services.user.domain import ROLE_ADMIN, ROLE_USER, Credentials, User, composed, email_taken, username_taken
from services.user.tables import refresh_tokens, roles, user_roles, users


class Users:
    """Accounts."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def is_free(self, email: str) -> bool:
        """Say whether an address has no account; those who want the same one at once take their turn."""
        turn = func.hashtextextended(_folded(email), 0)
        await self._connection.execute(select(func.pg_advisory_xact_lock(turn)))
        return await self.find_by_email(email) is None

    async def add(self, email: str, username: str, password_hash: str, *, is_waiting: bool = False) -> UUID | None:
        """Make an account with ROLE_USER; None when the address is taken, refused when the name is.

        One that `is_waiting` goes by itself if its address is never confirmed.
        """
        if await self.find_by_username(username):
            raise username_taken()
        values = {
            "email": composed(email),
            "username": composed(username),
            "password_hash": password_hash,
            "unconfirmed_since": func.now() if is_waiting else None,
        }
        added = await self._connection.execute(
            insert(users).values(**values).on_conflict_do_nothing().returning(users.c.id)
        )
        user_id: UUID | None = added.scalar_one_or_none()
        if user_id:
            await self.grant(user_id, ROLE_USER)
        elif await self.find_by_email(email) is None:
            # Somebody took the name between the two statements.
            raise username_taken()
        return user_id

    async def find(self, user_id: UUID) -> User | None:
        """Find an account by its id."""
        return await self._one(_users().where(users.c.id == user_id))

    async def lock(self, user_id: UUID) -> User | None:
        """Find an account and lock it: whatever changes it or its sessions takes its turn, and locks this first."""
        locked = select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True)
        await self._connection.execute(locked)
        return await self.find(user_id)

    async def find_by_username(self, username: str) -> User | None:
        """Find an account by its name, without regard to case."""
        return await self._one(_users().where(_folded(users.c.username) == _folded(username)))

    async def find_by_email(self, email: str) -> User | None:
        """Find an account by its address, without regard to case."""
        return await self._one(_users().where(_folded(users.c.email) == _folded(email)))

    async def find_credentials(self, email: str) -> Credentials | None:
        """Find the password hash that belongs to an address, without regard to case."""
        columns = users.c
        statement = select(columns.id, columns.password_hash, columns.password_set_at)
        row = (await self._connection.execute(statement.where(_folded(columns.email) == _folded(email)))).one_or_none()
        return Credentials(row.id, row.password_hash, row.password_set_at) if row else None

    async def page(self, query: str, request: PageRequest) -> Page[User]:
        """List accounts whose address or name begins with `query`, the newest first."""
        columns = users.c
        statement = _users()
        if query:
            begins = [func.starts_with(_folded(name), _folded(query)) for name in (columns.email, columns.username)]
            statement = statement.where(or_(*begins))
        if last := request.keyset(datetime.fromisoformat, UUID):
            statement = statement.where(tuple_(columns.created_at, columns.id) < last)
        statement = statement.order_by(columns.created_at.desc(), columns.id.desc()).limit(request.limit)
        rows = (await self._connection.execute(statement)).all()
        page = request.page(rows, lambda row: (row.created_at.isoformat(), row.id))
        return Page([_user(row) for row in page.rows], page.next_token)

    async def change(self, user_id: UUID, **values: object) -> None:
        """Change columns of an account; refuses an address or a name that is taken."""
        try:
            await self._connection.execute(
                update(users).where(users.c.id == user_id).values(**values, updated_at=func.now())
            )
        except IntegrityError as error:
            raise _taken(error) from error

    async def show_avatar(self, user_id: UUID, key: str) -> None:
        """Show a picture unless a newer one is shown. Keys rise with the time at which pictures were made."""
        older = or_(users.c.avatar_url.is_(None), users.c.avatar_url.collate("C") < key)
        changed = update(users).where(users.c.id == user_id, older)
        await self._connection.execute(changed.values(avatar_url=key, updated_at=func.now()))

    async def avatars(self) -> Sequence[str]:
        """List the keys of all pictures that are shown."""
        shown = select(users.c.avatar_url).where(users.c.avatar_url.is_not(None))
        return (await self._connection.execute(shown)).scalars().all()

    async def confirm(self, user_id: UUID, **values: object) -> None:
        """Note that an account's address is its owner's; `values` are columns that change with that."""
        await self.change(user_id, is_verified=True, unconfirmed_since=None, **values)

    async def keep(self, user_id: UUID) -> None:
        """Keep an account although its address was not confirmed: somebody uses it."""
        waiting = (users.c.id == user_id, users.c.unconfirmed_since.is_not(None))
        await self._connection.execute(update(users).where(*waiting).values(unconfirmed_since=None))

    async def set_password(self, user_id: UUID, password_hash: str) -> None:
        """Set a password, from now on."""
        await self.change(user_id, password_hash=password_hash, password_set_at=func.clock_timestamp())

    async def rehash(self, credentials: Credentials, password_hash: str) -> None:
        """Replace the hash of the same password, unless the password was changed meanwhile."""
        unchanged = (users.c.id == credentials.user_id, users.c.password_hash == credentials.password_hash)
        await self._connection.execute(update(users).where(*unchanged).values(password_hash=password_hash))

    async def grant(self, user_id: UUID, role: str) -> bool:
        """Give a role; answers whether the account did not have it."""
        both = users.join(roles, roles.c.name == role)
        chosen = select(users.c.id, roles.c.id).select_from(both).where(users.c.id == user_id)
        given = await self._connection.execute(
            insert(user_roles)
            .from_select(["user_id", "role_id"], chosen)
            .on_conflict_do_nothing()
            .returning(user_roles.c.role_id)
        )
        return given.first() is not None

    async def revoke(self, user_id: UUID, role: str) -> bool:
        """Take a role; answers whether the account had it."""
        role_id = select(roles.c.id).where(roles.c.name == role).scalar_subquery()
        taken = await self._connection.execute(
            delete(user_roles)
            .where(user_roles.c.user_id == user_id, user_roles.c.role_id == role_id)
            .returning(user_roles.c.role_id)
        )
        return taken.first() is not None

    async def is_last_admin(self, user_id: UUID) -> bool:
        """Say whether this is the only administrator that can sign in; one transaction at a time gets an answer."""
        await self._connection.execute(select(roles.c.id).where(roles.c.name == ROLE_ADMIN).with_for_update())
        admins = (
            select(users.c.id)
            .join(user_roles, user_roles.c.user_id == users.c.id)
            .join(roles, roles.c.id == user_roles.c.role_id)
            .where(roles.c.name == ROLE_ADMIN, users.c.disabled_at.is_(None))
        )
        others = exists(admins.where(users.c.id != user_id))
        here = exists(admins.where(users.c.id == user_id))
        row = (await self._connection.execute(select(here.label("here"), others.label("others")))).one()
        return bool(row.here and not row.others)

    async def erase(self, user_id: UUID) -> None:
        """Remove an account with everything that belongs to it."""
        await self._connection.execute(delete(refresh_tokens).where(refresh_tokens.c.user_id == user_id))
        await self._connection.execute(delete(users).where(users.c.id == user_id))

    async def _one(self, statement: Select[Any]) -> User | None:
        row = (await self._connection.execute(statement)).one_or_none()
        return _user(row) if row else None


def _users() -> Select[Any]:
    names = func.array_agg(aggregate_order_by(roles.c.name, roles.c.name)).filter(roles.c.name.is_not(None))
    joined = users.outerjoin(user_roles, user_roles.c.user_id == users.c.id).outerjoin(
        roles, roles.c.id == user_roles.c.role_id
    )
    return select(users, names.label("role_names")).select_from(joined).group_by(users.c.id)


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        email=row.email,
        username=row.username,
        avatar_url=row.avatar_url,
        is_verified=bool(row.is_verified),
        is_disabled=row.disabled_at is not None,
        disabled_reason=row.disabled_reason,
        roles=tuple(row.role_names or ()),
        created_at=row.created_at,
        updated_at=row.updated_at,
        password_set_at=row.password_set_at,
    )


def _folded(value: Any) -> Any:  # noqa: ANN401 (a column or a text, as SQLAlchemy takes them)
    return func.lower(func.normalize(value))


def _taken(error: IntegrityError) -> Exception:
    """Say which of the two unique things an account wanted belongs to another one."""
    if not isinstance(error.orig, UniqueViolation):
        return error
    return email_taken() if "email" in (error.orig.diag.constraint_name or "") else username_taken()
