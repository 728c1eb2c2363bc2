"""Genres on the wire."""

from services.catalog.store import Store
from services.common import names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from spotilike.catalog.v1 import genre_service_pb2_grpc
from spotilike.catalog.v1.genre_pb2 import Genre
from spotilike.catalog.v1.genre_service_pb2 import ListGenresRequest, ListGenresResponse


class GenreService(genre_service_pb2_grpc.GenreServiceServicer):
    """Shows the genres."""

    def __init__(self, store: Store) -> None:
        """Read genres from `store`."""
        self._store = store

    async def ListGenres(self, request: ListGenresRequest, context: Context) -> ListGenresResponse:
        """List genres by name."""
        async with self._store.read() as tx:
            page = await tx.genres.page(PageRequest(request))
        genres = [Genre(name=names.genre(genre.id), display_name=genre.name) for genre in page.rows]
        return ListGenresResponse(genres=genres, next_page_token=page.next_token)
