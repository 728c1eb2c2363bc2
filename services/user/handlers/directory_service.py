"""People, looked up for other services."""

from uuid import UUID

from services.common.interceptors import Context
from services.user.domain import user_not_found
from services.user.store import Store
from spotilike.internal.v1 import user_service_pb2_grpc
from spotilike.internal.v1.user_service_pb2 import ResolveUserRequest, ResolveUserResponse


class DirectoryService(user_service_pb2_grpc.DirectoryServiceServicer):
    """Looks people up for other services."""

    def __init__(self, store: Store) -> None:
        """Look in `store`."""
        self._store = store

    async def ResolveUser(self, request: ResolveUserRequest, context: Context) -> ResolveUserResponse:
        """Find a user by id or by username."""
        async with self._store.read() as tx:
            if request.id:
                user = await tx.users.find(UUID(request.id))
            else:
                user = await tx.users.find_by_username(request.username)
        if user is None:
            raise user_not_found(request.id or request.username)
        return ResolveUserResponse(id=str(user.id), username=user.username)
