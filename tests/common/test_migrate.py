"""A release starts on a database that is at least as new as itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from cli.engines.data import ROOT
from tests.support.databases import Databases, run_module

CONTEXT = "streaming"
END_SECONDS = 60


@contextmanager
def waiting(url: str) -> Iterator[subprocess.Popen[str]]:
    """Run `migrate --wait` on a database."""
    process = subprocess.Popen(  # noqa: S603 (our own argv)
        [sys.executable, "-P", "-m", "services.common.migrate", CONTEXT, "--wait"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}",
            "PYTHONUNBUFFERED": "1",
            "SPOTILIKE_DATABASE_URL": url,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str], sentence: str) -> bool:
    """Read what it logs until it says something."""
    assert process.stdout
    return any(sentence in line for line in process.stdout)


def move(url: str, revision: str) -> None:
    """Let a database be at another revision."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])


@pytest.mark.parametrize("revision", [None, "9999"])
async def test_a_database_of_this_release_or_a_newer_one_is_not_waited_for(databases: Databases, revision):
    """The application's role is enough to see it, and a release does not know the revisions of later ones."""
    name = f"ahead{revision or ''}"
    app = await databases.fresh(CONTEXT, name)
    if revision:
        move(await databases.fresh(CONTEXT, name, "owner"), revision)

    with waiting(app) as process:
        assert process.wait(END_SECONDS) == 0


async def test_an_older_database_is_waited_for_until_it_is_migrated(databases: Databases):
    """It says what it waits for, and ends when somebody has migrated."""
    app, owner = await databases.fresh(CONTEXT, "behind"), await databases.fresh(CONTEXT, "behind", "owner")
    with psycopg.connect(owner) as connection:
        [newest] = connection.execute("SELECT version_num FROM alembic_version").fetchone() or [""]
    move(owner, "0001")

    with waiting(app) as process:
        assert said(process, "not as new as this release yet")
        assert process.poll() is None
        move(owner, newest)
        assert process.wait(END_SECONDS) == 0


async def test_a_database_without_tables_is_waited_for(databases: Databases):
    """A release may be started before its database was ever migrated."""
    name = f"{CONTEXT}_{databases.worker}_empty"
    await databases.engines.postgres.create_database(CONTEXT, name)

    with waiting(databases.engines.database_url(CONTEXT, "app", name)) as process:
        assert said(process, "not as new as this release yet")
        owner = databases.engines.database_url(CONTEXT, "owner", name)
        run_module("services.common.migrate", CONTEXT, SPOTILIKE_DATABASE_URL=owner)
        assert process.wait(END_SECONDS) == 0


async def test_a_database_that_cannot_be_reached_is_waited_for(databases: Databases):
    """It says why."""
    url = databases.engines.database_url(CONTEXT, "app", "not_there")

    with waiting(url) as process:
        assert said(process, "cannot be read yet")
        assert process.poll() is None
