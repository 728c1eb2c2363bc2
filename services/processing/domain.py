"""The rules of jobs: what a job is, how often it is tried, and what may be thrown away."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.common import errors, names

CRASHED = "ENCODER_CRASHED"
ERROR_LOG_LENGTH = 16 << 10
MESSAGE_LENGTH = 1000


class Status(StrEnum):
    """How far a job is."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Outcome(StrEnum):
    """How an attempt ended. The folders of all but the completed ones are garbage."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    """The job failed with it, or is tried again."""
    RELEASED = "RELEASED"
    """Its worker gave the job back."""
    ABANDONED = "ABANDONED"
    """Its worker fell silent."""


@dataclass(frozen=True)
class Master:
    """What an artist uploaded."""

    track_id: UUID
    artist_id: UUID
    generation: int
    """Rises with every master of the track."""
    source_bucket: str
    source_key: str
    size_bytes: int
    sha256: str | None
    """Lower-case hexadecimal, when the client announced it."""
    filename: str
    """At the client; for messages only."""


@dataclass(frozen=True)
class Job:
    """The processing of one master."""

    id: UUID
    master: Master
    status: Status
    stage: str | None
    percent: int
    attempt: int
    """Which try this is, from 1; 0 before the first."""
    attempt_id: UUID | None
    """Who may write: the try that holds the job or ended it."""
    worker_deaths: int
    """How many workers fell silent over it."""
    reason: str | None
    message: str | None
    error_log: str | None
    folder: str | None
    facts: bytes | None
    """Serialized AudioFacts."""
    created_at: datetime
    updated_at: datetime

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in (Status.COMPLETED, Status.FAILED)


@dataclass(frozen=True)
class Lease:
    """The right of one attempt to work on a job, until it ends or another attempt takes the job over."""

    job: Job
    attempt_id: UUID

    @property
    def folder(self) -> str:
        """Where the attempt writes: nobody else ever does."""
        return f"{names.track(self.job.master.track_id)}/{self.attempt_id}"


class LeaseLostError(Exception):
    """The job belongs to another attempt by now; nothing was written."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt did not complete its job."""

    reason: str
    """A stable word."""
    message: str
    """For the artist."""
    log: str = ""
    """The encoder's own words."""
    transient: bool = False
    """Whether the same master may pass next time."""

    @property
    def bounded_log(self) -> str | None:
        """As much of the log as is kept; PostgreSQL takes no NUL."""
        return self.log.replace("\0", "")[:ERROR_LOG_LENGTH] or None


class RefusedError(Exception):
    """An attempt that ends with a failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclass(frozen=True)
class Patience:
    """How often a job is tried and how long it waits in between. Times are in seconds."""

    tries: int
    worker_deaths: int
    """A master over which so many workers fell silent is poison."""
    first_pause: float
    longest_pause: float

    def pause(self, attempt: int, chance: float) -> float | None:
        """Say how long to wait after a try, or None when there is none left.

        The pause doubles; `chance` from 0 to 1 takes up to half of it away, so that jobs which failed together do not
        come back together.
        """
        if attempt >= self.tries:
            return None
        pause = min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))
        return pause * (1 - chance / 2)

    def gives_up(self, attempt: int, worker_deaths: int) -> bool:
        """Whether a job whose worker fell silent must not be given to another one."""
        return attempt >= self.tries or worker_deaths >= self.worker_deaths


def poison() -> Failure:
    """Describe a job that ended its workers again and again."""
    message = "Processing stopped unexpectedly each time. Export the master in another format and upload it again."
    return Failure(CRASHED, message, log="The workers which had this job fell silent.")


def check_folder(folder: str, track_id: UUID) -> None:
    """Raise ValueError unless this is a folder that an attempt at this track may have made.

    What is removed is everything below the name, so that a wrong one must never come as far.
    """
    if not re.fullmatch(f"{names.track(track_id)}/{names.ID}", folder):
        raise ValueError(f"{folder!r} is no folder of the track {track_id}")


def job_not_found(name: str) -> errors.NotFound:
    """Refuse because there is no such job, or not yet, or not for this caller."""
    return errors.NotFound(
        "JOB_NOT_FOUND", "There is no such job. Right after an upload, try again.", retry_seconds=1.0, name=name
    )
