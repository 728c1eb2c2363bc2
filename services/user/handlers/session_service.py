"""Signing in and out on the wire."""

from datetime import datetime
from uuid import UUID, uuid4

from google.protobuf.empty_pb2 import Empty

from services.common import auth, names
from services.common.interceptors import Context
from services.common.keys import Keyring
from services.common.pages import PageRequest
from services.user import domain
from services.user.domain import RefreshToken, Session, SessionPolicy, User, Verdict
from services.user.handlers.user_service import private
from services.user.passwords import Passwords
from services.user.store import NewToken, Store, Transaction
from spotilike.user.v1 import session_pb2, session_service_pb2_grpc
from spotilike.user.v1.session_service_pb2 import (
    CreateSessionRequest,
    ListSessionsRequest,
    ListSessionsResponse,
    RefreshSessionRequest,
    RevokeSessionRequest,
)


class SessionService(session_service_pb2_grpc.SessionServiceServicer):
    """Signs devices in and out."""

    def __init__(self, store: Store, passwords: Passwords, keys: Keyring, policy: SessionPolicy) -> None:
        """Keep sessions in `store` and sign access tokens with `keys`."""
        self._store = store
        self._passwords = passwords
        self._keys = keys
        self._policy = policy

    async def CreateSession(self, request: CreateSessionRequest, context: Context) -> session_pb2.SessionCredentials:
        """Sign in with e-mail and password."""
        async with self._store.read() as tx:
            known = await tx.users.find_credentials(request.email)
        right = await self._passwords.verify(known[1] if known else None, request.password)
        if known is None or not right:
            raise domain.credentials_invalid()
        token = domain.new_refresh_token()
        async with self._store.begin() as tx:
            now = await tx.now()
            family = await tx.tokens.start_family(self._new_token(token, known[0], self._policy.expiry(now, now)))
            return await self._credentials(tx, known[0], family, token, now)

    async def RefreshSession(self, request: RefreshSessionRequest, context: Context) -> session_pb2.SessionCredentials:
        """Exchange a refresh token for new credentials."""
        async with self._store.begin() as tx:
            parent = await tx.tokens.find_for_update(request.refresh_token)
            if parent is not None:
                credentials = await self._exchange(tx, parent, request.refresh_token)
                if credentials is not None:
                    return credentials
        # Refused only after the commit: the end of a stolen session has to be kept.
        raise domain.refresh_token_invalid()

    async def ListSessions(self, request: ListSessionsRequest, context: Context) -> ListSessionsResponse:
        """List the caller's devices."""
        caller = auth.call()
        user_id = caller.user_in(request.parent)
        caller.authorize_self(user_id)
        page = PageRequest(request)
        async with self._store.read() as tx:
            sessions = await tx.tokens.sessions(user_id, page)
        current = caller.identity.session_id if caller.identity else None
        return ListSessionsResponse(
            sessions=[_session(session, current) for session in sessions.rows], next_page_token=sessions.next_token
        )

    async def RevokeSession(self, request: RevokeSessionRequest, context: Context) -> Empty:
        """Sign a device out."""
        caller = auth.call()
        user_id = caller.user_in(request.name)
        caller.authorize_self(user_id)
        async with self._store.begin() as tx:
            ended = await tx.tokens.end_family(user_id, names.parse(request.name))
        if not ended:
            raise domain.session_not_found(request.name)
        return Empty()

    async def _exchange(
        self, tx: Transaction, parent: RefreshToken, token: str
    ) -> session_pb2.SessionCredentials | None:
        now = await tx.now()
        child = self._policy.child_of(token)
        verdict = domain.judge(parent, now)
        if verdict is Verdict.REPEAT and not await tx.tokens.is_alive(child):
            verdict = Verdict.REFUSE
        if verdict is Verdict.END_SESSION:
            await tx.tokens.end_family(parent.user_id, parent.family_id)
        if verdict in (Verdict.END_SESSION, Verdict.REFUSE):
            return None
        if verdict is Verdict.ROTATE:
            expires_at = self._policy.expiry(parent.family_created_at, now)
            await tx.tokens.replace(parent, self._new_token(child, parent.user_id, expires_at))
        return await self._credentials(tx, parent.user_id, parent.family_id, child, now)

    def _new_token(self, token: str, user_id: UUID, expires_at: datetime) -> NewToken:
        caller = auth.call()
        return NewToken(token, user_id, caller.address, domain.device_info(caller.device), expires_at)

    async def _credentials(
        self, tx: Transaction, user_id: UUID, family: UUID, refresh_token: str, now: datetime
    ) -> session_pb2.SessionCredentials:
        user = await tx.users.find(user_id)
        session = await tx.tokens.session(family)
        if user is None or session is None:
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


def _session(session: Session, current: UUID | None) -> session_pb2.Session:
    shown = session_pb2.Session(
        name=f"{names.user(session.user_id)}/sessions/{session.id}",
        ip_address=session.address,
        device_info=session.device or "",
        current=session.id == current,
    )
    shown.create_time.FromDatetime(session.created_at)
    shown.last_use_time.FromDatetime(session.last_used_at)
    shown.expire_time.FromDatetime(session.expires_at)
    return shown
