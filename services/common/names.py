"""Resource names such as `tracks/{track}` (AIP-122)."""

from uuid import UUID


def parse(name: str) -> UUID:
    """Read the UUID at the end of a resource name whose form the contract has checked already."""
    return UUID(name.rsplit("/", 1)[1])


def artist(artist_id: UUID) -> str:
    """Name an artist."""
    return f"artists/{artist_id}"


def track(track_id: UUID) -> str:
    """Name a track."""
    return f"tracks/{track_id}"


def user(user_id: UUID) -> str:
    """Name a user."""
    return f"users/{user_id}"


def job(job_id: UUID) -> str:
    """Name a job."""
    return f"jobs/{job_id}"
