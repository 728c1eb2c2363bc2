"""The people and the things that the calls of the matrix are about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.upload_pb2 import Upload
from spotilike.processing.v1.job_service_pb2 import GetJobRequest
from spotilike.processing.v1.job_service_pb2_grpc import JobServiceStub
from spotilike.streaming.v1.playback_pb2 import Playback
from spotilike.streaming.v1.playback_service_pb2 import StartPlaybackRequest
from spotilike.streaming.v1.playback_service_pb2_grpc import PlaybackServiceStub
from spotilike.user.v1.session_pb2 import SessionCredentials
from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from spotilike.user.v1.user_pb2 import User
from spotilike.user.v1.user_service_pb2 import CreateUserRequest, RequestPasswordResetRequest
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.permissions.callers import CALLERS, MEDIA_TOKEN, OWNER, REFRESH_TOKEN, Caller
from tests.streaming.shelf import Shelf
from tests.support.catalog import Edge
from tests.support.mailbox import Mailbox
from tests.support.processing import until
from tests.support.rows import Rows
from tests.support.services import PASSWORD, Account, RunningService, SignUp

ADMIN_ROLE = "ROLE_ADMIN"

Made = TypeVar("Made")


@dataclass
class World:
    """One artist with a team, one album that is out, and people who own things; all calls share it."""

    sign_up: SignUp
    catalog: Edge
    services: dict[str, RunningService]
    """The service of each context."""
    user_rows: Rows
    mailbox: Mailbox
    shelf: Shelf
    """The artist, made by somebody who calls nothing here."""
    accounts: dict[str, Account] = field(default_factory=dict)
    """The account of each caller who has one."""
    lasting: dict[str, Any] = field(default_factory=dict)
    """What no call uses up, by its name."""

    @property
    def founder(self) -> Account:
        """Return the account behind the artist."""
        return self.shelf.account

    @property
    def artist(self) -> str:
        """Return the name of the artist."""
        return self.shelf.artist

    @property
    def album(self) -> str:
        """Return the name of the album."""
        return self.shelf.album

    @property
    def owner(self) -> Account:
        """Return the account to which things belong."""
        return self.accounts[OWNER.name]

    async def populate(self) -> None:
        """Make the account of each caller, its team membership and its roles."""
        for caller in CALLERS:
            if not caller.is_signed_in:
                continue
            account = await self.sign_up()
            if caller.granted:
                granted = [Manager.Permission.Value(name) for name in caller.granted]
                await self.catalog.manager(self.artist, self.founder, account, *granted)
            if caller.is_admin:
                await self.give_role(account, ADMIN_ROLE)
                account = await self.signed_in(account)
            self.accounts[caller.name] = account

    async def token_of(self, caller: Caller) -> str | None:
        """Return what a caller sends as an access token."""
        if caller == REFRESH_TOKEN:
            return str(self.owner.credentials.refresh_token)
        if caller == MEDIA_TOKEN:
            return (await self.playback()).media_token
        return self.accounts[caller.name].credentials.access_token if caller.is_signed_in else None

    async def give_role(self, account: Account, role: str) -> None:
        """Give somebody a role, which counts from the next sign-in on."""
        await self.user_rows(
            "INSERT INTO user_roles (user_id, role_id) SELECT :user, id FROM roles WHERE name = :role"
            " ON CONFLICT DO NOTHING",
            user=account.id,
            role=role,
        )

    async def newcomer(self) -> str:
        """Make an account that nobody has signed in to; answers its address, to which a mail is on its way."""
        email = f"{uuid4().hex[:12]}@example.org"
        account = User(email=email, username=f"new-{uuid4().hex[:12]}")
        users = self.services["user"].public(UserServiceStub)
        await users.CreateUser(CreateUserRequest(user=account, password=PASSWORD))
        return email

    async def reset_link(self) -> str:
        """Make an account whose password was forgotten; answers what the link in the mail carries."""
        email = await self.newcomer()
        users = self.services["user"].public(UserServiceStub)
        await users.RequestPasswordReset(RequestPasswordResetRequest(email=email))
        return await self.mailbox.token(email, "reset-password")

    async def session(self, account: Account) -> SessionCredentials:
        """Sign a further device in."""
        sessions = self.services["user"].public(SessionServiceStub)
        request = CreateSessionRequest(email=account.email, password=PASSWORD)
        credentials: SessionCredentials = await sessions.CreateSession(request)
        return credentials

    async def signed_in(self, account: Account) -> Account:
        """Sign somebody in again, so that what has changed counts."""
        return Account(account.id, account.email, account.username, await self.session(account))

    async def track(self) -> str:
        """Make a track that can be heard."""
        return await self.shelf.add()

    async def upload(self) -> "SentUpload":
        """Open an upload and send its only part."""
        track = await self.catalog.track(self.founder, self.album)
        opened = await self.catalog.open(self.founder, track.name, 6)
        return SentUpload(opened, await self.catalog.send_all(opened))

    def target(self, collection: str) -> tuple[str, Account]:
        """Return what has pictures in a collection, and somebody who may change them."""
        targets = {
            "albums": (self.album, self.founder),
            "artists": (self.artist, self.founder),
            "users": (self.owner.name, self.owner),
        }
        return targets[collection]

    async def picture(self, collection: str) -> "SentPicture":
        """Open a picture and send it."""
        target, account = self.target(collection)
        opened = await self.catalog.open_picture(account, target)
        return SentPicture(opened.name, await self.catalog.send_picture(opened))

    async def job(self) -> str:
        """Complete an upload and wait until processing has taken its job in."""
        sent = await self.upload()
        completed = await self.catalog.complete(self.founder, sent.upload, sent.parts)
        jobs = self.services["processing"].public(JobServiceStub)

        async def is_known() -> bool:
            call = jobs.GetJob(GetJobRequest(name=completed.job), metadata=self.founder.metadata)
            return (await call.code()).name == "OK"

        await until(is_known)
        return completed.job

    async def playback(self) -> Playback:
        """Start to listen, as the owner."""
        track = await self.shared("track", self.track)
        playbacks = self.services["streaming"].public(PlaybackServiceStub)
        started: Playback = await playbacks.StartPlayback(
            StartPlaybackRequest(track=track), metadata=self.owner.metadata
        )
        return started

    async def shared(self, name: str, make: Callable[[], Awaitable[Made]]) -> Made:
        """Return the thing of this name, made when it is first asked for."""
        if name not in self.lasting:
            self.lasting[name] = await make()
        made: Made = self.lasting[name]
        return made


@dataclass(frozen=True)
class SentUpload:
    """An open upload whose parts have arrived."""

    upload: Upload
    parts: list[Any]


@dataclass(frozen=True)
class SentPicture:
    """An open picture that has arrived."""

    name: str
    etag: str


@dataclass
class Stage:
    """The world as one caller finds it who will get through."""

    world: World
    caller: Caller
    token: str | None
    """What the caller sends as an access token."""

    async def leaving_owner(self) -> Account:
        """Return an account that the call ends or signs out; if it belongs to the caller, they call with its token."""
        account: Account = await self.world.sign_up()
        if self.caller.owns:
            self.token = account.credentials.access_token
        return account
