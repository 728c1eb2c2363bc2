"""The image has exactly the packages that were tested, and none that only one machine needs."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pins(name: str) -> dict[str, set[str]]:
    """Read which hashes a lock allows for each version of each package."""
    blocks = re.split(r"\n(?=\w)", (ROOT / name).read_text())
    return {block.split()[0]: set(re.findall(r"--hash=(\S+)", block)) for block in blocks}


def test_the_image_has_the_versions_that_were_tested():
    """Each package of its lock stands in the large one, with the same files."""
    image, everything = pins("requirements.image.lock"), pins("requirements.lock")

    assert image
    assert {package: everything.get(package) for package in image} == image


def test_the_image_has_what_the_programs_need_and_no_engine():
    """The lock was made of the dependencies as they are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {package.split("==")[0] for package in pins("requirements.image.lock")}
    needed = {re.split(r"[\[=]", dependency)[0] for dependency in project["project"]["dependencies"]}

    assert needed <= names
    assert names.isdisjoint(project["dependency-groups"]["machine"])
