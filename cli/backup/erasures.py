"""People who were erased, listed beside the backups: a backup from before still knows them, and a restore must not."""

import asyncio
import contextlib
import json
import os
from pathlib import Path
from uuid import UUID

import psycopg

from cli.engines.data import DataFolder
from cli.engines.postgres import Postgres
from cli.engines.secret_files import write_private
from services.common.streams import USER_DELETED
from services.user import recovery
from spotilike.events.v1.event_pb2 import Event

FILE = "erasures"
POLL_SECONDS = 2.0
_LOOKED_BACK = 1000
"""Facts commit out of order: so many are looked at again."""
_FOLDERS = "backups.json"


def remember(data: DataFolder, folder: Path) -> None:
    """Have `up` list in a folder who is erased from now on."""
    known = folders(data)
    if folder not in known:
        write_private(data.path / _FOLDERS, json.dumps([str(each) for each in [*known, folder]]))


def folders(data: DataFolder) -> list[Path]:
    """Return the folders with backups of an installation."""
    file = data.path / _FOLDERS
    return [Path(path) for path in json.loads(file.read_text())] if file.exists() else []


def listed(folder: Path) -> set[UUID]:
    """Return who was erased."""
    file = folder / FILE
    return recovery.listed(file) if file.exists() else set()


class Erasures:
    """Follows what the user service tells, in the supervisor, for as long as the installation runs."""

    def __init__(self, data: DataFolder, postgres: Postgres) -> None:
        """Follow the facts in the database of a data folder."""
        self._data = data
        self._url = postgres.url("user_owner", "user_db")
        self._last = 0

    async def run(self) -> None:
        """Follow until cancelled. Nothing is missed: what could not be read or written is read again."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if known := folders(self._data):
                with contextlib.suppress(psycopg.Error):
                    await self._list(known)

    async def _list(self, known: list[Path]) -> None:
        facts = "SELECT payload FROM outbox WHERE id > %s AND subject = %s ORDER BY id"
        async with await psycopg.AsyncConnection.connect(self._url, connect_timeout=3) as connection:
            last = await (await connection.execute("SELECT coalesce(max(id), 0) FROM outbox")).fetchone()
            told = await connection.execute(facts, [self._last - _LOOKED_BACK, USER_DELETED])
            erased = [_user(payload) for (payload,) in await told.fetchall()]
        written = [await asyncio.to_thread(_append, folder, erased) for folder in known]
        self._last = last[0] if last and all(written) else 0


def _user(payload: bytes) -> UUID:
    return UUID(Event.FromString(payload).resource.removeprefix("users/"))


def _append(folder: Path, erased: list[UUID]) -> bool:
    """Add who is not listed yet, so that it survives whatever happens next; answers whether the folder is there."""
    try:
        known = listed(folder)
        if missing := [user for user in erased if user not in known]:
            with os.fdopen(os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
                file.writelines(f"{user}\n" for user in missing)
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        return False
    return folder.is_dir()
