"""Who may do and hear what, for other services."""

from uuid import UUID

from services.catalog.domain import allows, track_not_found
from services.catalog.store import Store
from services.common.interceptors import Context
from spotilike.internal.v1 import catalog_service_pb2_grpc
from spotilike.internal.v1.audio_pb2 import AudioFacts
from spotilike.internal.v1.catalog_service_pb2 import (
    CheckArtistPermissionRequest,
    CheckArtistPermissionResponse,
    ListArtistPermissionsRequest,
    ListArtistPermissionsResponse,
    ListSoleArtistsRequest,
    ListSoleArtistsResponse,
    ResolvePlaybackRequest,
    ResolvePlaybackResponse,
)

MOST_SOLE_ARTISTS = 100


class AccessService(catalog_service_pb2_grpc.AccessServiceServicer):
    """Decides who may do and hear what."""

    def __init__(self, store: Store) -> None:
        """Decide by what is in `store`."""
        self._store = store

    async def ResolvePlayback(self, request: ResolvePlaybackRequest, context: Context) -> ResolvePlaybackResponse:
        """Answer what to play when a user wants to hear a track."""
        track_id = UUID(request.track)
        async with self._store.read() as tx:
            playback = await tx.tracks.playback(track_id, UUID(request.user))
        if playback is None:
            raise track_not_found(track_id)
        facts = AudioFacts.FromString(playback.facts)
        for unplayed in ("loudness_blocks", "tags"):
            facts.ClearField(unplayed)
        if playback.album_lufs is not None:
            facts.album_integrated_lufs = playback.album_lufs
        return ResolvePlaybackResponse(
            folder=playback.folder,
            facts=facts,
            artists=map(str, playback.artists),
        )

    async def CheckArtistPermission(
        self, request: CheckArtistPermissionRequest, context: Context
    ) -> CheckArtistPermissionResponse:
        """Say whether a user has a permission for an artist."""
        async with self._store.read() as tx:
            granted = await tx.managers.granted(UUID(request.artist), UUID(request.user))
        return CheckArtistPermissionResponse(allowed=allows(granted, request.permission))

    async def ListArtistPermissions(
        self, request: ListArtistPermissionsRequest, context: Context
    ) -> ListArtistPermissionsResponse:
        """List every artist that a user manages, with the permissions."""
        async with self._store.read() as tx:
            grants = await tx.managers.grants_of(UUID(request.user))
        return ListArtistPermissionsResponse(
            grants=[
                ListArtistPermissionsResponse.Grant(artist=str(artist), permissions=permissions)
                for artist, permissions in grants
            ]
        )

    async def ListSoleArtists(self, request: ListSoleArtistsRequest, context: Context) -> ListSoleArtistsResponse:
        """List the artists whose only manager with ALL is this user."""
        async with self._store.read() as tx:
            alone = await tx.managers.sole_artists(UUID(request.user), MOST_SOLE_ARTISTS)
        return ListSoleArtistsResponse(artists=map(str, alone))
