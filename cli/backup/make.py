"""`backup`: saves a running installation into a folder."""

import time
from pathlib import Path

import typer

from cli.backup import databases, erasures, objects
from cli.backup.manifest import Manifest, describe
from cli.engines.data import DataFolder
from cli.engines.parts import CONTEXTS
from cli.engines.running import running, running_postgres
from cli.engines.secret_files import SecretFiles, write_private
from cli.problem import Problem
from services.provision.objects import credentials

SECRETS = {"secrets": Path("secrets") / "made", "authority": Path("tls") / "ca"}
"""What is needed to read the rest, and the authority that devices trust: the folders of a backup and of DATA."""


def backup(data: DataFolder, folder: Path) -> None:
    """Save everything, the databases first: an object that they name is removed long after it was named last."""
    began = time.monotonic()
    earlier = _prepare(data, folder)
    postgres = running_postgres(data)
    ports = next(part["ports"] for part in running(data)["parts"] if part["name"] == "seaweedfs")
    with databases.one_moment(postgres) as moment:
        dumps = f"databases-{moment.taken_at:%Y%m%dT%H%M%S%fZ}"
        (folder / dumps).mkdir(mode=0o700)
        manifest = Manifest(moment.taken_at.isoformat(), moment.version)
        for context in CONTEXTS:
            dump = databases.dump(postgres, moment, context, folder, f"{dumps}/{context}.dump")
            manifest.dumps[context] = dump
            manifest.files[dump.path] = describe(folder / dump.path)
            typer.echo(f"{context}_db: {sum(dump.rows.values())} rows, {manifest.files[dump.path].size} bytes")
    erasures.remember(data, folder)
    copied = 0
    store = objects.client(f"127.0.0.1:{ports['s3']}", credentials(SecretFiles(data.secrets), "admin"))
    for each in objects.copy_all(store, folder, earlier):
        manifest.objects.append(each.stored)
        manifest.files[each.stored.path] = each.file
        copied += each.is_new
    typer.echo(f"objects: {copied} copied, {len(manifest.objects) - copied} were there already")
    _save_secrets(data, folder, manifest)
    manifest.write(folder)
    objects.remove_others(folder, manifest)
    seconds = time.monotonic() - began
    typer.echo(f"{folder} holds {manifest.size} bytes as of {manifest.taken_at}, saved in {seconds:.1f} s.")
    typer.echo("It holds secrets and everybody's data: keep it where only you can read it, on another disk.")


def _prepare(data: DataFolder, folder: Path) -> Manifest | None:
    """Make the folder, or see that it holds a backup; answers that."""
    if folder.is_relative_to(data.path):
        raise Problem(f"{folder} would be lost together with what it saves: choose a folder on another disk.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    earlier = Manifest.read(folder)
    if earlier is None and any(path.name != erasures.FILE and not _is_ours(path) for path in folder.iterdir()):
        raise Problem(f"{folder} holds other files: choose an empty folder, or one with a backup.")
    folder.chmod(0o700)
    return earlier


def _is_ours(path: Path) -> bool:
    """Tell whether a backup that was broken off has left this."""
    return path.name in {"objects", *SECRETS} or path.name.startswith("databases-")


def _save_secrets(data: DataFolder, folder: Path, manifest: Manifest) -> None:
    for name, origin in SECRETS.items():
        for file in sorted((data.path / origin).iterdir()):
            write_private(folder / name / file.name, file.read_text())
            manifest.files[f"{name}/{file.name}"] = describe(folder / name / file.name)
    typer.echo(f"secrets: {sum(path.split('/')[0] in SECRETS for path in manifest.files)}")
