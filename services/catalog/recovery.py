"""What is put right in the catalog after its database went back to a moment.

`python -m services.provision recover catalog`, while the service is stopped. The object store does not go back: it is
looked whether everything is there that the older rows name.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from services.catalog.domain import Failure
from services.catalog.events import ARTWORK_RETIRED, FOLDER_RETIRED
from services.catalog.settings import RecoverySettings
from services.catalog.store import Store
from services.common import images
from services.common.buckets import AUDIO, IMAGES
from services.common.db import opened
from services.common.storage import Storage
from spotilike.internal.v1.audio_pb2 import AudioFacts

FILES_LOST = Failure("FILES_LOST", "The files of this track were lost. Upload the master again.")
BATCH = 200
"""Folders that are looked at before the next ones are asked for."""

log = structlog.get_logger("recovery")


@dataclass(frozen=True)
class Tracks:
    """The tracks that could be played, and what became of them."""

    count: int
    lost: list[UUID]


async def recover(settings: RecoverySettings) -> dict[str, int]:
    """Withdraw tracks that have lost a file, and count pictures that have; answers figures.

    What was retired shortly before the moment is told again: processing may have heard it after the moment, and unlike
    uploads and outcomes, nobody sees later that it did not.
    """
    storage = Storage(settings)
    async with opened(settings) as database:
        store = Store(database)
        tracks = await withdraw_tracks(store, storage)
        async with store.read() as tx:
            shown = await tx.artworks.shown()
        async with store.begin() as tx:
            told_again = await tx.outbox.tell_again(FOLDER_RETIRED, ARTWORK_RETIRED)
    lost = await lost_pictures(storage, shown)
    if tracks.lost or lost:
        log.warning("files_lost", tracks=[str(track) for track in tracks.lost], pictures=lost)
    return {
        "tracks": tracks.count,
        "tracks_withdrawn": len(tracks.lost),
        "pictures": len(shown),
        "pictures_lost": len(lost),
        "retired_told_again": told_again,
    }


async def withdraw_tracks(store: Store, storage: Storage) -> Tracks:
    """Look for every file of every track that can be played.

    Those that have lost one cannot be played any more, and their artists read why.
    """
    count, lost, last = 0, list[UUID](), None
    while True:
        async with store.read() as tx:
            some = await tx.tracks.audible(last, BATCH)
        if not some:
            return Tracks(count, lost)
        files = await _files(storage, AUDIO, [audio.folder for audio in some])
        gone = [audio.track_id for audio, there in zip(some, files, strict=True) if not _is_whole(there, audio.facts)]
        async with store.begin() as tx:
            await tx.tracks.lose(gone, FILES_LOST)
        count, lost, last = count + len(some), lost + gone, some[-1].track_id


async def lost_pictures(storage: Storage, keys: Sequence[str]) -> list[str]:
    """Look for every size of pictures; answers the keys of those that have lost one."""
    wanted = {images.file_name(size, ending) for size in images.SIZES for ending in images.ENDINGS}
    lost: list[str] = []
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        files = await _files(storage, IMAGES, [key.removeprefix(f"{IMAGES}/") for key in some])
        lost += [key for key, there in zip(some, files, strict=True) if not wanted <= there.keys()]
    return lost


async def _files(storage: Storage, bucket: str, folders: Sequence[str]) -> list[dict[str, int]]:
    """List what is in folders: the bytes of each file by its name."""
    found = await asyncio.gather(*(storage.sizes(bucket, f"{folder}/") for folder in folders))
    return [
        {key.removeprefix(f"{folder}/"): size for key, size in sizes.items()}
        for folder, sizes in zip(folders, found, strict=True)
    ]


def _is_whole(files: Mapping[str, int], serialized: bytes) -> bool:
    facts = AudioFacts.FromString(serialized)
    playlists = {each.playlist for each in facts.manifests} | {each.playlist for each in facts.renditions}
    media = ((rendition.media, rendition.size_bytes) for rendition in facts.renditions)
    return playlists <= files.keys() and all(files.get(name) == size for name, size in media)
