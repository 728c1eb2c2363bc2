"""Signing in and out on the wire."""

from datetime import datetime
from uuid import UUID, uuid4

from google.protobuf.empty_pb2 import Empty

from services.common import auth, names
from services.common.interceptors import Context
from services.common.keys import Keyring
from services.common.pages import PageRequest
from services.user import cookies, domain, events
from services.user.cookies import Cookies
from services.user.domain import EventType, MailKind, RefreshToken, Session, SessionPolicy, User, Verdict
from services.user.gate import Gate
from services.user.handlers.callers import language, place
from services.user.handlers.user_service import private
from services.user.store import NewToken, Store, Transaction
from spotilike.user.v1 import session_pb2, session_service_pb2_grpc
from spotilike.user.v1.session_service_pb2 import (
    CreateSessionRequest,
    ListSessionsRequest,
    ListSessionsResponse,
    RefreshSessionRequest,
    RevokeOtherSessionsRequest,
    RevokeSessionRequest,
)


class SessionService(session_service_pb2_grpc.SessionServiceServicer):
    """Signs devices in and out."""

    def __init__(self, store: Store, gate: Gate, keys: Keyring, policy: SessionPolicy, trusted: Cookies) -> None:
        """Keep sessions in `store`, sign access tokens with `keys`, and read cookies of `trusted` pages."""
        self._store = store
        self._gate = gate
        self._keys = keys
        self._policy = policy
        self._cookies = trusted

    async def CreateSession(self, request: CreateSessionRequest, context: Context) -> session_pb2.SessionCredentials:
        """Sign in with e-mail and password."""
        if request.use_cookie:
            self._cookies.check_origin(context.invocation_metadata() or ())
        admission = await self._gate.check(request.email, request.password, place())
        if admission is None:
            raise domain.credentials_invalid()
        await self._keys.check()
        async with self._store.begin() as tx:
            user = await admission.lock(tx)
            if user is None:
                raise domain.credentials_invalid()
            if user.is_disabled:
                raise domain.user_disabled()
            if may_enter := user.is_verified or not self._policy.verified_only:
                credentials = await self._start(tx, user, admission.attempt)
            else:
                await tx.mails.add(MailKind.VERIFY_EMAIL, user.email, language(context), user.id)
        if not may_enter:
            # Refused only after the commit, for the mail has to be sent, and as a wrong password is: whoever has just
            # signed up with somebody's address must not learn whether it was new.
            raise domain.credentials_invalid()
        return await _answer(credentials, context, in_cookie=request.use_cookie)

    async def RefreshSession(self, request: RefreshSessionRequest, context: Context) -> session_pb2.SessionCredentials:
        """Exchange a refresh token for new credentials."""
        in_cookie = not request.refresh_token
        token = request.refresh_token or self._cookies.read(context.invocation_metadata() or ())
        credentials = await self._refresh(token) if token else None
        if credentials is None:
            if in_cookie:
                await context.send_initial_metadata((cookies.drop(),))
            raise domain.refresh_token_invalid()
        return await _answer(credentials, context, in_cookie=in_cookie)

    async def ListSessions(self, request: ListSessionsRequest, context: Context) -> ListSessionsResponse:
        """List the caller's devices."""
        caller = auth.call()
        user_id = caller.user_in(request.parent)
        caller.authorize_self(user_id)
        page = PageRequest(request)
        async with self._store.read() as tx:
            sessions = await tx.sessions.page(user_id, page)
        current = caller.identity.session_id if caller.identity else None
        return ListSessionsResponse(
            sessions=[_session(session, current) for session in sessions.rows], next_page_token=sessions.next_token
        )

    async def RevokeSession(self, request: RevokeSessionRequest, context: Context) -> Empty:
        """Sign a device out."""
        caller = auth.call()
        user_id, session_id = caller.user_in(request.name), names.parse(request.name)
        caller.authorize_self(user_id)
        async with self._store.begin() as tx:
            await tx.users.lock(user_id)
            ended = await tx.sessions.end(user_id, session_id)
            if not ended:
                raise domain.session_not_found(request.name)
            await events.sessions_ended(tx, user_id, ended)
            await tx.trail.add(user_id, EventType.SIGNED_OUT, place(), session_id)
        if caller.identity and caller.identity.session_id == session_id:
            await context.send_initial_metadata((cookies.drop(),))
        return Empty()

    async def RevokeOtherSessions(self, request: RevokeOtherSessionsRequest, context: Context) -> Empty:
        """Sign every other device out."""
        caller = auth.call()
        user_id = caller.user_in(request.parent)
        caller.authorize_self(user_id)
        async with self._store.begin() as tx:
            if await tx.users.lock(user_id) is None:
                raise domain.user_not_found(request.parent)
            ended = await tx.sessions.end_all(user_id, but=caller.identity.session_id if caller.identity else None)
            await events.sessions_ended(tx, user_id, ended)
            await tx.trail.add(user_id, EventType.OTHERS_SIGNED_OUT, place())
        return Empty()

    async def _start(self, tx: Transaction, user: User, attempt: UUID) -> session_pb2.SessionCredentials:
        await tx.users.keep(user.id)
        now, token = await tx.now(), domain.new_token()
        family = await tx.sessions.start_family(NewToken(token, user.id, place(), self._policy.expiry(now, now)))
        await tx.trail.succeeded(attempt, family)
        return await self._credentials(tx, user, family, token, now)

    async def _refresh(self, token: str) -> session_pb2.SessionCredentials | None:
        """Exchange a token; None when it is not good, after the end of a stolen session was kept."""
        await self._keys.check()
        async with self._store.begin() as tx:
            known = await tx.sessions.find(token)
            user = await tx.users.lock(known.user_id) if known else None
            # Read again under the lock: a twin may have exchanged it meanwhile.
            parent = await tx.sessions.find(token)
            if user is None or parent is None:
                return None
            return await self._exchange(tx, user, parent, token)

    async def _exchange(
        self, tx: Transaction, user: User, parent: RefreshToken, token: str
    ) -> session_pb2.SessionCredentials | None:
        now = await tx.now()
        child = self._policy.child_of(token)
        verdict = domain.judge(parent, now)
        if verdict is Verdict.REPEAT and not await tx.sessions.is_alive(child):
            verdict = Verdict.REFUSE
        # A session that has ended already is not news, however often its tokens are tried.
        if verdict is Verdict.END_SESSION and (ended := await tx.sessions.end(user.id, parent.family_id)):
            await events.sessions_ended(tx, user.id, ended)
            await tx.trail.add(user.id, EventType.REFRESH_TOKEN_REUSED, place(), parent.family_id)
        if verdict in (Verdict.END_SESSION, Verdict.REFUSE):
            return None
        if verdict is Verdict.ROTATE:
            expires_at = self._policy.expiry(parent.family_created_at, now)
            await tx.sessions.replace(parent, NewToken(child, user.id, place(), expires_at))
        return await self._credentials(tx, user, parent.family_id, child, now)

    async def _credentials(
        self, tx: Transaction, user: User, family: UUID, refresh_token: str, now: datetime
    ) -> session_pb2.SessionCredentials:
        session = await tx.sessions.find_family(family)
        if session is None:
            raise domain.refresh_token_invalid()
        access_expires = now + self._policy.access_token
        credentials = session_pb2.SessionCredentials(
            session=_session(session, family),
            user=private(user),
            access_token=await self._access_token(user, family, now, access_expires),
            refresh_token=refresh_token,
        )
        credentials.access_token_expire_time.FromDatetime(access_expires)
        credentials.refresh_token_expire_time.FromDatetime(session.expires_at)
        return credentials

    async def _access_token(self, user: User, family: UUID, now: datetime, expires: datetime) -> str:
        claims = {
            "iss": auth.ISSUER,
            "aud": auth.AUDIENCE,
            "sub": str(user.id),
            "sid": str(family),
            "jti": str(uuid4()),
            "roles": list(user.roles),
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
        }
        return await self._keys.sign(claims, auth.TOKEN_TYPE)


async def _answer(
    credentials: session_pb2.SessionCredentials, context: Context, *, in_cookie: bool
) -> session_pb2.SessionCredentials:
    """Move the refresh token into the cookie where a browser keeps it."""
    if in_cookie:
        lasts = credentials.refresh_token_expire_time.seconds - credentials.session.last_use_time.seconds
        await context.send_initial_metadata((cookies.keep(credentials.refresh_token, lasts),))
        credentials.ClearField("refresh_token")
    return credentials


def _session(session: Session, current: UUID | None) -> session_pb2.Session:
    shown = session_pb2.Session(
        name=names.session(session.user_id, session.id),
        ip_address=session.place.address,
        device_info=session.place.device or "",
        current=session.id == current,
    )
    shown.create_time.FromDatetime(session.created_at)
    shown.last_use_time.FromDatetime(session.last_used_at)
    shown.expire_time.FromDatetime(session.expires_at)
    return shown
