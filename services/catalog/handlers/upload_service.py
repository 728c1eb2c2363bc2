"""Uploads of masters on the wire."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from uuid import uuid4

from services.catalog import events
from services.catalog.arrivals import Arrivals
from services.catalog.domain.uploads import (
    ArrivedPart,
    NewUpload,
    Upload,
    UploadPolicy,
    UploadState,
    master_key,
    upload_closed,
    upload_not_found,
    upload_quota,
)
from services.catalog.handlers.authorization import managed_track, managed_upload
from services.catalog.store import Store, Transaction
from services.common import auth, errors, names
from services.common.interceptors import Context
from spotilike.catalog.v1 import upload_pb2, upload_service_pb2_grpc
from spotilike.catalog.v1.upload_service_pb2 import (
    AbortUploadRequest,
    CompleteUploadRequest,
    CreateUploadRequest,
    GetUploadRequest,
)


class UploadService(upload_service_pb2_grpc.UploadServiceServicer):
    """Takes masters in. The object store is never asked while a transaction is open."""

    def __init__(self, store: Store, arrivals: Arrivals, policy: UploadPolicy) -> None:
        """Keep uploads in `store` and their bytes in `arrivals`."""
        self._store = store
        self._arrivals = arrivals
        self._policy = policy

    async def CreateUpload(self, request: CreateUploadRequest, context: Context) -> upload_pb2.Upload:
        """Open an upload of a master."""
        async with self._store.read() as tx:
            await managed_track(tx, names.parse(request.track))
        new = await self._new(request)
        try:
            async with self._store.begin() as tx:
                upload = await self._keep(tx, request, new)
        except errors.Refusal:
            # After any other error nobody knows whether the commit came through; the store's own rule for abandoned
            # uploads removes what that leaves.
            await self._arrivals.discard(new)
            raise
        if upload.id != new.id:
            await self._arrivals.discard(new)
        return await self._shown(upload)

    async def GetUpload(self, request: GetUploadRequest, context: Context) -> upload_pb2.Upload:
        """Show an upload, with URLs for what is missing."""
        upload_id = names.parse(request.name)
        async with self._store.read() as tx:
            upload = await managed_upload(tx, upload_id, await tx.uploads.find(upload_id))
        return await self._shown(upload)

    async def CompleteUpload(self, request: CompleteUploadRequest, context: Context) -> upload_pb2.Upload:
        """Make the master of its parts, and its job."""
        upload_id = names.parse(request.name)
        async with self._store.read() as tx:
            upload = await managed_upload(tx, upload_id, await tx.uploads.find(upload_id))
        if upload.state is UploadState.OPEN:
            await self._arrivals.assemble(upload, _sent(request, upload))
        async with self._store.begin() as tx:
            await tx.tracks.lock_master(upload.track_id)
            upload = await managed_upload(tx, upload_id, await tx.uploads.lock(upload_id))
            await tx.requests.find(request)
            if upload.state is UploadState.OPEN:
                await _complete(tx, upload, request.sha256)
            elif upload.state is not UploadState.COMPLETED:
                raise upload_closed(upload.state)
            await tx.requests.remember(request, upload_id)
            upload = await managed_upload(tx, upload_id, await tx.uploads.find(upload_id))
        return await self._shown(upload)

    async def AbortUpload(self, request: AbortUploadRequest, context: Context) -> upload_pb2.Upload:
        """Give an upload up."""
        upload_id = names.parse(request.name)
        async with self._store.begin() as tx:
            upload = await managed_upload(tx, upload_id, await tx.uploads.lock(upload_id))
            await tx.requests.find(request)
            if upload.state not in (UploadState.OPEN, UploadState.ABORTED):
                raise upload_closed(upload.state)
            await tx.uploads.abort(upload_id)
            await tx.requests.remember(request, upload_id)
        # After a crash here the sweeper does it.
        await self._arrivals.discard(upload)
        return await self._shown(replace(upload, state=UploadState.ABORTED))

    async def _new(self, request: CreateUploadRequest) -> NewUpload:
        upload_id, track_id = uuid4(), names.parse(request.track)
        key = master_key(track_id, upload_id)
        return NewUpload(
            id=upload_id,
            track_id=track_id,
            filename=request.filename,
            size_bytes=request.size_bytes,
            part_size_bytes=self._policy.part_size_bytes,
            content_type=request.content_type,
            source_bucket=self._arrivals.bucket,
            source_key=key,
            multipart_id=await self._arrivals.open(key),
            created_by=auth.call().user_id,
        )

    async def _keep(self, tx: Transaction, request: CreateUploadRequest, new: NewUpload) -> Upload:
        """Write a new upload down, or find the one that this request has opened before."""
        await managed_track(tx, new.track_id)
        upload_id = await tx.requests.find(request)
        if upload_id is None:
            if await tx.uploads.count_open(new.created_by) >= self._policy.open_limit:
                raise upload_quota(self._policy.open_limit)
            await tx.uploads.add(new, self._policy.life)
            await tx.requests.remember(request, new.id)
            upload_id = new.id
        upload = await tx.uploads.find(upload_id)
        if upload is None:
            raise upload_not_found(upload_id)
        return upload

    async def _shown(self, upload: Upload) -> upload_pb2.Upload:
        shown = upload_pb2.Upload(
            name=names.upload(upload.id),
            track=names.track(upload.track_id),
            state=upload_pb2.Upload.State.Value(upload.state),
            filename=upload.filename,
            size_bytes=upload.size_bytes,
            part_size_bytes=upload.part_size_bytes,
            job=names.job(upload.id) if upload.state is UploadState.COMPLETED else "",
        )
        shown.expire_time.FromDatetime(upload.expires_at)
        if upload.state is UploadState.OPEN:
            arrived = await self._arrivals.arrived(upload)
            parts = (self._part(upload, number, size, arrived) for number, size in upload.parts())
            shown.parts.extend(await asyncio.gather(*parts))
        return shown

    async def _part(
        self, upload: Upload, number: int, size: int, arrived: Collection[ArrivedPart]
    ) -> upload_pb2.Upload.Part:
        etag = upload.arrived_tag(number, size, arrived)
        url = "" if etag else await self._arrivals.url(upload, number)
        return upload_pb2.Upload.Part(number=number, size_bytes=size, uploaded=bool(etag), etag=etag, url=url)


async def _complete(tx: Transaction, upload: Upload, sha256: str) -> None:
    """Make the master the newest one of its track, and say so."""
    generation = await tx.tracks.take_master(upload.track_id, upload.id)
    completed = replace(upload, state=UploadState.COMPLETED, generation=generation, sha256=sha256 or None)
    await tx.uploads.complete(upload.id, generation, completed.sha256)
    await events.announce(tx, completed, names.user(auth.call().user_id))


def _sent(request: CompleteUploadRequest, upload: Upload) -> Mapping[int, str]:
    """Read which parts the client sent, by number; each belongs to the upload and is named once."""
    numbers = {number for number, _ in upload.parts()}
    sent: dict[int, str] = {}
    wrong = []
    for place, part in enumerate(request.parts):
        if part.number not in numbers:
            wrong.append(errors.Violation(f"parts[{place}].number", f"has to be at most {len(numbers)}"))
        elif part.number in sent:
            wrong.append(errors.Violation(f"parts[{place}].number", "is named twice"))
        sent[part.number] = part.etag.strip('"')
    if wrong:
        raise errors.InvalidFields(*wrong)
    return sent
