"""Every SQL statement of the user context."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation
from sqlalchemy import Row, Select, func, insert, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import errors
from services.common.db import Database, UnitsOfWork
from services.common.pages import Page, PageRequest
from services.user.domain import RefreshToken, Session, User, composed, token_hash
from services.user.tables import refresh_tokens, roles, user_roles, users

ROLE_USER = "ROLE_USER"


class Store(UnitsOfWork["Transaction"]):
    """The rows of `user_db`."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        super().__init__(database, Transaction)


class Transaction:
    """One unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self.users = Users(connection)
        self.tokens = Tokens(connection)
        self._connection = connection

    async def now(self) -> datetime:
        """Answer the database's clock."""
        moment: datetime = (await self._connection.execute(select(func.now()))).scalar_one()
        return moment


class Users:
    """Accounts."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def add(self, email: str, username: str, password_hash: str) -> UUID:
        """Make an account with ROLE_USER; refuses an address or a name that is taken."""
        values = {"email": composed(email), "username": composed(username), "password_hash": password_hash}
        try:
            added = await self._connection.execute(insert(users).values(**values).returning(users.c.id))
        except IntegrityError as error:
            raise _taken(error) from error
        user_id: UUID = added.scalar_one()
        role = select(literal(user_id), roles.c.id).where(roles.c.name == ROLE_USER)
        await self._connection.execute(insert(user_roles).from_select(["user_id", "role_id"], role))
        return user_id

    async def find(self, user_id: UUID) -> User | None:
        """Find an account by its id."""
        return await self._one(_users().where(users.c.id == user_id))

    async def find_by_username(self, username: str) -> User | None:
        """Find an account by its name, without regard to case."""
        return await self._one(_users().where(_folded(users.c.username) == _folded(username)))

    async def find_credentials(self, email: str) -> tuple[UUID, str] | None:
        """Find the id and the password hash that belong to an address, without regard to case."""
        statement = select(users.c.id, users.c.password_hash).where(_folded(users.c.email) == _folded(email))
        row = (await self._connection.execute(statement)).one_or_none()
        return (row.id, row.password_hash) if row else None

    async def _one(self, statement: Select[Any]) -> User | None:
        row = (await self._connection.execute(statement)).one_or_none()
        return _user(row) if row else None


@dataclass(frozen=True)
class NewToken:
    """A refresh token to be stored."""

    token: str
    user_id: UUID
    address: str
    device: str | None
    expires_at: datetime


class Tokens:
    """Refresh tokens and the sessions that they make."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def start_family(self, new: NewToken) -> UUID:
        """Store the first token of a new session and answer the session's id."""
        family = uuid4()
        await self._connection.execute(insert(refresh_tokens).values(**_columns(new), family_id=family))
        return family

    async def find_for_update(self, token: str) -> RefreshToken | None:
        """Find a presented token and lock it, so that twins take their turn."""
        columns = refresh_tokens.c
        statement = select(
            columns.id,
            columns.user_id,
            columns.family_id,
            columns.family_created_at,
            columns.expires_at,
            columns.revoked,
            columns.replaced_at,
        ).where(columns.token_hash == token_hash(token))
        row = (await self._connection.execute(statement.with_for_update())).one_or_none()
        return RefreshToken(**row._mapping) if row else None  # noqa: SLF001 (SQLAlchemy's documented name)

    async def replace(self, parent: RefreshToken, child: NewToken) -> None:
        """Exchange a token for its child."""
        columns = refresh_tokens.c
        await self._connection.execute(
            update(refresh_tokens).where(columns.id == parent.id).values(revoked=True, replaced_at=func.now())
        )
        family = {
            "family_id": parent.family_id,
            "family_created_at": parent.family_created_at,
            "parent_id": parent.id,
        }
        await self._connection.execute(insert(refresh_tokens).values(**_columns(child), **family))

    async def is_alive(self, token: str) -> bool:
        """Say whether a token is the newest of a session that goes on."""
        columns = refresh_tokens.c
        statement = select(columns.id).where(columns.token_hash == token_hash(token), *_alive())
        return (await self._connection.execute(statement)).first() is not None

    async def end_family(self, user_id: UUID, family_id: UUID) -> bool:
        """End a session of a user; answers whether it was going on."""
        columns = refresh_tokens.c
        ended = await self._connection.execute(
            update(refresh_tokens)
            .where(columns.user_id == user_id, columns.family_id == family_id, columns.revoked.is_(False))
            .values(revoked=True)
            .returning(columns.id)
        )
        return ended.first() is not None

    async def session(self, family_id: UUID) -> Session | None:
        """Find a session that goes on."""
        row = (await self._connection.execute(_sessions().where(refresh_tokens.c.family_id == family_id))).one_or_none()
        return _session(row) if row else None

    async def sessions(self, user_id: UUID, request: PageRequest) -> Page[Session]:
        """List the sessions of a user that go on, the last used first."""
        columns = refresh_tokens.c
        statement = _sessions().where(columns.user_id == user_id)
        if last := request.keyset(datetime.fromisoformat, int):
            statement = statement.where(tuple_(columns.created_at, columns.id) < last)
        statement = statement.order_by(columns.created_at.desc(), columns.id.desc()).limit(request.limit)
        page = request.page(
            (await self._connection.execute(statement)).all(), lambda row: (row.created_at.isoformat(), row.id)
        )
        return Page([_session(row) for row in page.rows], page.next_token)


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
        roles=tuple(row.role_names or ()),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _folded(value: Any) -> Any:  # noqa: ANN401 (a column or a text, as SQLAlchemy takes them)
    return func.lower(func.normalize(value))


def _alive() -> Sequence[Any]:
    return (refresh_tokens.c.revoked.is_(False), refresh_tokens.c.expires_at > func.now())


def _sessions() -> Select[Any]:
    return select(refresh_tokens).where(*_alive())


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.family_id,
        user_id=row.user_id,
        address=str(row.ip_address),
        device=row.device_info,
        created_at=row.family_created_at,
        last_used_at=row.created_at,
        expires_at=row.expires_at,
    )


def _columns(new: NewToken) -> dict[str, Any]:
    return {
        "user_id": new.user_id,
        "token_hash": token_hash(new.token),
        "ip_address": new.address,
        "device_info": new.device,
        "expires_at": new.expires_at,
    }


def _taken(error: IntegrityError) -> Exception:
    """Say which of the two unique things an account wanted belongs to another one."""
    if not isinstance(error.orig, UniqueViolation):
        return error
    if "email" in (error.orig.diag.constraint_name or ""):
        return errors.AlreadyExists("EMAIL_TAKEN", "There is an account with this e-mail address. Sign in instead.")
    return errors.AlreadyExists("USERNAME_TAKEN", "This username is taken. Choose another one.")
