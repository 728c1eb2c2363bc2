"""The rules of accounts and sessions."""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from services.common import errors

DEVICE_INFO_LENGTH = 255
GRACE = timedelta(seconds=10)
"""How long a rotated token still answers its child: concurrent tabs and lost answers are no theft."""


@dataclass(frozen=True)
class User:
    """An account."""

    id: UUID
    email: str
    username: str
    avatar_url: str | None
    is_verified: bool
    roles: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Session:
    """A signed-in device: a family of refresh tokens."""

    id: UUID
    user_id: UUID
    address: str
    device: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class RefreshToken:
    """One token of a family, as the database knows it: by its hash alone."""

    id: int
    user_id: UUID
    family_id: UUID
    family_created_at: datetime
    expires_at: datetime
    revoked: bool
    replaced_at: datetime | None


@dataclass(frozen=True)
class SessionPolicy:
    """How long sessions live, and the secret behind their refresh tokens."""

    idle: timedelta
    """Without use."""
    absolute: timedelta
    """In any case."""
    access_token: timedelta
    """Life of an access token."""
    refresh_secret: bytes

    def expiry(self, family_created_at: datetime, now: datetime) -> datetime:
        """Say when a token that is made now ends."""
        return min(now + self.idle, family_created_at + self.absolute)

    def child_of(self, token: str) -> str:
        """Derive the successor of a refresh token.

        It depends on the parent and a server secret alone, so that everybody who exchanges the parent within the
        grace gets the same child although only hashes are stored.
        """
        digest = hmac.new(self.refresh_secret, token.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Verdict(Enum):
    """What a presented refresh token deserves."""

    ROTATE = auto()
    """It is the newest of its family: exchange it."""
    REPEAT = auto()
    """It was exchanged a moment ago: answer the same child again."""
    END_SESSION = auto()
    """It was exchanged before: somebody has a copy, so the family dies (RFC 9700, section 4.14)."""
    REFUSE = auto()
    """It is expired or revoked."""


def judge(token: RefreshToken, now: datetime) -> Verdict:
    """Decide on a presented refresh token."""
    if token.replaced_at is not None:
        return Verdict.REPEAT if now - token.replaced_at <= GRACE else Verdict.END_SESSION
    if token.revoked or token.expires_at <= now:
        return Verdict.REFUSE
    return Verdict.ROTATE


def new_refresh_token() -> str:
    """Make the first token of a family: 256 random bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Hash a token for the database; 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def composed(value: str) -> str:
    """Bring an address or a name to the composed form (NFC), in which it is compared and stored."""
    return unicodedata.normalize("NFC", value)


def device_info(agent: str | None) -> str | None:
    """Cut what a device calls itself to what the schema holds."""
    return agent[:DEVICE_INFO_LENGTH] if agent else None


def user_not_found(name: str) -> errors.NotFound:
    """Refuse because there is no such user."""
    return errors.NotFound("USER_NOT_FOUND", f"There is no user {name}.", name=name)


def session_not_found(name: str) -> errors.NotFound:
    """Refuse because there is no such session."""
    return errors.NotFound("SESSION_NOT_FOUND", "There is no such session, or it has ended already.", name=name)


def credentials_invalid() -> errors.Unauthenticated:
    """Refuse to sign in, without a hint at what was wrong."""
    return errors.Unauthenticated("CREDENTIALS_INVALID", "The e-mail and the password do not belong together.")


def refresh_token_invalid() -> errors.Unauthenticated:
    """Refuse to go on with a session."""
    return errors.Unauthenticated("REFRESH_TOKEN_INVALID", "This session has ended. Sign in again.")
