"""Who sees what, as conditions of statements, so that lists are filtered where they are paged.

Listeners see what can be played and is released; a day begins at 00:00 UTC by the database's clock. Whoever manages
the artist of an album, with any permission, sees all of it.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, Date, and_, cast, exists, false, func, or_

from services.catalog.tables import albums, artist_managers, artists, tracks

TODAY = cast(func.timezone("UTC", func.now()), Date)

ALBUM_EXISTS = and_(albums.c.deleted_at.is_(None), artists.c.deleted_at.is_(None))
"""Of albums joined with their artist."""
TRACK_EXISTS = and_(tracks.c.deleted_at.is_(None), ALBUM_EXISTS)
"""Of tracks joined with their album and its artist."""

_RELEASED = albums.c.release_date <= TODAY
_AVAILABLE = and_(tracks.c.is_available, tracks.c.deleted_at.is_(None))


def track_visible(viewer: UUID | None) -> ColumnElement[bool]:
    """Hold for the tracks that a user, or nobody in particular, may see."""
    return and_(TRACK_EXISTS, or_(and_(_RELEASED, _AVAILABLE), _managed_by(viewer)))


def album_visible(viewer: UUID | None) -> ColumnElement[bool]:
    """Hold for the albums that a user, or nobody in particular, may see."""
    shown = and_(_RELEASED, exists().where(tracks.c.album_id == albums.c.id, _AVAILABLE))
    return and_(ALBUM_EXISTS, or_(shown, _managed_by(viewer)))


def _managed_by(viewer: UUID | None) -> ColumnElement[bool]:
    if viewer is None:
        return false()
    managers = artist_managers.c
    return exists().where(managers.artist_id == albums.c.artist_id, managers.user_id == viewer)
