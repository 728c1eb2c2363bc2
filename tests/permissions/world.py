"""The people and the things that the calls of the matrix are about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from services.common import events
from services.user.domain import MailKind, link_hash, new_token
from spotilike.catalog.v1.artwork_pb2 import Artwork
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.catalog.v1.upload_pb2 import Upload
from spotilike.events.v1.catalog_events_pb2 import FolderRetired
from spotilike.processing.v1.job_service_pb2 import CancelJobRequest, GetJobRequest
from spotilike.processing.v1.job_service_pb2_grpc import JobServiceStub
from spotilike.streaming.v1.playback_pb2 import Playback
from spotilike.streaming.v1.playback_service_pb2 import StartPlaybackRequest
from spotilike.streaming.v1.playback_service_pb2_grpc import PlaybackServiceStub
from spotilike.user.v1.session_pb2 import SessionCredentials
from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from tests.permissions.callers import CALLERS, MEDIA_TOKEN, OWNER, REFRESH_TOKEN, Caller
from tests.streaming.shelf import Shelf
from tests.support.catalog import Edge
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
    processing_rows: Rows
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

    async def link(self, purpose: MailKind) -> str:
        """Return what a link in a mail carries, to the account of somebody who is not signed in."""
        account = await self.shared("forgetful", self.sign_up)
        token = new_token()
        await self.user_rows(
            "INSERT INTO links (token_hash, purpose, user_id, address, expires_at)"
            " VALUES (:hash, :purpose, :user, :email, now() + interval '1 hour')",
            hash=link_hash(token),
            purpose=purpose,
            user=account.id,
            email=account.email,
        )
        return token

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

    async def picture(self, target: str) -> "SentPicture":
        """Open an upload of a picture of the owner or of something of the founder's, and send its bytes."""
        await self.forget_who_opened_pictures()
        account = self.owner if target == self.owner.name else self.founder
        opened = await self.catalog.open_picture(account, target)
        return SentPicture(opened, await self.catalog.send_picture(opened))

    async def forget_who_opened_pictures(self) -> None:
        """Let pictures that nobody will finish count for nobody's quota."""
        await self.shelf.rows("UPDATE artworks SET created_by = gen_random_uuid()")

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

    async def cancel(self, job: str) -> None:
        """Cancel a job, as the founder."""
        jobs = self.services["processing"].public(JobServiceStub)
        await jobs.CancelJob(CancelJobRequest(name=job), metadata=self.founder.metadata)

    async def dead_letter(self) -> str:
        """Put an event aside that can be applied now."""
        track = uuid4()
        event = events.new(f"tracks/{track}", FolderRetired(track=str(track), folder=f"tracks/{track}/{uuid4()}"))
        [row] = await self.processing_rows(
            "INSERT INTO dead_letters (subject, payload, error) VALUES (:subject, :event, 'ValueError') RETURNING id",
            subject="spotilike.catalog.folder_retired",
            event=event.SerializeToString(),
        )
        return f"deadLetters/{row.id}"

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
    """An open upload of a picture whose bytes have arrived."""

    artwork: Artwork
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
