"""What the repository must never hold."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGEST_BYTES = 600 * 1024
REGISTRIES = re.compile(r"https?://[\w.-]*(registry|pypi|npmjs|pythonhosted|debian\.org)[\w./-]*|\"resolved\":")
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(work|root|farm)/")
BINARY = {".png", ".webp", ".binpb", ".ico", ".woff2"}


def tracked() -> list[Path]:
    """List the files of the repository."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 (git is how one gets here)
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts():
    """Read every text of the repository but this one, which names what it looks for."""
    for path in tracked():
        if path.suffix not in BINARY and path != Path(__file__):
            yield path.relative_to(ROOT), path.read_text(errors="replace")


def test_no_file_names_a_package_registry():
    """Lock files work wherever packages come from."""
    assert [str(path) for path, text in texts() if REGISTRIES.search(text)] == []


def test_no_file_names_a_folder_of_somebodys_machine():
    """Paths are relative to the tree or to DATA."""
    assert [str(path) for path, text in texts() if MACHINE_PATHS.search(text)] == []


def test_no_contract_of_others_is_copied():
    """google.api, google.rpc and buf.validate come from their packages."""
    assert [path for path in tracked() if path.suffix == ".proto" and "spotilike" not in path.parts] == []


def test_no_file_is_large():
    """Media and bundles are made, not kept."""
    assert [str(path) for path in tracked() if path.stat().st_size > LARGEST_BYTES] == []
