"""Who may see the jobs of which artist; the catalog decides."""

from uuid import UUID

import grpc

from spotilike.internal.v1.catalog_service_pb2 import CheckArtistPermissionRequest, ListArtistPermissionsRequest
from spotilike.internal.v1.catalog_service_pb2_grpc import AccessServiceStub

UPLOAD = "UPLOAD"
EVERY = (UPLOAD, "ALL")
CALL_SECONDS = 3.0
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


class Permissions:
    """Asks the catalog. Every question raises ConnectionError while it does not answer."""

    def __init__(self, catalog: grpc.aio.Channel) -> None:
        """Ask over the channel to the catalog."""
        self._access = AccessServiceStub(catalog)

    async def may_upload(self, user: UUID, artist: UUID) -> bool:
        """Say whether a user may upload for an artist."""
        request = CheckArtistPermissionRequest(user=str(user), artist=str(artist), permission=UPLOAD)
        try:
            answer = await self._access.CheckArtistPermission(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _told(error) from error
        return answer.allowed

    async def uploads_for(self, user: UUID) -> set[UUID]:
        """List the artists for whom a user may upload."""
        request = ListArtistPermissionsRequest(user=str(user))
        try:
            answer = await self._access.ListArtistPermissions(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _told(error) from error
        return {UUID(grant.artist) for grant in answer.grants if not set(grant.permissions).isdisjoint(EVERY)}


def _told(error: grpc.aio.AioRpcError) -> Exception:
    return ConnectionError("the catalog does not answer") if error.code() in AWAY else error
