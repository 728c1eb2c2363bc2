"""People, asked of the user service."""

from uuid import UUID

import grpc

from services.catalog.domain import user_not_found
from services.common import deadlines
from services.common.peers import CALL_SECONDS
from spotilike.internal.v1.user_service_pb2 import ResolveUserRequest
from spotilike.internal.v1.user_service_pb2_grpc import DirectoryServiceStub


class Directory:
    """The user service's directory."""

    def __init__(self, user: grpc.aio.Channel) -> None:
        """Ask over the channel to the user service."""
        self._stub = DirectoryServiceStub(user)

    async def require(self, user_id: UUID) -> None:
        """Refuse when there is no such user."""
        try:
            await self._stub.ResolveUser(ResolveUserRequest(id=str(user_id)), timeout=deadlines.left(CALL_SECONDS))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise user_not_found(user_id) from error
            raise
