"""What is put right after a restore, in all contexts of one machine."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr

from cli.backup import erasures
from cli.engines.postgres import Postgres
from cli.engines.seaweedfs import SeaweedFS
from services.catalog import recovery as catalog
from services.catalog.store import Store as CatalogStore
from services.common.db import opened
from services.common.settings import DatabaseSettings, StorageSettings
from services.common.storage import Storage
from services.streaming import recovery as streaming
from services.user import recovery as user
from services.user.store import Store as UserStore


async def put_right(postgres: Postgres, seaweedfs: SeaweedFS, folder: Path) -> list[str]:
    """Look for every file, erase again who was erased after the backup in `folder`, and end all sessions.

    Answers what was found and done, in a line each.
    """
    storage = Storage(_storage(seaweedfs))
    async with (
        opened(_database(postgres, "catalog")) as catalog_db,
        opened(_database(postgres, "streaming")) as streaming_db,
        opened(_database(postgres, "user")) as user_db,
    ):
        people = UserStore(user_db)
        tracks = await catalog.withdraw_tracks(CatalogStore(catalog_db), storage)
        async with CatalogStore(catalog_db).read() as releases, people.read() as accounts:
            pictures = [*await releases.artworks.shown(), *await accounts.users.avatars()]
        gone = await catalog.lost_pictures(storage, pictures)
        erased = await user.erase_again(people, erasures.listed(folder))
        await user.withdraw_keys(user_db)
        await streaming.withdraw_keys(streaming_db)
        devices = await user.end_sessions(people)
    return [
        f"tracks: {tracks.count}, of which {len(tracks.lost)} have lost files {shown(tracks.lost)}".rstrip(),
        f"pictures: {len(pictures)}, of which {len(gone)} have lost files {shown(gone)}".rstrip(),
        f"erased again: {erased} people",
        f"signed out: {devices} devices",
    ]


def _database(postgres: Postgres, context: str) -> DatabaseSettings:
    return DatabaseSettings(database_url=SecretStr(postgres.url(f"{context}_app", f"{context}_db")))


def _storage(seaweedfs: SeaweedFS) -> StorageSettings:
    keys = seaweedfs.credentials("catalog")
    return StorageSettings(
        s3_endpoint=seaweedfs.endpoint, s3_access_key=keys.access_key, s3_secret_key=SecretStr(keys.secret_key)
    )


def shown(things: Iterable[object], most: int = 20) -> str:
    """Write a list that may be long."""
    names = [str(thing) for thing in things]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
