"""In a container the edge is told by its environment where everything is."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from cli.engines.envoy import envoy_binary
from tests.support.databases import run_module
from tests.support.engines import Engines


@pytest.fixture
def configuration(engines: Engines, tmp_path: Path) -> Path:
    """Return the file that `python -m envoy` writes."""
    keys = engines.s3_credentials("edge")
    (tmp_path / "spotilike_s3_secret_key").write_text(keys.secret_key)
    file = tmp_path / "envoy.json"
    run_module(
        "envoy",
        str(file),
        SPOTILIKE_SECRETS_DIR=str(tmp_path),
        SPOTILIKE_TLS_DIR=str(engines.tls_dir("edge")),
        SPOTILIKE_S3_ENDPOINT="store:8333",
        SPOTILIKE_S3_ACCESS_KEY=keys.access_key,
        SPOTILIKE_CATALOG_PUBLIC="catalog.music.svc:8444",
    )
    return file


def test_envoy_accepts_what_the_environment_says(configuration: Path):
    """The program itself reads the file, certificates included."""
    checked = subprocess.run(  # noqa: S603 (our own argv)
        [envoy_binary(), "-c", str(configuration), "--mode", "validate", "--log-level", "warning"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


def test_services_are_reached_by_name_and_known_by_their_identity(configuration: Path):
    """Wherever the name leads, only the certificate of that very service is believed."""
    resources = json.loads(configuration.read_text())["static_resources"]
    clusters = {cluster["name"]: cluster for cluster in resources["clusters"]}
    seen = {}
    for context in ("user", "catalog", "processing", "streaming"):
        [group] = clusters[context]["load_assignment"]["endpoints"]
        [endpoint] = group["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        believed = clusters[context]["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
        [name] = believed["match_typed_subject_alt_names"]
        seen[f"{address['address']}:{address['port_value']}"] = name["matcher"]["exact"]

    assert seen == {
        "user:8443": "spiffe://spotilike.local/user",
        "catalog.music.svc:8444": "spiffe://spotilike.local/catalog",
        "processing:8443": "spiffe://spotilike.local/processing",
        "streaming:8443": "spiffe://spotilike.local/streaming",
    }


def test_the_configuration_is_private(configuration: Path):
    """It holds the key to the store."""
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
