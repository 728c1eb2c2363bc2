"""The rules of the catalog: who sees and does what, what a track is made of. How files come in stands beside it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from services.common import errors, names

ALL = "ALL"
"""The permission that holds every other one."""


@dataclass(frozen=True)
class Artist:
    """A performer."""

    id: UUID
    name: str
    bio: str | None
    avatar_url: str | None
    """Key of the picture."""
    avatar_blur_hash: str | None
    is_verified: bool


@dataclass(frozen=True)
class Manager:
    """A user who manages an artist."""

    id: int
    artist_id: UUID
    user_id: UUID
    permissions: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True)
class Album:
    """A release of one artist."""

    id: UUID
    artist_id: UUID
    title: str
    release_date: date
    cover_url: str
    """Key of the picture."""
    cover_blur_hash: str | None
    type: str

    @property
    def cover(self) -> str:
        """Key of the cover; empty while the column only holds the placeholder that it demands."""
        return "" if self.cover_url == placeholder_cover(self.id) else self.cover_url


@dataclass(frozen=True)
class Credit:
    """An artist who is named on a track."""

    artist_id: UUID
    type: str
    display_order: int
    display_name: str = ""


class TrackState(StrEnum):
    """How far a track is on its way to listeners."""

    DRAFT = "DRAFT"
    PROCESSING = "PROCESSING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Failure:
    """Why the newest master could not be used."""

    reason: str
    message: str


@dataclass(frozen=True)
class Track:
    """A recording on an album."""

    id: UUID
    album_id: UUID
    artist_id: UUID
    """Owner of the album, who decides about the track."""
    title: str
    duration_sec: int
    """0 until it was READY once."""
    track_number: int
    credits: tuple[Credit, ...]
    genres: tuple[int, ...]
    is_available: bool
    job: UUID | None
    """The newest master's."""
    failure: Failure | None

    @property
    def state(self) -> TrackState:
        """Say how far it is. What can be played stays READY whatever becomes of a newer master."""
        if self.is_available:
            return TrackState.READY
        if self.failure is not None:
            return TrackState.FAILED
        return TrackState.PROCESSING if self.job is not None else TrackState.DRAFT


@dataclass(frozen=True)
class Master:
    """The audio of a track, as the row that is locked for a change of it says."""

    track_id: UUID
    file_key: str

    @property
    def folder(self) -> str | None:
        """Folder of the renditions that are played; None before the first ones."""
        return None if self.file_key == draft_key(self.track_id) else self.file_key


@dataclass(frozen=True)
class Audio:
    """What is played of a track."""

    track_id: UUID
    folder: str
    facts: bytes
    """spotilike.internal.v1.AudioFacts."""


@dataclass(frozen=True)
class Playback:
    """What is played when somebody listens to a track."""

    folder: str
    facts: bytes
    """spotilike.internal.v1.AudioFacts."""
    artists: tuple[UUID, ...]
    """The owner of the album first."""
    album_lufs: float | None
    """Integrated loudness of the album."""


@dataclass(frozen=True)
class Genre:
    """A style of music."""

    id: int
    name: str


def draft_key(track_id: UUID) -> str:
    """Fill `tracks.file_key`, which has to be unique, until there is audio."""
    return f"draft/{track_id}"


def placeholder_cover(album_id: UUID) -> str:
    """Fill `albums.cover_url`, which may not be null, until there is a cover."""
    return f"placeholder/{album_id}"


def duration_seconds(samples: int, sample_rate_hz: int) -> int:
    """Round a length to whole seconds, at least one."""
    return max(1, round(samples / sample_rate_hz))


def allows(granted: Collection[str], permission: str) -> bool:
    """Say whether somebody who was granted this has the permission."""
    return permission in granted or ALL in granted


def credited(wanted: Sequence[Credit], owner: UUID) -> tuple[Credit, ...]:
    """Complete the names on a track: nobody means its owner, an order of 0 means the place in the list."""
    if not wanted:
        return (Credit(owner, "MAIN", 1),)
    return tuple(
        Credit(credit.artist_id, credit.type, credit.display_order or place) for place, credit in enumerate(wanted, 1)
    )


def required(value: str, field: str) -> str:
    """Answer a text that may not be blank; `field` is its path in the request."""
    if not value.strip():
        raise errors.InvalidFields(errors.Violation(field, "is needed"))
    return value


def artist_not_found(artist_id: UUID) -> errors.NotFound:
    """Refuse because there is no such artist."""
    name = names.artist(artist_id)
    return errors.NotFound("ARTIST_NOT_FOUND", f"There is no artist {name}.", name=name)


def credit_not_found(artist_id: UUID, place: int) -> errors.NotFound:
    """Refuse because the credit at `place`, from 0, names nobody."""
    name, field = names.artist(artist_id), f"track.artists[{place}].artist"
    return errors.NotFound("ARTIST_NOT_FOUND", f"There is no artist {name} ({field}).", name=name, field=field)


def album_not_found(album_id: UUID) -> errors.NotFound:
    """Refuse because there is no such album that the caller may see."""
    name = names.album(album_id)
    return errors.NotFound("ALBUM_NOT_FOUND", f"There is no album {name}.", name=name)


def track_not_found(track_id: UUID) -> errors.NotFound:
    """Refuse because there is no such track that the caller may see."""
    name = names.track(track_id)
    return errors.NotFound("TRACK_NOT_FOUND", f"There is no track {name}.", name=name)


def genre_not_found(genre_id: int) -> errors.NotFound:
    """Refuse because there is no such genre."""
    name = names.genre(genre_id)
    return errors.NotFound("GENRE_NOT_FOUND", f"There is no genre {name}.", name=name)


def user_not_found(user_id: UUID) -> errors.NotFound:
    """Refuse because there is no such user."""
    name = names.user(user_id)
    return errors.NotFound("USER_NOT_FOUND", f"There is no user {name}.", name=name)


def manager_not_found(artist_id: UUID, user_id: UUID) -> errors.NotFound:
    """Refuse because the user does not manage the artist."""
    name = names.manager(artist_id, user_id)
    return errors.NotFound("MANAGER_NOT_FOUND", "This user does not manage the artist.", name=name)


def manager_exists(artist_id: UUID, user_id: UUID) -> errors.AlreadyExists:
    """Refuse because the user manages the artist already."""
    name = names.manager(artist_id, user_id)
    return errors.AlreadyExists("MANAGER_EXISTS", "This user manages the artist already.", name=name)


def check_grant(own: Collection[str], given: Collection[str], artist_id: UUID) -> None:
    """Refuse to let anybody give a permission that they do not have themselves."""
    if ALL in own:
        return
    for permission in given:
        if permission not in own:
            raise errors.PermissionDenied(
                "PERMISSION_MISSING",
                f"You cannot give the permission {permission}, which you do not have.",
                permission=permission,
                resource=names.artist(artist_id),
            )


def artist_frozen(artist_id: UUID) -> errors.FailedPrecondition:
    """Refuse because nobody leads the artist."""
    return errors.FailedPrecondition(
        "ARTIST_FROZEN",
        "Nobody has ALL for this artist any more. An administrator has to name somebody.",
        artist=names.artist(artist_id),
    )


def last_manager(artist_id: UUID) -> errors.FailedPrecondition:
    """Refuse because nobody with ALL would be left."""
    return errors.FailedPrecondition(
        "LAST_MANAGER",
        "This is the last manager with ALL. Give ALL to somebody else first.",
        artist=names.artist(artist_id),
    )
