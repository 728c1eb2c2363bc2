"""How files come in: masters in parts, pictures in one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.common import errors, names


class UploadState(StrEnum):
    """How far an upload is."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True)
class UploadPolicy:
    """How masters are taken in."""

    part_size_bytes: int
    life: timedelta
    """Of an upload that is not completed."""
    open_limit: int
    """Open uploads of one user."""


@dataclass(frozen=True)
class Place:
    """Where a file comes to lie in the object store."""

    source_bucket: str
    source_key: str
    multipart_id: str


@dataclass(frozen=True)
class NewUpload(Place):
    """An upload to be opened."""

    id: UUID
    track_id: UUID
    filename: str
    size_bytes: int
    part_size_bytes: int
    content_type: str
    created_by: UUID


@dataclass(frozen=True)
class ArrivedPart:
    """A copy of a part that the object store has."""

    number: int
    size_bytes: int
    etag: str


@dataclass(frozen=True)
class Arriving(Place):
    """A file on its way in, part by part."""

    size_bytes: int
    part_size_bytes: int
    expires_at: datetime

    def parts(self) -> Iterator[tuple[int, int]]:
        """Yield number and length in bytes of each part; all but the last are equal, an empty file is an empty part."""
        for number, start in enumerate(range(0, max(self.size_bytes, 1), self.part_size_bytes), 1):
            yield number, min(self.part_size_bytes, self.size_bytes - start)

    def missing(self, arrived: Collection[ArrivedPart], sent: Mapping[int, str]) -> list[int]:
        """Name the parts that have not arrived whole, or not as the client sent them (`sent`: number to tag)."""
        return [
            number for number, size in self.parts() if ArrivedPart(number, size, sent.get(number, "")) not in arrived
        ]

    def arrived_tag(self, number: int, size_bytes: int, arrived: Collection[ArrivedPart]) -> str:
        """Answer the entity tag of a part that need not be sent again; empty when it does.

        A part that was sent more than once may have several copies, and nothing says which is the last one.
        """
        tags = {part.etag for part in arrived if (part.number, part.size_bytes) == (number, size_bytes)}
        return tags.pop() if len(tags) == 1 else ""


@dataclass(frozen=True)
class Upload(Arriving):
    """A master on its way in."""

    id: UUID
    track_id: UUID
    artist_id: UUID
    """Owner of the track's album."""
    state: UploadState
    filename: str
    generation: int | None
    """Set when it is completed: rises with every master of the track."""
    sha256: str | None


class Outcome(StrEnum):
    """How the processing of a master has ended."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


def master_key(track_id: UUID, upload_id: UUID) -> str:
    """Say where a master lies: the key is made of our ids, never of a file's name."""
    return f"tracks/{track_id}/{upload_id}"


def upload_not_found(upload_id: UUID) -> errors.NotFound:
    """Refuse because there is no such upload that the caller may see."""
    name = names.upload(upload_id)
    return errors.NotFound("UPLOAD_NOT_FOUND", f"There is no upload {name}.", name=name)


def upload_incomplete(missing: Sequence[int]) -> errors.FailedPrecondition:
    """Refuse because parts are missing."""
    listed = ",".join(map(str, missing))
    return errors.FailedPrecondition(
        "UPLOAD_INCOMPLETE",
        f"These parts have not arrived as they were announced: {listed}. Send them again.",
        missing=listed,
    )


def upload_closed(state: UploadState) -> errors.FailedPrecondition:
    """Refuse because nothing more can be done with the upload."""
    return errors.FailedPrecondition(
        "UPLOAD_CLOSED", f"This upload is {state.lower()}. Open a new one.", state=state.value
    )


def upload_quota(limit: int) -> errors.ResourceExhausted:
    """Refuse because the caller has too many open uploads."""
    return errors.ResourceExhausted(
        "UPLOAD_QUOTA",
        f"You have {limit} open uploads, which is the limit. Complete or abort one.",
        limit=str(limit),
    )
