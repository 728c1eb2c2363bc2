"""The rules of accounts, passwords and sessions."""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from ipaddress import ip_address, ip_network
from uuid import UUID, uuid4

from services.common import errors

DEVICE_INFO_LENGTH = 255
NETWORK_BITS = {4: 32, 6: 64}
"""How much of an address, by the version of IP, says which subscriber it belongs to."""
GRACE = timedelta(seconds=10)
"""How long a rotated token still answers its child: concurrent tabs and lost answers are no theft."""
FREE_ATTEMPTS = 5
"""Wrong passwords without a pause."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=15)
ATTEMPTS_FORGOTTEN = timedelta(hours=24)
VERIFICATION_LIFE = timedelta(hours=24)
RESET_LIFE = timedelta(hours=1)

ROLE_USER = "ROLE_USER"
ROLE_ADMIN = "ROLE_ADMIN"


@dataclass(frozen=True)
class User:
    """An account."""

    id: UUID
    email: str
    username: str
    avatar_url: str | None
    """Key of the picture."""
    is_verified: bool
    is_disabled: bool
    disabled_reason: str | None
    roles: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    password_set_at: datetime


@dataclass(frozen=True)
class Place:
    """Where a call comes from, as the edge saw it."""

    address: str
    device: str | None
    """What the device calls itself (its User-Agent), cut to what the schema holds."""

    @classmethod
    def of(cls, address: str, agent: str | None) -> "Place":
        """Describe where a call comes from."""
        return cls(address, agent[:DEVICE_INFO_LENGTH] if agent else None)

    @property
    def network(self) -> str:
        """The addresses that one subscriber has: one of IPv4, a /64 of IPv6, whose devices change theirs daily."""
        address = ip_address(self.address)
        return str(ip_network((address, NETWORK_BITS[address.version]), strict=False))


@dataclass(frozen=True)
class Credentials:
    """What a password is compared with."""

    user_id: UUID
    password_hash: str
    set_at: datetime
    """When the password was set; a new hash of the same password leaves it alone."""


@dataclass(frozen=True)
class Session:
    """A signed-in device: a family of refresh tokens."""

    id: UUID
    user_id: UUID
    place: Place
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
    verified_only: bool
    """Whether an address has to be confirmed before its account may sign in."""

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


@dataclass(frozen=True)
class Attempts:
    """The attempts of one subject, such as passwords for an account."""

    failures: int
    last_at: datetime
    blocked_until: datetime

    def pause(self, now: datetime) -> float:
        """Say for how many seconds no attempt is looked at."""
        return max(0.0, (self.blocked_until - now).total_seconds())

    def next(self, now: datetime, free: int = FREE_ATTEMPTS) -> "Attempts":
        """Count an attempt that is made now. After `free` of them, each one makes the pause twice as long."""
        failures = 1 if now - self.last_at > ATTEMPTS_FORGOTTEN else self.failures + 1
        doubled = max(0, failures - free)
        pause = min(FIRST_PAUSE * 2 ** min(doubled - 1, 20), LONGEST_PAUSE) if doubled else timedelta()
        return Attempts(failures, now, now + pause)


class EventType(StrEnum):
    """What can happen to an account; the names of spotilike.user.v1.AccountEvent.Type."""

    SIGNED_UP = "SIGNED_UP"
    SIGNED_IN = "SIGNED_IN"
    SIGN_IN_FAILED = "SIGN_IN_FAILED"
    SIGNED_OUT = "SIGNED_OUT"
    OTHERS_SIGNED_OUT = "OTHERS_SIGNED_OUT"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 (something that happened)
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 (something that happened)
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 (something that happened)
    EMAIL_VERIFIED = "EMAIL_VERIFIED"
    EMAIL_CHANGED = "EMAIL_CHANGED"
    USERNAME_CHANGED = "USERNAME_CHANGED"
    ROLE_GRANTED = "ROLE_GRANTED"
    ROLE_REVOKED = "ROLE_REVOKED"
    DISABLED = "DISABLED"
    ENABLED = "ENABLED"


OWN_PLACES = (EventType.SIGNED_UP, EventType.SIGNED_IN, EventType.PASSWORD_RESET)
"""A network from which one of these came is the owner's: strangers' wrong passwords do not count against it."""


@dataclass(frozen=True)
class AccountEvent:
    """One line of an account's trail."""

    id: UUID
    user_id: UUID
    type: EventType
    place: Place | None
    """None for what an administrator did."""
    session_id: UUID | None
    created_at: datetime


class MailKind(StrEnum):
    """The mails that are sent."""

    VERIFY_EMAIL = "VERIFY_EMAIL"
    """With a link that confirms the address."""
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 (a kind of mail)
    """With a link that sets a new password."""
    ACCOUNT_EXISTS = "ACCOUNT_EXISTS"
    """Somebody wanted to sign up with an address that has an account."""
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 (a kind of mail)
    EMAIL_CHANGED = "EMAIL_CHANGED"
    """To the address that was the account's before."""


@dataclass(frozen=True)
class Mail:
    """A mail that has to be sent."""

    id: int
    kind: MailKind
    address: str
    user_id: UUID | None
    language: str


@dataclass(frozen=True)
class Link:
    """What a link in a mail stands for."""

    user_id: UUID
    address: str
    """Where the link was sent to."""


def new_token() -> str:
    """Make a refresh token or a link: 256 random bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Hash a token for the database; 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def link_hash(token: str) -> bytes:
    """Hash what a link carries, in the form of its own table."""
    return hashlib.sha256(token.encode()).digest()


def composed(value: str) -> str:
    """Bring an address or a name to the composed form (NFC), in which it is compared and stored."""
    return unicodedata.normalize("NFC", value)


def placeholder() -> str:
    """Make an address that nobody has (RFC 2606), for an account that nobody will ever enter."""
    return f"{uuid4().hex}@unclaimed.invalid"


def folded(value: str) -> str:
    """Bring an e-mail address to the form in which two spellings of it are the same.

    The contract takes ASCII addresses alone; beyond ASCII Python and PostgreSQL do not lower every letter alike.
    """
    return composed(value).lower()


def account_subject(email: str, own_network: str | None) -> bytes:
    """Name the attempts for an account.

    Those from a network that the owner has come from are counted apart from those of everybody else, so that nobody can
    lock the owner out.
    """
    return hashlib.sha256(f"account\0{folded(email)}\0{own_network or ''}".encode()).digest()


def sign_up_subject(network: str) -> bytes:
    """Name the attempts from a network to sign up for accounts that exist."""
    return hashlib.sha256(f"sign-up\0{network}".encode()).digest()


def user_not_found(name: str) -> errors.NotFound:
    """Refuse because there is no such user."""
    return errors.NotFound("USER_NOT_FOUND", f"There is no user {name}.", name=name)


def session_not_found(name: str) -> errors.NotFound:
    """Refuse because there is no such session."""
    return errors.NotFound("SESSION_NOT_FOUND", "There is no such session, or it has ended already.", name=name)


def credentials_invalid() -> errors.Unauthenticated:
    """Refuse to sign in, without a hint at what was wrong."""
    return errors.Unauthenticated("CREDENTIALS_INVALID", "The e-mail and the password do not belong together.")


def password_wrong() -> errors.PermissionDenied:
    """Refuse a change that needs the password."""
    return errors.PermissionDenied("PASSWORD_WRONG", "This is not the account's password.")


def attempts_throttled(seconds: float) -> errors.ResourceExhausted:
    """Refuse to look at another attempt for a while."""
    return errors.ResourceExhausted(
        "ATTEMPTS_THROTTLED", "Too many attempts failed. Wait before the next one.", retry_seconds=seconds
    )


def refresh_token_invalid() -> errors.Unauthenticated:
    """Refuse to go on with a session."""
    return errors.Unauthenticated("REFRESH_TOKEN_INVALID", "This session has ended. Sign in again.")


def origin_forbidden() -> errors.PermissionDenied:
    """Refuse a cookie that another site made the browser send."""
    return errors.PermissionDenied("ORIGIN_FORBIDDEN", "The cookie counts only for pages of this origin.")


def user_disabled() -> errors.PermissionDenied:
    """Refuse to let a disabled account in."""
    return errors.PermissionDenied("USER_DISABLED", "This account was disabled by an administrator.")


def email_taken() -> errors.AlreadyExists:
    """Refuse an address that another account has."""
    return errors.AlreadyExists("EMAIL_TAKEN", "There is an account with this e-mail address. Sign in instead.")


def username_taken() -> errors.AlreadyExists:
    """Refuse a name that another account has."""
    return errors.AlreadyExists("USERNAME_TAKEN", "This username is taken. Choose another one.")


def link_invalid() -> errors.FailedPrecondition:
    """Refuse a link that is not good, or not any more."""
    return errors.FailedPrecondition("LINK_INVALID", "This link was used or has ended. Ask for another mail.")


def last_admin() -> errors.FailedPrecondition:
    """Refuse to leave the platform without an administrator."""
    return errors.FailedPrecondition("LAST_ADMIN", "This is the last administrator. Make another one first.")


def last_manager(artist: str) -> errors.FailedPrecondition:
    """Refuse to leave an artist alone."""
    return errors.FailedPrecondition(
        "LAST_MANAGER", f"Nobody else has ALL for {artist}. Give it to somebody or delete the artist.", artist=artist
    )
