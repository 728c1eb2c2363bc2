"""Resource names such as `tracks/{track}` (AIP-122)."""

import re
from uuid import UUID

from services.common import errors

ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def parse(name: str) -> UUID:
    """Read the UUID at the end of a resource name whose form the contract has checked already."""
    return UUID(name.rsplit("/", 1)[1])


def parse_field(name: str, collection: str, field: str) -> UUID:
    """Read the name inside a resource that is updated; an Update names it there, where the contract leaves it free.

    `field` is its path in the request.
    """
    if not re.fullmatch(f"{collection}/{ID}", name):
        raise errors.InvalidFields(errors.Violation(field, f"has to be {collection}/ and an id"))
    return parse(name)


def artist(artist_id: UUID) -> str:
    """Name an artist."""
    return f"artists/{artist_id}"


def manager(artist_id: UUID, user_id: UUID) -> str:
    """Name a manager of an artist."""
    return f"{artist(artist_id)}/managers/{user_id}"


def album(album_id: UUID) -> str:
    """Name an album."""
    return f"albums/{album_id}"


def genre(genre_id: int) -> str:
    """Name a genre."""
    return f"genres/{genre_id}"


def upload(upload_id: UUID) -> str:
    """Name an upload."""
    return f"uploads/{upload_id}"


def artwork(artwork_id: UUID) -> str:
    """Name an artwork."""
    return f"artworks/{artwork_id}"


def track(track_id: UUID) -> str:
    """Name a track."""
    return f"tracks/{track_id}"


def user(user_id: UUID) -> str:
    """Name a user."""
    return f"users/{user_id}"


def session(user_id: UUID, session_id: UUID) -> str:
    """Name a session of a user."""
    return f"{user(user_id)}/sessions/{session_id}"


def job(job_id: UUID) -> str:
    """Name a job."""
    return f"jobs/{job_id}"


def dead_letter(letter_id: UUID) -> str:
    """Name a dead letter."""
    return f"deadLetters/{letter_id}"
