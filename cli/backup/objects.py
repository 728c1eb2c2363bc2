"""The objects of the store, copied one by one."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minio import Minio
from minio.datatypes import Object
from minio.error import S3Error
from minio.helpers import DictType

from cli.backup.manifest import File, Manifest, StoredObject
from cli.engines.seaweedfs import REGION
from cli.problem import Problem
from services.common import buckets
from services.provision.objects import Credentials

_PIECE = 1 << 20
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Copied:
    """An object and the file that holds its content."""

    stored: StoredObject
    file: File
    is_new: bool


def client(endpoint: str, admin: Credentials) -> Minio:
    """Speak to a store as its administrator."""
    return Minio(endpoint, admin.access_key, admin.secret_key, secure=False, region=REGION)


def copy_all(store: Minio, folder: Path, earlier: Manifest | None) -> Iterator[Copied]:
    """Copy every object that the earlier backup of the folder does not hold already: an object never changes."""
    known = {(each.bucket, each.key): each for each in earlier.objects} if earlier else {}
    files = earlier.files if earlier else {}
    for bucket in buckets.ALL:
        for found in store.list_objects(bucket, recursive=True):
            before = known.get((bucket, str(found.object_name)))
            if before and _is_same(before, found, files[before.path]) and (folder / before.path).exists():
                yield Copied(before, files[before.path], is_new=False)
            elif copied := _copy(store, bucket, str(found.object_name), folder):
                yield copied


def _is_same(before: StoredObject, found: Object, file: File) -> bool:
    return (before.etag, file.size) == (found.etag, found.size)


def _copy(store: Minio, bucket: str, key: str, folder: Path) -> Copied | None:
    """Copy an object; None when it was removed meanwhile, so that nothing can need it."""
    try:
        answer = store.get_object(bucket, key)
    except S3Error as error:
        if error.code == "NoSuchKey":
            return None
        raise
    headers = answer.headers
    stored = StoredObject(
        bucket=bucket,
        key=key,
        etag=headers["ETag"].strip('"'),
        content_type=headers.get("Content-Type", ""),
        cache_control=headers.get("Cache-Control", ""),
    )
    target = folder / stored.path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + _UNFINISHED)
    digest, size = hashlib.sha256(), 0
    try:
        with unfinished.open("wb") as file:
            for piece in answer.stream(_PIECE):
                file.write(piece)
                digest.update(piece)
                size += len(piece)
    finally:
        answer.close()
        answer.release_conn()
    if size != int(headers["Content-Length"]):  # the store was seen to cut an answer short
        raise Problem(f"The store sent {size} of {headers['Content-Length']} bytes of {bucket}/{key}: try again.")
    unfinished.replace(target)
    return Copied(stored, File(size, digest.hexdigest()), is_new=True)


def put_all(store: Minio, folder: Path, manifest: Manifest) -> None:
    """Put every object of a backup into an empty store."""
    for each in manifest.objects:
        metadata: DictType = {"Cache-Control": each.cache_control} if each.cache_control else {}
        with (folder / each.path).open("rb") as content:
            size = manifest.files[each.path].size
            store.put_object(each.bucket, each.key, content, size, each.content_type, metadata)


def remove_others(folder: Path, manifest: Manifest) -> None:
    """Remove what earlier backups have left in a folder: objects that are gone, and dumps."""
    for file in [*folder.glob("objects/**/*"), *folder.glob("databases-*/*")]:
        if file.is_file() and str(file.relative_to(folder)) not in manifest.files:
            file.unlink()
    for dumps in folder.glob("databases-*"):
        if not any(dumps.iterdir()):
            shutil.rmtree(dumps)
