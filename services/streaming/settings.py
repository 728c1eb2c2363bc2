"""Settings of the streaming service; the only reader of its environment."""

from pydantic import SecretStr

from services.common.settings import DatabaseSettings, NatsSettings, ServiceSettings


class Settings(ServiceSettings, NatsSettings):
    """What the streaming service needs beside what every service needs."""

    key_encryption_secret: SecretStr
    """Fernet keys between commas: the first one seals the signing keys in the database, the others open older ones."""
    key_days: float = 30
    """Days for which a key signs media tokens."""
    catalog_internal: str
    """host:port of the catalog service's internal listener, which decides what may be heard."""
    media_token_seconds: int = 600
    """Life of a media token, in seconds."""
    playback_hours: int = 24
    """How long after its start a playback gets new media tokens, in hours."""
    playback_timeout_seconds: float = 90.0
    """A playback that was neither reported nor renewed for so long is closed, in seconds."""
    sweep_seconds: float = 5.0
    """How often silent playbacks are looked for, in seconds."""
    playback_keep_days: int = 30
    """How long closed playbacks are kept, in days. The history stays."""


class RecoverySettings(DatabaseSettings):
    """What is needed to put the database right after it went back to a moment."""
