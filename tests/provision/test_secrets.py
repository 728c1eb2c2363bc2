"""Secrets are made once, kept, and told apart."""

import shutil
import stat
from itertools import combinations
from pathlib import Path

import pytest
from cryptography import x509

from services.provision import holders
from services.provision.certificates import SERVICES
from services.provision.holders import MADE
from services.provision.keepers import Folder, Keeper
from tests.support import cluster
from tests.support.databases import run_module

APPLICATIONS = [f"{context}-secrets" for context in ("user", "catalog", "processing", "streaming", "edge")]
ALONE = [*APPLICATIONS, *(f"{context}-owner" for context in ("user", "catalog", "processing", "streaming"))]
ALONE += ["scaler-secrets"]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return the folder of sets that were made just now."""
    write(Folder(tmp_path))
    return tmp_path


def write(keeper: Keeper) -> list[str]:
    """Make what is not there."""
    return holders.write_all(keeper, "postgres:5432", ["{service}", "{service}.music.svc"])


def contents(folder: Path) -> dict[str, str]:
    """Read every file."""
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_secrets_that_are_there_stay_as_they_are(kept: Path):
    """The job may be run again at any time."""
    before = contents(kept)

    assert write(Folder(kept)) == []
    assert contents(kept) == before


@pytest.mark.parametrize("name", ["user-secrets", "provision-secrets", "nats-config", "seaweedfs-identities"])
def test_a_set_that_was_lost_is_written_again_as_it_was(kept: Path, name: str):
    """Engines know the old credentials, and rows are sealed with the old keys."""
    before = contents(kept)
    shutil.rmtree(kept / name)

    assert write(Folder(kept)) == [name]
    assert contents(kept) == before


def test_a_file_that_a_set_lacks_is_added(kept: Path):
    """A release may need one more."""
    before = contents(kept)
    (kept / "user-secrets" / "spotilike_refresh_secret").unlink()

    assert write(Folder(kept)) == ["user-secrets"]
    assert contents(kept) == before


def test_only_their_owner_can_read_the_files(kept: Path):
    """Mode 0600 in folders of mode 0700."""
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in kept.rglob("*")}

    assert modes == {(True, 0o700), (False, 0o600)}


def test_no_secret_is_given_to_two_holders(kept: Path):
    """What one program loses opens nothing of another one; workers alone are the same identity as their service."""
    values = {name: set(Folder(kept).read(name).values()) for name in ALONE}

    assert [pair for pair in combinations(ALONE, 2) if values[pair[0]] & values[pair[1]]] == []
    assert Folder(kept).read("worker-secrets") == Folder(kept).read("processing-secrets")


def test_a_certificate_names_its_service(kept: Path):
    """By SPIFFE id, and by the hosts under which others reach it; the authority that issued it lies beside it."""
    for service in SERVICES:
        files = Folder(kept).read(f"{service}-tls")
        leaf = x509.load_pem_x509_certificate(files["tls.crt"].encode())
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(files["ca.crt"].encode()))
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://spotilike.local/{service}"]
        assert names.get_values_for_type(x509.DNSName) == [service, f"{service}.music.svc", "localhost"]


def test_a_cluster_keeps_the_same_sets_as_secrets(tmp_path: Path):
    """A second run changes nothing, and a Secret that was deleted comes back as it was."""
    with cluster.running(tmp_path) as api:
        settings = {
            "SPOTILIKE_KUBERNETES_API": f"https://localhost:{api.server_port}",
            "SPOTILIKE_SERVICE_ACCOUNT": str(tmp_path),
        }
        run_module("services.provision", "secrets", **settings)
        made, changes = {name: api.files(name) for name in api.secrets}, api.changes
        run_module("services.provision", "secrets", **settings)
        assert api.changes == changes
        del api.secrets["catalog-secrets"]
        run_module("services.provision", "secrets", **settings)

        assert {name: api.files(name) for name in api.secrets} == made
        assert {*ALONE, "worker-secrets", MADE, *(f"{service}-tls" for service in SERVICES)} < made.keys()
