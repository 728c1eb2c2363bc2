"""Who calls, and what they may do for the artist that a resource belongs to."""

from uuid import UUID

from services.catalog.domain import (
    Artist,
    Track,
    Upload,
    artist_frozen,
    artist_not_found,
    track_not_found,
    upload_not_found,
)
from services.catalog.store import Transaction
from services.common import auth, errors, names


def viewer() -> UUID | None:
    """Answer who looks; None is anybody who is not signed in."""
    caller = auth.call()
    return caller.user_id if caller.identity else None


async def authorize(tx: Transaction, artist_id: UUID) -> None:
    """Pass a manager with the permission that the contract demands."""
    caller = auth.call()
    granted = await tx.managers.granted(artist_id, caller.user_id)
    if not granted and not caller.is_admin and await tx.managers.is_frozen_for(artist_id, caller.user_id):
        raise artist_frozen(artist_id)
    caller.authorize_manager(granted, names.artist(artist_id))


async def managed_artist(tx: Transaction, artist_id: UUID) -> Artist:
    """Find an artist for whom the caller may do this."""
    artist = await tx.artists.find(artist_id)
    if artist is None:
        raise artist_not_found(artist_id)
    await authorize(tx, artist_id)
    return artist


async def managed_track(tx: Transaction, track_id: UUID) -> Track:
    """Find a track with which the caller may do this."""
    track = await tx.tracks.find(track_id, viewer())
    if track is None:
        raise track_not_found(track_id)
    await authorize(tx, track.artist_id)
    return track


async def managed_upload(tx: Transaction, upload_id: UUID, upload: Upload | None) -> Upload:
    """Answer an upload with which the caller may do this; others do not learn that it exists."""
    if upload is None:
        raise upload_not_found(upload_id)
    try:
        await authorize(tx, upload.artist_id)
    except errors.PermissionDenied as hidden:
        raise upload_not_found(upload_id) from hidden
    return upload
