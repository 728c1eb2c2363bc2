"""The Dockerfile makes images that anybody may run anywhere."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTRUCTIONS = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
STAGES = {stage.split()[2]: stage.splitlines() for stage in re.split(r"^FROM ", INSTRUCTIONS, flags=re.MULTILINE)[1:]}
IMAGES = ("spotilike", "spotilike-edge")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_numbered_account_and_without_a_shell(image: str):
    """Kubernetes can only tell from a number that it is not root's; a shell would swallow signals."""
    assert "USER 10001:10001" in STAGES[image]
    started = [line for line in STAGES[image] if line.startswith(("ENTRYPOINT", "CMD"))]
    assert started
    assert [line for line in started if not re.match(r"\w+ \[", line)] == []


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_what_it_is(image: str):
    """Its version is that of the project."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    [label] = [line for line in STAGES[image] if line.startswith("LABEL")]

    assert f'org.opencontainers.image.version="{version}"' in label
    assert f'org.opencontainers.image.title="{image}"' in label


def test_probes_are_left_to_whoever_runs_it():
    """Docker's own health check would start a program in every container every few seconds."""
    assert "HEALTHCHECK" not in INSTRUCTIONS


def test_every_package_is_installed_by_hash():
    """From the locks, which were tested."""
    installs = re.findall(r"pip\b[^&\n]*\binstall\b[^&\n]*", INSTRUCTIONS)

    assert installs
    assert [
        install for install in installs if "--require-hashes --requirement" not in re.sub(r" +", " ", install)
    ] == []


def test_an_image_is_built_of_nothing_but_what_it_runs():
    """Secrets, tests and data folders of a checkout never reach a builder."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]

    assert sorted(allowed) == ["envoy", "gen", "requirements.image.lock", "requirements.lock", "services", "web"]
