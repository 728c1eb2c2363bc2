"""`restore`: makes an installation of a backup, in an empty data folder, ready for `up`."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer

from cli.backup import checks, databases, objects
from cli.backup.make import SECRETS
from cli.backup.manifest import Manifest
from cli.console import Console
from cli.engines.data import DataFolder
from cli.engines.engines import Engines
from cli.engines.parts import CONTEXTS
from cli.engines.secret_files import write_private
from cli.engines.supervisor import Supervisor
from cli.problem import Problem
from services.common.migrate import upgrade

_KEPT = ("postgres", "seaweedfs", "nats", "secrets/made")
"""What shows that a data folder was used."""
_PARTS = ("postgres", "databases", "seaweedfs", "buckets")


def restore(data: DataFolder, folder: Path) -> None:
    """Restore everything, look at it, and say what is missing."""
    began = time.monotonic()
    if any((data.path / kept).exists() for kept in _KEPT):
        raise Problem(f"{data.path} is in use: move it away, or choose an empty folder with --data DIR.")
    manifest = _verified(folder)
    data.make()
    with data.lock():
        for name, target in SECRETS.items():
            for file in (folder / name).iterdir():
                write_private(data.path / target / file.name, file.read_text())
        asyncio.run(_restore(data, folder, manifest))
    taken_at = datetime.fromisoformat(manifest.taken_at)
    typer.echo(
        f"Restored in {time.monotonic() - began:.1f} s to {manifest.taken_at}, "
        f"{(datetime.now(UTC) - taken_at).total_seconds():.0f} s ago; what was written since is lost. "
        "Start it with ./spotilike up; everybody has to sign in again."
    )


def _verified(folder: Path) -> Manifest:
    """Read every byte of a backup once, before anything is changed."""
    manifest = Manifest.read(folder)
    if manifest is None:
        raise Problem(f"{folder} holds no backup.")
    if damaged := list(manifest.damaged(folder)):
        raise Problem(f"The backup is damaged and nothing was changed: {checks.shown(damaged)}.")
    typer.echo(f"backup: {len(manifest.files)} files with {manifest.size} bytes are as they were saved")
    return manifest


async def _restore(data: DataFolder, folder: Path, manifest: Manifest) -> None:
    async with _running(data) as engines:
        postgres = engines.postgres
        for context in CONTEXTS:
            dump = manifest.dumps[context]
            await asyncio.to_thread(databases.load, postgres, context, folder / dump.path, dump)
            await asyncio.to_thread(upgrade, context, postgres.url(f"{context}_owner", f"{context}_db"))
            typer.echo(f"{context}_db: {sum(dump.rows.values())} rows; its schema was {dump.revision}")
        store = objects.client(engines.seaweedfs.endpoint, engines.seaweedfs.credentials("admin"))
        await asyncio.to_thread(objects.put_all, store, folder, manifest)
        typer.echo(f"objects: {len(manifest.objects)}")
        for line in await checks.put_right(postgres, engines.seaweedfs, folder):
            typer.echo(line)


@asynccontextmanager
async def _running(data: DataFolder) -> AsyncIterator[Engines]:
    """Run the database server and the store until the end of the block."""
    engines = Engines.at(data)
    mesh = [item for item in engines.mesh() if item.name in _PARTS]
    supervisor = Supervisor(mesh, data.logs, Console(lines=False))
    try:
        await supervisor.start()
        yield engines
    finally:
        await supervisor.stop()
