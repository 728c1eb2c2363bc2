"""Settings of the user service; the only reader of its environment."""

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, SecretStr

from services.common.settings import DatabaseSettings, NatsSettings, ServiceSettings


class Settings(ServiceSettings, NatsSettings):
    """What the user service needs beside what every service needs."""

    catalog_internal: str
    """host:port of the catalog's internal listener, which knows whose artists would be left alone."""
    key_encryption_secret: SecretStr
    """Fernet keys between commas: the first one seals the signing keys in the database, the others open older ones."""
    key_days: float = 30
    """Days for which a key signs access tokens."""
    refresh_secret: SecretStr
    """Secret under which a refresh token determines its successor."""
    access_token_seconds: int = 900
    """Life of an access token, at most 900 seconds."""
    refresh_token_days: int = 30
    """Days without use after which a session ends."""
    session_days: int = 180
    """Days after which a session ends in any case."""
    expired_token_days: int = 30
    """Days for which an expired refresh token is still known, so that its use is seen as what it is."""
    trail_days: int = 90
    """Days for which an account's trail, with its addresses, is kept."""
    sign_up: Literal["open", "strict"] = "open"
    """In the strict mode sign-up does not tell whether an address has an account, and an account signs in only after
    its address was confirmed."""
    password_threads: int = 2
    """Passwords that are hashed at once; each takes the memory below."""
    password_queue: int = 32
    """Passwords that may wait to be hashed; more are refused at once."""
    password_memory_kib: int = 19 * 1024
    """Memory that a hash takes. When this or the next setting rises, hashes are made again at sign-in."""
    password_passes: int = 2
    """Passes over that memory."""
    public_url: str
    """Where people reach the player; links in mails begin with it."""
    smtp_host: str
    smtp_port: int
    smtp_security: Literal["tls", "starttls", "none"] = "starttls"
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: str = "Spotilike <no-reply@spotilike.dev>"
    """Sender of the mails."""


class RecoverySettings(DatabaseSettings, NatsSettings):
    """What is needed to put the database right after it went back to a moment."""

    restored_to: AwareDatetime
    """The moment, such as 2026-01-01T12:00:00Z."""
    broker_lost: bool = False
    """The broker has lost what it knew of erasures: only the file says who was erased."""
    erasures_file: Path | None = None
    """File with ids of people who were erased, one a line."""
