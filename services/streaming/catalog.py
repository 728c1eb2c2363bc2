"""What may be heard, as the catalog decides."""

from uuid import UUID

import grpc

from services.common import deadlines
from services.common.peers import CALL_SECONDS
from services.streaming.domain import track_not_found
from spotilike.internal.v1.catalog_service_pb2 import ResolvePlaybackRequest, ResolvePlaybackResponse
from spotilike.internal.v1.catalog_service_pb2_grpc import AccessServiceStub


class Catalog:
    """The catalog service, asked over its internal listener."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask over `channel`."""
        self._stub = AccessServiceStub(channel)

    async def resolve(self, track_id: UUID, user_id: UUID) -> ResolvePlaybackResponse:
        """Answer what to play; refuses with TRACK_NOT_FOUND, and raises while the catalog does not answer."""
        request = ResolvePlaybackRequest(track=str(track_id), user=str(user_id))
        try:
            return await self._stub.ResolvePlayback(request, timeout=deadlines.left(CALL_SECONDS))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise track_not_found(track_id) from error
            raise
