"""The rules of jobs and pictures: what they are, how often they are tried, and what may be thrown away."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from services.common import errors, names

CRASHED = "ENCODER_CRASHED"
CANCELLED = "CANCELLED"
SAME_RECORDING = "SAME_RECORDING"
SAME_RECORDING_MESSAGE = (
    "Another artist has uploaded the same recording. If it is yours, or you may publish it, there is nothing to do; "
    "otherwise remove the track."
)
ERROR_LOG_LENGTH = 16 << 10
HANDICAP_BYTES = 1 << 20
"""A job stands a second further back in the line for each of these in its master, so that short ones need not wait for
long ones."""
LONGEST_HANDICAP_SECONDS = 60
"""However long a master is, whoever came so much later stands behind it."""


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
    CANCELLED = "CANCELLED"
    """Somebody stopped the job."""


@dataclass(frozen=True)
class Source:
    """A file as it was uploaded."""

    source_bucket: str
    source_key: str
    size_bytes: int
    sha256: str | None
    """Lower-case hexadecimal, when the client announced it."""


@dataclass(frozen=True)
class Master(Source):
    """What an artist uploaded."""

    track_id: UUID
    artist_id: UUID
    generation: int
    """Rises with every master of the track."""
    filename: str
    """At the client; for messages only."""


@dataclass(frozen=True)
class Task(ABC):
    """Something in a queue that a worker does."""

    id: UUID
    status: Status
    attempt: int
    """Which try this is, from 1; 0 before the first."""
    attempt_id: UUID | None
    """Who may write: the try that holds the task or ended it."""
    worker_deaths: int
    """How many workers fell silent over it."""
    stage: str | None
    percent: int
    reason: str | None
    message: str | None
    error_log: str | None
    created_at: datetime
    updated_at: datetime
    traceparent: str | None
    """The place in the trace of the upload, where one is recorded."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in (Status.COMPLETED, Status.FAILED)

    @abstractmethod
    def folder_of(self, attempt_id: UUID) -> str:
        """Say where an attempt writes."""


@dataclass(frozen=True)
class Job(Task):
    """The processing of one master."""

    master: Master
    folder: str | None
    facts: bytes | None
    """Serialized AudioFacts."""
    preview: str | None
    """Folder in which the artist hears it before."""
    same_as: UUID | None
    """Another artist's track that holds the same recording."""

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody stopped it."""
        return self.status is Status.FAILED and self.reason == CANCELLED

    def folder_of(self, attempt_id: UUID) -> str:
        """Give each attempt a folder of its own: nobody else ever writes there."""
        return f"{names.track(self.master.track_id)}/{attempt_id}"


@dataclass(frozen=True)
class Picture(Task):
    """The making of one picture's sizes. Its id is that of the artwork."""

    source: Source
    blur_hash: str | None

    def folder_of(self, attempt_id: UUID) -> str:  # noqa: ARG002 (it does not count here)
        """Let every attempt write to the same public place: the objects are made of the same bytes, each once."""
        return str(self.id)


@dataclass(frozen=True)
class Song:
    """What was made and measured of a master."""

    facts: bytes
    """Serialized AudioFacts."""
    fingerprint: bytes = b""
    """What the recording is known by."""


AnyTask = TypeVar("AnyTask", bound=Task)


@dataclass(frozen=True)
class Lease(Generic[AnyTask]):
    """The right of one attempt to work on a task, until it ends or another attempt takes the task over."""

    task: AnyTask
    attempt_id: UUID

    @property
    def folder(self) -> str:
        """Where the attempt writes."""
        return self.task.folder_of(self.attempt_id)


class LeaseLostError(Exception):
    """The task belongs to another attempt by now; nothing was written."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt did not complete its task."""

    reason: str
    """A stable word."""
    message: str
    """For whoever uploaded it."""
    log: str = ""
    """The encoder's own words."""
    transient: bool = False
    """Whether the same file may pass next time."""

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
class DeadLetter:
    """A job or an event that was given up though it may not be at fault; it waits for a person."""

    id: UUID
    job_id: UUID | None
    """None for an event."""
    subject: str | None
    """Of an event."""
    payload: bytes | None
    """The event as it came."""
    error: str
    created_at: datetime


@dataclass(frozen=True)
class Patience:
    """How often a task is tried and how long it waits in between. Times are in seconds."""

    tries: int
    worker_deaths: int
    """A file over which so many workers fell silent is poison."""
    first_pause: float
    longest_pause: float

    def pause(self, attempt: int, chance: float) -> float | None:
        """Say how long to wait after a try, or None when there is none left.

        The pause doubles; `chance` from 0 to 1 takes up to half of it away, so that tasks which failed together do not
        come back together.
        """
        if attempt >= self.tries:
            return None
        pause = min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))
        return pause * (1 - chance / 2)

    def gives_up(self, attempt: int, worker_deaths: int) -> bool:
        """Whether a task whose worker fell silent must not be given to another one."""
        return attempt >= self.tries or worker_deaths >= self.worker_deaths


def poison() -> Failure:
    """Describe a task that ended its workers again and again."""
    message = "Processing stopped unexpectedly each time. Export the file in another format and upload it again."
    return Failure(CRASHED, message, log="The workers which had this file fell silent.")


def cancellation() -> Failure:
    """Describe a job that somebody stopped."""
    return Failure(CANCELLED, "Processing was cancelled. Try again when you are ready, or upload another master.")


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


def job_over(job: Job) -> errors.FailedPrecondition:
    """Refuse to stop what has ended."""
    return errors.FailedPrecondition("JOB_OVER", "The job has ended already.", state=job.status)


def job_not_failed(job: Job) -> errors.FailedPrecondition:
    """Refuse to start anew what has not failed."""
    return errors.FailedPrecondition(
        "JOB_NOT_FAILED", "Only a job that has failed can be tried again.", state=job.status
    )


def master_missing(job: Job) -> errors.FailedPrecondition:
    """Refuse to start anew what cannot be read."""
    return errors.FailedPrecondition(
        "MASTER_MISSING", "The master is not there any more. Upload it again.", name=names.job(job.id)
    )


def dead_letter_not_found(letter_id: UUID) -> errors.NotFound:
    """Refuse because there is no such letter, or not any more."""
    return errors.NotFound(
        "DEAD_LETTER_NOT_FOUND", "There is no such dead letter (any more).", name=names.dead_letter(letter_id)
    )


def replay_failed(letter: DeadLetter) -> errors.FailedPrecondition:
    """Refuse because an event cannot be applied, as before."""
    return errors.FailedPrecondition(
        "REPLAY_FAILED",
        "The event fails as before; the log of the service says why. Replay it when the cause is removed.",
        name=names.dead_letter(letter.id),
    )
