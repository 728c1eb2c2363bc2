"""Who calls, and what they may do for the artist that a resource belongs to."""

from uuid import UUID

from services.catalog.domain import (
    Artist,
    Track,
    album_not_found,
    artist_frozen,
    artist_not_found,
    track_not_found,
)
from services.catalog.domain.artworks import Artwork, Collection, Target, artwork_not_found
from services.catalog.domain.uploads import Upload, upload_not_found
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


async def managed_target(tx: Transaction, target: Target) -> None:
    """Pass whoever may change the picture of an album, an artist or a user, by the rule for that collection."""
    caller = auth.call()
    caller.choose_rule(target.collection)
    match target.collection:
        case Collection.ALBUMS:
            album = await tx.albums.find(target.id, viewer())
            if album is None:
                raise album_not_found(target.id)
            await authorize(tx, album.artist_id)
        case Collection.ARTISTS:
            await managed_artist(tx, target.id)
        case Collection.USERS:
            caller.authorize_self(target.id)


async def managed_artwork(tx: Transaction, artwork_id: UUID, artwork: Artwork | None) -> Artwork:
    """Answer a picture that the caller may change; others do not learn that it exists."""
    if artwork is None:
        raise artwork_not_found(artwork_id)
    try:
        await managed_target(tx, artwork.target)
    except (errors.PermissionDenied, errors.NotFound) as hidden:
        raise artwork_not_found(artwork_id) from hidden
    return artwork
