"""Who may see the jobs of which artist; the catalog decides."""

from uuid import UUID

import grpc

from services.common import deadlines
from services.common.peers import CALL_SECONDS
from spotilike.internal.v1.catalog_service_pb2 import CheckArtistPermissionRequest, ListArtistPermissionsRequest
from spotilike.internal.v1.catalog_service_pb2_grpc import AccessServiceStub

UPLOAD = "UPLOAD"
EVERY = (UPLOAD, "ALL")


class Permissions:
    """Asks the catalog; a question fails with its error while it does not answer."""

    def __init__(self, catalog: grpc.aio.Channel) -> None:
        """Ask over the channel to the catalog."""
        self._access = AccessServiceStub(catalog)

    async def may_upload(self, user: UUID, artist: UUID) -> bool:
        """Say whether a user may upload for an artist."""
        request = CheckArtistPermissionRequest(user=str(user), artist=str(artist), permission=UPLOAD)
        answer = await self._access.CheckArtistPermission(request, timeout=deadlines.left(CALL_SECONDS))
        return answer.allowed

    async def uploads_for(self, user: UUID) -> set[UUID]:
        """List the artists for whom a user may upload."""
        request = ListArtistPermissionsRequest(user=str(user))
        answer = await self._access.ListArtistPermissions(request, timeout=deadlines.left(CALL_SECONDS))
        return {UUID(grant.artist) for grant in answer.grants if not set(grant.permissions).isdisjoint(EVERY)}
