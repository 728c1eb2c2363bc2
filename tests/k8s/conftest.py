"""The overlays, rendered once a session."""

import pytest

from tests.k8s.manifests import Manifests, render


@pytest.fixture(scope="session")
def overlays() -> dict[str, Manifests]:
    """Return what kustomize makes of all overlays."""
    return {name: Manifests(name, render(name)) for name in ("dev", "prod", "restore")}


@pytest.fixture(params=["dev", "prod", "restore"])
def manifests(request, overlays) -> Manifests:
    """Return one overlay after the other."""
    chosen: Manifests = overlays[request.param]
    return chosen
