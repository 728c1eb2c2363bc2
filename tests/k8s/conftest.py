"""The overlays, rendered once a session."""

import os
from pathlib import Path

import pytest
import yaml

from cli.engines.data import ROOT
from tests.k8s.manifests import Manifests, render

OURS = ("dev", "prod", "restore")
OF_AN_INSTALLATION = "prod-traced"


@pytest.fixture(scope="session")
def overlays(tmp_path_factory) -> dict[str, Manifests]:
    """Return what kustomize makes of our overlays, and of one that an installation has on top of prod."""
    folders = {name: ROOT / "k8s" / "overlays" / name for name in OURS}
    folders[OF_AN_INSTALLATION] = traced(tmp_path_factory.mktemp("overlay"))
    return {name: Manifests(name, render(folder)) for name, folder in folders.items()}


@pytest.fixture(params=[*OURS, OF_AN_INSTALLATION])
def manifests(request, overlays) -> Manifests:
    """Return one overlay after the other."""
    chosen: Manifests = overlays[request.param]
    return chosen


def traced(folder: Path) -> Path:
    """Write an overlay that adds traces to prod, as docs/telemetry.md says."""
    k8s = Path(os.path.relpath(ROOT / "k8s", folder))
    parts = {"resources": [str(k8s / "overlays/prod")], "components": [str(k8s / "components/tracing")]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(parts))
    return folder
