"""Settings of the processing service and of its workers; the only reader of their environment."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from services.common.settings import DatabaseSettings, NatsSettings, ServiceSettings, StorageSettings
from services.processing.media.ladder import LADDER, Rung, ladder

Ladder = Annotated[tuple[Rung, ...], NoDecode, BeforeValidator(ladder)]
"""Renditions, written as words between commas."""


class Settings(ServiceSettings, NatsSettings, StorageSettings):
    """What the processing service needs beside what every service needs."""

    catalog_internal: str
    """host:port of the catalog's internal listener; it knows who may see which jobs."""
    preview_grace_seconds: float = 24 * 3600
    """How long a preview stays, in seconds; the picture inside the master is offered as long."""
    abandoned_grace_seconds: float = 3600
    """How long the folder of an attempt stays after the attempt ended without completing its job, in seconds."""
    retired_grace_seconds: float = 25 * 3600
    """How long a retired folder stays, in seconds: longer than a playback that began with it can go on."""
    replaced_grace_seconds: float = 3600
    """How long the images of a replaced picture stay, in seconds: pages that name them are still open."""
    recovery_window_seconds: float = 0
    """How far back the databases may be restored without the object store, in seconds: what was retired since is needed
    then, so that no retired folder or picture is removed sooner."""
    watch_seconds: float = 0.5
    """How often a process looks for jobs that have changed while somebody watches them, in seconds; a nudge makes it
    look at once."""
    heartbeat_seconds: float = 15
    """How often a stream of changes says something at least, in seconds; permissions are looked at again then."""
    sweep_seconds: float = 60
    """How often folders are removed, in seconds."""


class WorkerSettings(DatabaseSettings, NatsSettings, StorageSettings):
    """What a worker needs. It has no listeners."""

    database_pool: int = 3
    scratch_dir: Path | None = None
    """Where masters are kept while they are read; the system's temporary folder when unset."""
    ffmpeg: Path | None = None
    """Another FFmpeg than the bundled one."""
    renditions: Ladder = Field(default=LADDER, validate_default=False)
    """What is made of a master: `aac-KILOBITS`, `opus-KILOBITS` and, of lossless masters, `flac-lossless`."""
    segment_seconds: Annotated[int, Field(ge=1, le=10)] = 4
    """Length of a segment of a rendition, in seconds."""
    longest_master_seconds: int = 7200
    """Music in a master, at most."""
    encoder_memory_bytes: int = 512 << 20
    """Memory that one FFmpeg may touch for a master, in bytes."""
    picture_memory_bytes: int = 1 << 30
    """Memory that one FFmpeg may touch for a picture, in bytes: it holds every pixel several times."""
    lease_seconds: float = 10.0
    """How long a silent worker keeps its task, in seconds."""
    heartbeat_seconds: float = 2.5
    """How often a worker prolongs its lease, in seconds."""
    check_seconds: float = 1.0
    """How often a worker looks whether its task was cancelled, in seconds; a nudge makes it look at once."""
    poll_seconds: float = 1.0
    """How often an idle worker looks for a task, in seconds; a nudge makes it look at once."""
    tries: int = 5
    """How often a task is tried."""
    worker_deaths: int = 3
    """How many workers may fall silent over a task before it is given up."""
    retry_seconds: float = 2.0
    """Pause after the first try, in seconds; it doubles with each further one."""
    longest_retry_seconds: float = 60.0
    """Longest pause between tries, in seconds."""
    drain_seconds: float = 10.0
    """How long a task may go on after SIGTERM before it is given back, in seconds."""
