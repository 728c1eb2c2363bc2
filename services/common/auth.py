"""Who calls, and whether they may.

Every service verifies access tokens itself (RFC 9068 profile: EdDSA, `typ`, issuer, audience, expiry), whatever
the edge has done before. The permission of an RPC stands in its contract; a handler of an RPC that depends on a
resource asks `authorize_self` or `authorize_manager`, and a call that ends without a decision is refused.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Collection, Container
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.common import errors
from services.common.contract import Method
from spotilike.auth.v1.permission_pb2 import Permission

ISSUER = "https://spotilike.dev/user"
AUDIENCE = "spotilike"
TOKEN_TYPE = "at+jwt"  # noqa: S105 (RFC 9068, section 2.1)
LONGEST_LIFE_SECONDS = 15 * 60
CLOCK_SKEW_SECONDS = 5
CACHED_TOKENS = 10_000

COMPACT_FORM = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
"""Three parts in base64url without padding (RFC 7515); parsers forgive more."""

ADMIN = "ROLE_ADMIN"
ALL = "ALL"


@dataclass(frozen=True)
class Identity:
    """What a valid access token says."""

    user_id: UUID
    session_id: UUID
    roles: frozenset[str]
    expires_at: float
    """Unix time, in seconds."""
    kid: str
    """Id of the key that signed it."""

    @property
    def seconds_left(self) -> float:
        """How long the token still counts; the difference between two clocks is forgiven as at the first look."""
        return self.expires_at + CLOCK_SKEW_SECONDS - time.time()


class KeySource(Protocol):
    """Where the public keys of access tokens come from."""

    async def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """Find a key by its id; None when it was never published or is withdrawn."""


class TokenVerifier:
    """Verifies access tokens and remembers the verdict of each until it expires."""

    def __init__(self, keys: KeySource, ended_sessions: Container[UUID] = frozenset()) -> None:
        """Verify with the keys of `keys`; the tokens of `ended_sessions` count no more."""
        self._keys = keys
        self._ended_sessions = ended_sessions
        self._known: OrderedDict[bytes, Identity] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Read a token, or refuse with TOKEN_INVALID."""
        fingerprint = hashlib.sha256(token.encode()).digest()
        identity = self._known.get(fingerprint)
        if identity is None:
            identity = await self._read(token)
            self._remember(fingerprint, identity)
        elif identity.seconds_left <= 0 or await self._keys.public_key(identity.kid) is None:
            del self._known[fingerprint]
            raise invalid()
        if identity.session_id in self._ended_sessions:
            raise invalid()
        return identity

    def _remember(self, fingerprint: bytes, identity: Identity) -> None:
        self._known[fingerprint] = identity
        if len(self._known) > CACHED_TOKENS:
            self._known.popitem(last=False)

    async def _read(self, token: str) -> Identity:
        if not COMPACT_FORM.fullmatch(token):
            raise invalid()
        try:
            header = jwt.get_unverified_header(token)
            kid = str(header.get("kid", ""))
            key = await self._keys.public_key(kid)
            if key is None or header.get("typ") != TOKEN_TYPE:
                raise invalid()
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "sid"]},
            )
            if not 0 < claims["exp"] - claims["iat"] <= LONGEST_LIFE_SECONDS:
                raise invalid()
            roles = frozenset(str(role) for role in claims.get("roles", ()))
            return Identity(UUID(claims["sub"]), UUID(claims["sid"]), roles, float(claims["exp"]), kid)
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError) as damaged:
            raise invalid() from damaged


@dataclass
class Call:
    """One running call: who makes it, from where, under which rule, and whether it was decided."""

    method: Method
    identity: Identity | None
    address: str
    """IP address of the client as the edge saw it."""
    device: str | None
    """The client's User-Agent."""
    decided: bool = field(default=False)
    rule: Permission = field(init=False)
    """The contract's permission; where that depends on the target, the chosen part of it."""

    def __post_init__(self) -> None:
        """Begin with the permission of the RPC."""
        self.rule = self.method.permission

    @property
    def user_id(self) -> UUID:
        """The signed-in caller; refuses when there is none."""
        if self.identity is None:
            raise missing()
        return self.identity.user_id

    @property
    def is_admin(self) -> bool:
        """Whether the caller is an administrator."""
        return self.identity is not None and ADMIN in self.identity.roles

    def user_in(self, name: str) -> UUID:
        """Read the user of `users/{user}` or of anything below it; `users/me` is the caller."""
        part = name.split("/")[1]
        return self.user_id if part == "me" else UUID(part)

    def choose_rule(self, collection: str) -> None:
        """Go on with what the contract says for a target of this collection; nothing is decided by that."""
        self.rule = next(rule for rule in self.method.permission.by_collection if rule.collection == collection)

    def authorize_self(self, owner: UUID) -> None:
        """Pass the user that a resource belongs to, and an administrator where the contract says so."""
        self.decided = True
        if self.identity is not None and owner == self.user_id:
            return
        if self.is_admin and self.rule.or_admin:
            return
        raise errors.PermissionDenied("PERMISSION_MISSING", "This belongs to another user.", permission="SELF")

    def authorize_manager(self, granted: Collection[str], resource: str) -> None:
        """Pass a manager who was granted what the contract demands, and an administrator where it says so.

        `granted` are the caller's permissions for the artist that `resource` belongs to.
        """
        self.decided = True
        needed = self.rule.permission
        if needed in granted or ALL in granted:
            return
        if self.is_admin and self.rule.or_admin:
            return
        raise errors.PermissionDenied(
            "PERMISSION_MISSING",
            f"You need the permission {needed} for {resource}.",
            permission=needed,
            resource=resource,
        )

    def start(self) -> None:
        """Make the coarse decision: who needs no further look passes, who cannot pass in any case does not."""
        kind = self.method.permission.kind
        if kind not in (Permission.NONE, Permission.SERVICE) and self.identity is None:
            raise missing()
        if kind == Permission.ADMIN and not self.is_admin:
            raise errors.PermissionDenied("PERMISSION_MISSING", "This is for administrators.", permission="ADMIN")
        self.decided = kind in (Permission.NONE, Permission.USER, Permission.SERVICE, Permission.ADMIN)


_running: ContextVar[Call] = ContextVar("call")


def begin(call: Call) -> None:
    """Make `call` the one that the current task works for."""
    _running.set(call)


def call() -> Call:
    """Answer the call that the current task works for."""
    return _running.get()


def missing() -> errors.Unauthenticated:
    """Refuse a call without a token."""
    return errors.Unauthenticated("TOKEN_MISSING", "Sign in and send the access token in the Authorization header.")


def invalid() -> errors.Unauthenticated:
    """Refuse a token that does not count, or no longer."""
    return errors.Unauthenticated("TOKEN_INVALID", "The access token is not valid any more. Refresh the session.")
