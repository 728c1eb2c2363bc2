"""What the catalog knows about people."""

from uuid import UUID

import grpc

from services.common import deadlines
from services.common.peers import CALL_SECONDS
from spotilike.internal.v1.catalog_service_pb2 import ListSoleArtistsRequest
from spotilike.internal.v1.catalog_service_pb2_grpc import AccessServiceStub


class Catalog:
    """The catalog service, asked over its internal listener."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask over `channel`."""
        self._stub = AccessServiceStub(channel)

    async def sole_artists(self, user_id: UUID) -> list[UUID]:
        """List artists that nobody else could manage; raises while the catalog does not answer."""
        answer = await self._stub.ListSoleArtists(
            ListSoleArtistsRequest(user=str(user_id)), timeout=deadlines.left(CALL_SECONDS)
        )
        return [UUID(artist) for artist in answer.artists]
