"""compose.yaml runs the programs with settings that they have, and lets nothing out."""

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from services.common.settings import DatabaseSettings, StorageSettings, StreamsSettings
from services.processing.settings import WorkerSettings
from services.provision import holders
from services.provision.keepers import Folder
from services.provision.settings import DatabasesSettings, SecretsSettings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
EXACT = re.compile(r"[\w./-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?")
ADDRESS = re.compile(r"(?:^|//|@)([a-z]+):\d+$")
SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|KEY|SEED|CREDENTIAL)S?$")
STEPS: dict[str, type[BaseSettings]] = {
    "secrets": SecretsSettings,
    "databases": DatabasesSettings,
    "streams": StreamsSettings,
    "buckets": StorageSettings,
}
PROGRAMS = [name for name, service in SERVICES.items() if service["image"] == f"spotilike:{VERSION}"]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sets of secrets as the first job makes them."""
    folder = tmp_path_factory.mktemp("sets")
    holders.write_all(Folder(folder), "postgres:5432", ["{service}"])
    return folder


def mounts(name: str) -> dict[str, str]:
    """Return which set of secrets a service sees where."""
    volumes = [volume for volume in SERVICES[name].get("volumes", []) if isinstance(volume, dict)]
    return {volume["target"]: volume["volume"]["subpath"] for volume in volumes if volume.get("source") == "secrets"}


def settings_of(command: list[str]) -> type[BaseSettings] | None:
    """Find what a program reads; one that is not ours reads nothing."""
    match command:
        case ["services.provision", step]:
            return STEPS[step]
        case ["services.common.migrate", _]:
            return DatabaseSettings
        case ["services.processing.worker"]:
            return WorkerSettings
        case ["aiosmtpd", *_]:
            return None
        case [module, *_]:
            found: type[BaseSettings] = importlib.import_module(f"{module}.settings").Settings
            return found
    raise AssertionError(command)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_every_setting_that_it_needs(name: str, sets: Path, monkeypatch: pytest.MonkeyPatch):
    """The variables and the set that is mounted are enough to read its settings."""
    settings = settings_of(SERVICES[name]["command"])
    variables = SERVICES[name].get("environment", {})
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    folder = variables.get("SPOTILIKE_SECRETS_DIR")

    if settings:
        settings(_secrets_dir=sets / mounts(name)[folder] if folder else None)
    else:
        assert variables == {}


def test_every_variable_is_a_setting():
    """A name that is misspelt would be ignored in silence."""
    known = {"SPOTILIKE_SECRETS_DIR"}
    for name in PROGRAMS:
        settings = settings_of(SERVICES[name]["command"])
        known |= {f"SPOTILIKE_{field.upper()}" for field in (settings.model_fields if settings else ())}
    variables = {variable for name in PROGRAMS for variable in SERVICES[name].get("environment", {})}

    assert variables - known == set()


def test_every_set_that_is_mounted_is_made(sets: Path):
    """By the name under which it is kept."""
    mounted = {subpath for name in SERVICES for subpath in mounts(name).values()}

    assert mounted <= {folder.name for folder in sets.iterdir()}
    assert "provision-made" not in mounted


def test_every_address_is_a_service():
    """Names are those of this file."""
    variables = [value for service in SERVICES.values() for value in service.get("environment", {}).values()]
    hosts = {found[1] for value in variables if (found := ADDRESS.search(value))}

    assert hosts - {"localhost"} <= SERVICES.keys()
    assert hosts >= {"postgres", "nats", "seaweedfs", "user", "catalog"}


def test_every_image_is_pinned_and_ours_is_one():
    """A tag that moves would be another program tomorrow."""
    images = {service["image"] for service in SERVICES.values()}

    assert [image for image in images if not EXACT.fullmatch(image)] == []
    assert {image for image in images if image.startswith("spotilike")} == {
        f"spotilike:{VERSION}",
        f"spotilike-edge:{VERSION}",
    }


def test_only_the_edge_is_published_and_only_on_loopback():
    """Nothing listens beyond this machine, and nothing but the edge is in a network with a way out."""
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "edge": ["127.0.0.1:8080:8080"]
    }
    assert [name for name, service in SERVICES.items() if service["networks"] != ["mesh"]] == ["edge"]
    assert COMPOSE["networks"]["mesh"] == {"internal": True}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str):
    """An account of its own, nothing to write but what is declared, no capability, an end to its memory."""
    service = SERVICES[name]

    assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])


def test_no_secret_stands_in_the_file():
    """They come as files."""
    names = {variable for service in SERVICES.values() for variable in service.get("environment", {})}

    assert [name for name in names if SECRET_NAME.search(name)] == []
    assert re.findall(r"://[^/\s]*@", str(COMPOSE)) == []
