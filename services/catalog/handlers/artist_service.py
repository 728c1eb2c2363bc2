"""Artists on the wire."""

from uuid import UUID

from services.catalog.domain import ALL, Artist, artist_not_found, required
from services.catalog.handlers.authorization import managed_artist
from services.catalog.store import Store, Transaction
from services.common import auth, images, masks, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from spotilike.catalog.v1 import artist_pb2, artist_service_pb2_grpc
from spotilike.catalog.v1.artist_service_pb2 import (
    CreateArtistRequest,
    GetArtistRequest,
    ListArtistsRequest,
    ListArtistsResponse,
    UpdateArtistRequest,
)


class ArtistService(artist_service_pb2_grpc.ArtistServiceServicer):
    """Makes, shows and changes artists."""

    def __init__(self, store: Store) -> None:
        """Keep artists in `store`."""
        self._store = store

    async def CreateArtist(self, request: CreateArtistRequest, context: Context) -> artist_pb2.Artist:
        """Make an artist whom the caller manages."""
        async with self._store.begin() as tx:
            artist_id = await tx.requests.find(request)
            if artist_id is None:
                name = required(request.artist.display_name, "artist.display_name")
                artist_id = await tx.artists.add(name, request.artist.bio or None)
                await tx.managers.add(artist_id, auth.call().user_id, [ALL])
                await tx.requests.remember(request, artist_id)
            return await _shown(tx, artist_id)

    async def GetArtist(self, request: GetArtistRequest, context: Context) -> artist_pb2.Artist:
        """Show an artist."""
        async with self._store.read() as tx:
            return await _shown(tx, names.parse(request.name))

    async def ListArtists(self, request: ListArtistsRequest, context: Context) -> ListArtistsResponse:
        """List artists by name."""
        async with self._store.read() as tx:
            page = await tx.artists.page(PageRequest(request))
        return ListArtistsResponse(artists=map(message, page.rows), next_page_token=page.next_token)

    async def UpdateArtist(self, request: UpdateArtistRequest, context: Context) -> artist_pb2.Artist:
        """Change an artist."""
        artist_id = names.parse_field(request.artist.name, "artists", "artist.name")
        changed = masks.changed(request.artist, request.update_mask)
        async with self._store.begin() as tx:
            await managed_artist(tx, artist_id)
            values: dict[str, str | None] = {}
            if "display_name" in changed:
                values["name"] = required(request.artist.display_name, "artist.display_name")
            if "bio" in changed:
                values["bio"] = request.artist.bio or None
            if values:
                await tx.artists.change(artist_id, values)
            return await _shown(tx, artist_id)


async def _shown(tx: Transaction, artist_id: UUID) -> artist_pb2.Artist:
    artist = await tx.artists.find(artist_id)
    if artist is None:
        raise artist_not_found(artist_id)
    return message(artist)


def message(artist: Artist) -> artist_pb2.Artist:
    """Write an artist."""
    return artist_pb2.Artist(
        name=names.artist(artist.id),
        display_name=artist.name,
        bio=artist.bio or "",
        avatar_uri=images.uri(artist.avatar_url),
        avatar_blur_hash=artist.avatar_blur_hash or "",
        is_verified=artist.is_verified,
    )
