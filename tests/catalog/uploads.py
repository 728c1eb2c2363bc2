"""Words for what tests do with uploads."""

from spotilike.catalog.v1.upload_service_pb2 import AbortUploadRequest, GetUploadRequest
from tests.support.catalog import PART_BYTES

TWO_PARTS = PART_BYTES + 1000


def key_of(upload):
    """Return where a master lies."""
    return f"{upload.track}/{upload.name.removeprefix('uploads/')}"


async def get(edge, account, upload):
    """Look at an upload."""
    return await edge.uploads.GetUpload(GetUploadRequest(name=upload.name), metadata=account.metadata)


async def abort(edge, account, upload, **fields):
    """Give an upload up."""
    request = AbortUploadRequest(name=upload.name, **fields)
    return await edge.uploads.AbortUpload(request, metadata=account.metadata)
