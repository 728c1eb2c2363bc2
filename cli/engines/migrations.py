"""Migrates the four databases in one process: `python -m cli.engines.migrations FOLDER`.

FOLDER holds one file per context with its owner's connection string. On Kubernetes each context migrates by itself,
with `python -m services.common.migrate CONTEXT`; here one process saves three starts of Python and SQLAlchemy.
"""

import sys
from pathlib import Path

from cli.engines.parts import CONTEXTS
from services.common.migrate import upgrade


def main(folder: Path) -> None:
    """Bring every database to its newest schema."""
    for context in CONTEXTS:
        upgrade(context, (folder / context).read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
