"""What is looked at and put right after a restore, in each context's database as its owner."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import psycopg
from minio import Minio
from pydantic import SecretStr

from cli.backup import erasures
from cli.engines.postgres import Postgres
from services.common import images
from services.common.buckets import AUDIO, IMAGES
from services.common.db import Database
from services.common.settings import DatabaseSettings
from services.user.erasure import erase
from services.user.store import Store
from spotilike.internal.v1.audio_pb2 import AudioFacts

LOST = ("FILES_LOST", "The files of this track were lost. Upload the master again.")
_PLAYED = "SELECT id, file_key, audio_facts FROM tracks WHERE is_available ORDER BY id"
_FAIL = "UPDATE tracks SET is_available = false, failure_reason = %s, failure_message = %s WHERE id = ANY(%s)"
_WITHDRAW = "UPDATE signing_keys SET retired_at = now() WHERE retired_at IS NULL OR retired_at > now()"
_PICTURES: Mapping[str, LiteralString] = {
    "catalog": "SELECT cover_url FROM albums UNION SELECT avatar_url FROM artists",
    "user": "SELECT avatar_url FROM users",
}


def withdraw_tracks(postgres: Postgres, store: Minio) -> tuple[int, list[UUID]]:
    """Look for every file of every track that can be played.

    Answers how many tracks there are, and which of them have lost a file: they cannot be played any more, and their
    artists read why.
    """
    sizes = _sizes(store, AUDIO)
    with psycopg.connect(postgres.url("catalog_owner", "catalog_db")) as catalog:
        rows = catalog.execute(_PLAYED).fetchall()
        lost = [track for track, key, facts in rows if not _is_whole(sizes[key], AudioFacts.FromString(facts))]
        catalog.execute(_FAIL, [*LOST, lost])
    return len(rows), lost


def missing_pictures(postgres: Postgres, store: Minio) -> tuple[int, list[str]]:
    """Look for every size of every cover and avatar; answers how many there are, and which are not whole."""
    stored = _sizes(store, IMAGES)
    keys: list[str] = []
    for context, query in _PICTURES.items():
        with psycopg.connect(postgres.url(f"{context}_owner", f"{context}_db")) as database:
            keys += [key for (key,) in database.execute(query) if key and key.startswith(f"{IMAGES}/")]
    wanted = {images.file_name(size, ending) for size in images.SIZES for ending in images.ENDINGS}
    return len(keys), [key for key in keys if not wanted <= stored[key.removeprefix(f"{IMAGES}/")].keys()]


def end_sessions(postgres: Postgres) -> int:
    """Sign everybody out, and withdraw the keys of all tokens; answers how many devices that were."""
    for context in ("user", "streaming"):
        with psycopg.connect(postgres.url(f"{context}_owner", f"{context}_db")) as database:
            database.execute(_WITHDRAW)
    with psycopg.connect(postgres.url("user_owner", "user_db")) as database:
        return database.execute("UPDATE refresh_tokens SET revoked = true WHERE NOT revoked").rowcount


async def erase_again(postgres: Postgres, folder: Path) -> int:
    """Erase who was erased after the backup; answers how many people that were. The other contexts hear of it."""
    url = SecretStr(postgres.url("user_owner", "user_db"))
    database = Database(DatabaseSettings(database_url=url))
    count = 0
    for user_id in erasures.listed(folder):
        async with Store(database).begin() as tx:
            if user := await tx.users.lock(user_id):
                await erase(tx, user)
                count += 1
    await database.close()
    return count


def _is_whole(files: Mapping[str, int], facts: AudioFacts) -> bool:
    playlists = {each.playlist for each in facts.manifests} | {each.playlist for each in facts.renditions}
    media = ((rendition.media, rendition.size_bytes) for rendition in facts.renditions)
    return playlists <= files.keys() and all(files.get(name) == size for name, size in media)


def _sizes(store: Minio, bucket: str) -> Mapping[str, dict[str, int]]:
    """List a bucket: by folder, the length of each file."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for each in store.list_objects(bucket, recursive=True):
        folder, _, name = str(each.object_name).rpartition("/")
        found[folder][name] = int(each.size or 0)
    return found


def shown(things: Iterable[object], most: int = 20) -> str:
    """Write a list that may be long."""
    names = [str(thing) for thing in things]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
