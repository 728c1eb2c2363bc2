"""Accounts on the wire."""

from services.common import auth, names
from services.common.interceptors import Context
from services.user.domain import User, user_not_found
from services.user.passwords import Passwords
from services.user.store import Store
from spotilike.user.v1 import user_pb2, user_service_pb2_grpc
from spotilike.user.v1.user_service_pb2 import CreateUserRequest, GetUserRequest, LookupUserRequest


class UserService(user_service_pb2_grpc.UserServiceServicer):
    """Makes and shows accounts."""

    def __init__(self, store: Store, passwords: Passwords) -> None:
        """Keep accounts in `store`."""
        self._store = store
        self._passwords = passwords

    async def CreateUser(self, request: CreateUserRequest, context: Context) -> user_pb2.User:
        """Make an account."""
        password_hash = await self._passwords.hash(request.password)
        async with self._store.begin() as tx:
            user_id = await tx.users.add(request.user.email, request.user.username, password_hash)
            user = await tx.users.find(user_id)
        assert user is not None  # noqa: S101 (it was written in this transaction)
        return private(user)

    async def GetUser(self, request: GetUserRequest, context: Context) -> user_pb2.User:
        """Show an account."""
        caller = auth.call()
        user_id = caller.user_in(request.name)
        async with self._store.read() as tx:
            user = await tx.users.find(user_id)
        if user is None:
            raise user_not_found(request.name)
        return private(user) if user_id == caller.user_id else public(user)

    async def LookupUser(self, request: LookupUserRequest, context: Context) -> user_pb2.User:
        """Find an account by its username."""
        async with self._store.read() as tx:
            user = await tx.users.find_by_username(request.username)
        if user is None:
            raise user_not_found(request.username)
        return public(user)


def public(user: User) -> user_pb2.User:
    """Show what everybody may see."""
    shown = user_pb2.User(name=names.user(user.id), username=user.username, avatar_uri=user.avatar_url or "")
    shown.create_time.FromDatetime(user.created_at)
    return shown


def private(user: User) -> user_pb2.User:
    """Show what only the user may see."""
    shown = public(user)
    shown.email = user.email
    shown.is_verified = user.is_verified
    shown.roles.extend(user.roles)
    shown.update_time.FromDatetime(user.updated_at)
    return shown
