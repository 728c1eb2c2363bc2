"""Albums on the wire."""

from datetime import date
from typing import Any
from uuid import UUID

from google.type.date_pb2 import Date

from services.catalog.domain import Album, album_not_found, artist_not_found, required
from services.catalog.handlers.authorization import authorize, managed_artist, viewer
from services.catalog.store import Store, Transaction
from services.common import errors, images, masks, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from spotilike.catalog.v1 import album_pb2, album_service_pb2_grpc
from spotilike.catalog.v1.album_service_pb2 import (
    CreateAlbumRequest,
    GetAlbumRequest,
    ListAlbumsRequest,
    ListAlbumsResponse,
    UpdateAlbumRequest,
)


class AlbumService(album_service_pb2_grpc.AlbumServiceServicer):
    """Makes, shows and changes albums."""

    def __init__(self, store: Store) -> None:
        """Keep albums in `store`."""
        self._store = store

    async def CreateAlbum(self, request: CreateAlbumRequest, context: Context) -> album_pb2.Album:
        """Make an album of an artist."""
        artist_id = names.parse(request.album.artist)
        title = required(request.album.title, "album.title")
        release_date = _date(request.album.release_date)
        async with self._store.begin() as tx:
            await managed_artist(tx, artist_id)
            album_id = await tx.requests.find(request)
            if album_id is None:
                album_id = await tx.albums.add(artist_id, title, release_date, _type_name(request.album.type))
                await tx.requests.remember(request, album_id)
            return _message(await _visible(tx, album_id))

    async def GetAlbum(self, request: GetAlbumRequest, context: Context) -> album_pb2.Album:
        """Show an album."""
        async with self._store.read() as tx:
            return _message(await _visible(tx, names.parse(request.name)))

    async def ListAlbums(self, request: ListAlbumsRequest, context: Context) -> ListAlbumsResponse:
        """List albums, the newest first."""
        artist_id = names.parse(request.artist) if request.artist else None
        async with self._store.read() as tx:
            if artist_id and await tx.artists.find(artist_id) is None:
                raise artist_not_found(artist_id)
            page = await tx.albums.page(artist_id, viewer(), PageRequest(request))
        return ListAlbumsResponse(albums=map(_message, page.rows), next_page_token=page.next_token)

    async def UpdateAlbum(self, request: UpdateAlbumRequest, context: Context) -> album_pb2.Album:
        """Change an album."""
        album_id = names.parse_field(request.album.name, "albums", "album.name")
        changed = masks.changed(request.album, request.update_mask)
        async with self._store.begin() as tx:
            await authorize(tx, (await _visible(tx, album_id)).artist_id)
            values: dict[str, Any] = {}
            if "title" in changed:
                values["title"] = required(request.album.title, "album.title")
            if "release_date" in changed:
                values["release_date"] = _date(request.album.release_date)
            if "type" in changed:
                values["type"] = _type_name(request.album.type)
            if values:
                await tx.albums.change(album_id, values)
            return _message(await _visible(tx, album_id))


async def _visible(tx: Transaction, album_id: UUID) -> Album:
    album = await tx.albums.find(album_id, viewer())
    if album is None:
        raise album_not_found(album_id)
    return album


def _message(album: Album) -> album_pb2.Album:
    day = album.release_date
    return album_pb2.Album(
        name=names.album(album.id),
        artist=names.artist(album.artist_id),
        title=album.title,
        release_date=Date(year=day.year, month=day.month, day=day.day),
        cover_uri=images.uri(album.cover),
        cover_blur_hash=album.cover_blur_hash or "",
        type=album_pb2.Album.Type.Value(album.type),
    )


def _date(day: Date) -> date:
    """Read a day; the contract cannot say that there is no 30 February, nor that a mask may not clear it."""
    try:
        return date(day.year, day.month, day.day)
    except ValueError as impossible:
        raise errors.InvalidFields(errors.Violation("album.release_date", "is not a day")) from impossible


def _type_name(value: album_pb2.Album.Type.ValueType) -> str:
    return album_pb2.Album.Type.Name(value or album_pb2.Album.ALBUM)
