"""The user service as the edge calls it, and short words for what every test of accounts does."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from spotilike.user.v1.account_event_pb2 import AccountEvent
from spotilike.user.v1.account_event_service_pb2 import ListAccountEventsRequest
from spotilike.user.v1.account_event_service_pb2_grpc import AccountEventServiceStub
from spotilike.user.v1.session_pb2 import Session, SessionCredentials
from spotilike.user.v1.session_service_pb2 import CreateSessionRequest, ListSessionsRequest, RefreshSessionRequest
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from spotilike.user.v1.user_pb2 import User
from spotilike.user.v1.user_service_pb2 import CreateUserRequest, GetUserRequest
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.support.services import PASSWORD, Account, RunningService, error_info

Metadata = tuple[tuple[str, str], ...]


class Desk:
    """One user service."""

    def __init__(self, service: RunningService) -> None:
        """Call `service`."""
        self.users = service.public(UserServiceStub)
        self.sessions = service.public(SessionServiceStub)
        self.trail = service.public(AccountEventServiceStub)

    async def make(self, who: "Newcomer", metadata: Metadata = ()) -> User:
        """Make an account."""
        request = CreateUserRequest(user=User(email=who.email, username=who.username), password=who.password)
        made: User = await self.users.CreateUser(request, metadata=metadata)
        return made

    async def sign_up(self, metadata: Metadata = ()) -> Account:
        """Make an account and sign it in."""
        who = newcomer()
        made = await self.make(who, metadata)
        credentials = await self.sign_in(who.email, metadata=metadata)
        return Account(UUID(made.name.split("/")[1]), who.email, who.username, credentials)

    async def sign_in(self, email: str, password: str = PASSWORD, metadata: Metadata = ()) -> SessionCredentials:
        """Sign in."""
        request = CreateSessionRequest(email=email, password=password)
        made: SessionCredentials = await self.sessions.CreateSession(request, metadata=metadata)
        return made

    async def sign_in_again(self, account: Account, password: str = PASSWORD) -> Account:
        """Sign an account in on another device."""
        credentials = await self.sign_in(account.email, password)
        return Account(account.id, account.email, account.username, credentials)

    async def refresh(self, credentials: SessionCredentials, metadata: Metadata = ()) -> SessionCredentials:
        """Exchange a refresh token."""
        request = RefreshSessionRequest(refresh_token=credentials.refresh_token)
        fresh: SessionCredentials = await self.sessions.RefreshSession(request, metadata=metadata)
        return fresh

    async def shown(self, account: Account) -> User:
        """Show an account to itself."""
        user: User = await self.users.GetUser(GetUserRequest(name="users/me"), metadata=account.metadata)
        return user

    async def devices(self, account: Account) -> list[Session]:
        """List the devices of an account."""
        page = await self.sessions.ListSessions(ListSessionsRequest(parent="users/me"), metadata=account.metadata)
        return list(page.sessions)

    async def events(self, account: Account) -> list[AccountEvent]:
        """List what happened to an account, the newest first."""
        request = ListAccountEventsRequest(parent="users/me", page_size=200)
        page = await self.trail.ListAccountEvents(request, metadata=account.metadata)
        return list(page.account_events)

    async def event_types(self, account: Account) -> list[str]:
        """List what happened to an account, the oldest first."""
        return [AccountEvent.Type.Name(event.type) for event in reversed(await self.events(account))]


@dataclass(frozen=True)
class Newcomer:
    """Somebody who wants an account."""

    email: str
    username: str
    password: str = PASSWORD


def newcomer(**changed: str) -> Newcomer:
    """Think of somebody new."""
    mark = uuid4().hex[:12]
    return Newcomer(**{"email": f"{mark}@example.org", "username": f"listener-{mark}", **changed})


def at(address: str, device: str = "Radio/1.0") -> Metadata:
    """Write where a call comes from, as the edge does."""
    return (("x-spotilike-client-address", address), ("x-user-agent", device))


async def refusal(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """Return the error with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value


async def refused(call: Awaitable[Any]) -> str:
    """Return the reason with which a call is refused."""
    return error_info(await refusal(call))[0]


async def outcome(call: Awaitable[Any]) -> str:
    """Return the reason with which a call is refused, or OK."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error_info(error)[0]
    return "OK"
