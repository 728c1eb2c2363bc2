"""Settings of the user service; the only reader of its environment."""

from pydantic import SecretStr

from services.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the user service needs beside what every service needs."""

    key_encryption_secret: SecretStr
    """Fernet key that seals the signing keys in the database."""
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
    password_threads: int = 2
    """Passwords that are hashed at once; each takes 19 MiB."""
    password_queue: int = 32
    """Passwords that may wait to be hashed; more are refused at once."""
