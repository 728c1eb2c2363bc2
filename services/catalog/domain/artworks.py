"""Pictures: what they show, who may change them, and which one is shown."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from services.catalog.domain import Failure
from services.catalog.domain.uploads import Arriving, Place
from services.common import errors, names


class Collection(StrEnum):
    """Whose pictures there are, by the collections of their names."""

    ALBUMS = "albums"
    ARTISTS = "artists"
    USERS = "users"


@dataclass(frozen=True)
class Target:
    """What a picture shows."""

    collection: Collection
    id: UUID

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a name such as `albums/{album}`, whose form the contract has checked already."""
        collection, _, target_id = name.partition("/")
        return cls(Collection(collection), UUID(target_id))

    @property
    def name(self) -> str:
        """Name the album, the artist or the user."""
        return f"{self.collection}/{self.id}"


class ArtworkState(StrEnum):
    """How far a picture is."""

    OPEN = "OPEN"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    REPLACED = "REPLACED"


@dataclass(frozen=True)
class ArtworkPolicy:
    """How pictures are taken in."""

    life: timedelta
    """Of a picture that is not completed."""
    unfinished_limit: int
    """Pictures of one user that are open or being processed."""


@dataclass(frozen=True)
class NewArtwork(Place):
    """A picture to be taken in."""

    id: UUID
    target: Target
    size_bytes: int
    created_by: UUID


@dataclass(frozen=True)
class Artwork(Arriving):
    """A picture, in one part."""

    id: UUID
    """Of two pictures the one with the greater id was made later."""
    target: Target
    state: ArtworkState
    blur_hash: str | None
    failure: Failure | None

    @property
    def is_known(self) -> bool:
        """Whether it is known for good that it can be shown."""
        return self.state in (ArtworkState.COMPLETED, ArtworkState.REPLACED)


def picture_key(artwork_id: UUID) -> str:
    """Say where a picture lies as it came."""
    return f"artworks/{artwork_id}"


def artwork_not_found(artwork_id: UUID) -> errors.NotFound:
    """Refuse because there is no such picture that the caller may change."""
    name = names.artwork(artwork_id)
    return errors.NotFound("ARTWORK_NOT_FOUND", f"There is no artwork {name}.", name=name)


def artwork_closed(state: ArtworkState) -> errors.FailedPrecondition:
    """Refuse because nothing more can be done with the picture."""
    return errors.FailedPrecondition(
        "UPLOAD_CLOSED", f"This picture is {state.lower()}. Open a new one.", state=state.value
    )


def artwork_quota(limit: int) -> errors.ResourceExhausted:
    """Refuse because the caller has too many unfinished pictures."""
    return errors.ResourceExhausted(
        "UPLOAD_QUOTA",
        f"You have {limit} unfinished pictures, which is the limit. Complete one, or wait until they expire.",
        limit=str(limit),
    )
