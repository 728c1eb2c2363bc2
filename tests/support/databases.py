"""Migrated databases: each context is migrated once per run into a template, which workers and tests copy."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass

from cli.engines.data import ROOT
from tests.support.engines import Engines, Run


@dataclass(frozen=True)
class Databases:
    """Makes copies of the migrated databases; names carry the xdist worker's, so workers never meet."""

    run: Run
    engines: Engines
    worker: str

    async def url(self, context: str, role: str = "app") -> str:
        """Return the connection string of this worker's database of a context, made at the first call."""
        return await self.fresh(context, "db", role)

    async def fresh(self, context: str, name: str, role: str = "app") -> str:
        """Return the connection string of a further copy: a test with an own name has an own database."""
        with self.run.lock(f"template-{context}"):
            await self._migrate(context)
        database = f"{context}_{self.worker}_{name}"
        await self.engines.postgres.create_database(context, database, template=f"{context}_template")
        return self.engines.database_url(context, role, database)

    async def _migrate(self, context: str) -> None:
        done = self.run.folder / f"{context}.migrated"
        if done.exists():
            return
        template = f"{context}_template"
        await self.engines.postgres.create_database(context, template)
        url = self.engines.database_url(context, "owner", template)
        await asyncio.to_thread(run_module, "services.common.migrate", context, SPOTILIKE_DATABASE_URL=url)
        done.touch()


def run_module(module: str, *arguments: str, **settings: str) -> None:
    """Run `python -m module` as `up` does and fail with what it printed."""
    subprocess.run(  # noqa: S603 - our own argv
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", **settings},
        check=True,
        timeout=120,
    )
