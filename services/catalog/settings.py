"""Settings of the catalog service; the only reader of its environment."""

from services.common.settings import DatabaseSettings, NatsSettings, ServiceSettings, StorageSettings


class Settings(ServiceSettings, NatsSettings, StorageSettings):
    """What the catalog service needs beside what every service needs."""

    call_seconds: float = 30.0
    """The store joins the parts of a large master while CompleteUpload runs; the edge gives other calls less."""
    upload_part_size_bytes: int = 8 * 1024 * 1024
    """Length of every part of a master but the last; S3 demands at least 5 MiB."""
    upload_url_seconds: int = 3600
    """Life of a URL that takes one part or a picture."""
    upload_hours: float = 24.0
    """Life of an upload that is not completed."""
    open_uploads_per_user: int = 100
    """Uploads that a user may have open at once."""
    artwork_hours: float = 1.0
    """Life of a picture that is not completed."""
    unfinished_artworks_per_user: int = 20
    """Pictures of a user that may be open or in work at once."""
    sweep_seconds: float = 30.0
    """How often uploads and pictures that are overdue or without an outcome are looked for."""
    announce_again_seconds: float = 60.0
    """How long after its announcement a master or a picture without an outcome is announced again."""


class RecoverySettings(DatabaseSettings, StorageSettings):
    """What is needed to put the database right after it went back to a moment."""
