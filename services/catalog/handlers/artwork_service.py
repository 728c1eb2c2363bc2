"""Pictures of albums, artists and users on the wire."""

from uuid import UUID

from services.catalog import events
from services.catalog.arrivals import Arrivals
from services.catalog.domain.artworks import (
    Artwork,
    ArtworkPolicy,
    ArtworkState,
    Collection,
    NewArtwork,
    Target,
    artwork_closed,
    artwork_not_found,
    artwork_quota,
    picture_key,
)
from services.catalog.handlers.authorization import managed_artwork, managed_target
from services.catalog.store import Store, Transaction
from services.common import auth, errors, images, names
from services.common.interceptors import Context
from spotilike.catalog.v1 import artwork_pb2, artwork_service_pb2_grpc
from spotilike.catalog.v1.artwork_service_pb2 import CompleteArtworkRequest, CreateArtworkRequest, GetArtworkRequest

WHOLE = 1
"""Number of the one part that a picture consists of."""


class ArtworkService(artwork_service_pb2_grpc.ArtworkServiceServicer):
    """Takes pictures in. The object store is never asked while a transaction is open."""

    def __init__(self, store: Store, arrivals: Arrivals, policy: ArtworkPolicy) -> None:
        """Keep pictures in `store` and their bytes in `arrivals`."""
        self._store = store
        self._arrivals = arrivals
        self._policy = policy

    async def CreateArtwork(self, request: CreateArtworkRequest, context: Context) -> artwork_pb2.Artwork:
        """Open an upload of a picture."""
        async with self._store.read() as tx:
            target = _target(request.target)
            await managed_target(tx, target)
            artwork_id = await tx.artworks.new_id()
        new = await self._new(artwork_id, target, request.size_bytes)
        try:
            async with self._store.begin() as tx:
                artwork = await self._keep(tx, request, new)
        except errors.Refusal:
            # After any other error nobody knows whether the commit came through; the store's own rule for abandoned
            # uploads removes what that leaves.
            await self._arrivals.discard(new)
            raise
        if artwork.id != new.id:
            await self._arrivals.discard(new)
        return await self._shown(artwork)

    async def GetArtwork(self, request: GetArtworkRequest, context: Context) -> artwork_pb2.Artwork:
        """Show a picture."""
        async with self._store.read() as tx:
            artwork = await _managed(tx, names.parse(request.name))
        return await self._shown(artwork)

    async def CompleteArtwork(self, request: CompleteArtworkRequest, context: Context) -> artwork_pb2.Artwork:
        """Close an upload and have its sizes made."""
        artwork_id = names.parse(request.name)
        async with self._store.read() as tx:
            artwork = await _managed(tx, artwork_id)
        if artwork.state is ArtworkState.OPEN:
            await self._arrivals.assemble(artwork, {WHOLE: request.etag.strip('"')})
        async with self._store.begin() as tx:
            artwork = await managed_artwork(tx, artwork_id, await tx.artworks.lock(artwork_id))
            await tx.requests.find(request)
            if artwork.state is ArtworkState.OPEN:
                await tx.artworks.process(artwork_id)
                await events.announce_artwork(tx, artwork, names.user(auth.call().user_id))
            elif artwork.state is ArtworkState.EXPIRED:
                raise artwork_closed(artwork.state)
            await tx.requests.remember(request, artwork_id)
            artwork = await _managed(tx, artwork_id)
        return await self._shown(artwork)

    async def _new(self, artwork_id: UUID, target: Target, size_bytes: int) -> NewArtwork:
        key = picture_key(artwork_id)
        return NewArtwork(
            id=artwork_id,
            target=target,
            size_bytes=size_bytes,
            source_bucket=self._arrivals.bucket,
            source_key=key,
            multipart_id=await self._arrivals.open(key),
            created_by=auth.call().user_id,
        )

    async def _keep(self, tx: Transaction, request: CreateArtworkRequest, new: NewArtwork) -> Artwork:
        """Write a new picture down, or find the one that this request has opened before."""
        await managed_target(tx, new.target)
        artwork_id = await tx.requests.find(request)
        if artwork_id is None:
            if await tx.artworks.count_unfinished(new.created_by) >= self._policy.unfinished_limit:
                raise artwork_quota(self._policy.unfinished_limit)
            await tx.artworks.add(new, self._policy.life)
            await tx.requests.remember(request, new.id)
            artwork_id = new.id
        artwork = await tx.artworks.find(artwork_id)
        if artwork is None:
            raise artwork_not_found(artwork_id)
        return artwork

    async def _shown(self, artwork: Artwork) -> artwork_pb2.Artwork:
        shown = artwork_pb2.Artwork(
            name=names.artwork(artwork.id),
            target=artwork.target.name,
            state=artwork_pb2.Artwork.State.Value(artwork.state),
            size_bytes=artwork.size_bytes,
        )
        shown.expire_time.FromDatetime(artwork.expires_at)
        if artwork.state is ArtworkState.OPEN:
            shown.url = await self._arrivals.url(artwork, WHOLE)
        if artwork.state is ArtworkState.COMPLETED:
            shown.blur_hash = artwork.blur_hash or ""
            shown.images.extend(_images(images.key(artwork.id)))
        if artwork.state is ArtworkState.FAILED and artwork.failure:
            shown.failure.reason, shown.failure.message = artwork.failure.reason, artwork.failure.message
        return shown


async def _managed(tx: Transaction, artwork_id: UUID) -> Artwork:
    return await managed_artwork(tx, artwork_id, await tx.artworks.find(artwork_id))


def _target(name: str) -> Target:
    """Read what a picture shall show; `users/me` is the caller."""
    collection = Collection(name.split("/", maxsplit=1)[0])
    if collection is Collection.USERS:
        return Target(collection, auth.call().user_in(name))
    return Target.parse(name)


def _images(key: str) -> list[artwork_pb2.Artwork.Image]:
    return [
        artwork_pb2.Artwork.Image(size_px=size, webp_uri=images.uri(key, size), jpeg_uri=images.uri(key, size, "jpg"))
        for size in images.SIZES
    ]
