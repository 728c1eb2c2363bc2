"""Settings of the administrator's steps; each step reads its own."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.streams import CONTEXTS
from services.provision.databases import CONNECTIONS_PER_ROLE


class SecretsSettings(BaseSettings):
    """What making secrets needs."""

    model_config = SettingsConfigDict(env_prefix="SPOTILIKE_", extra="ignore")

    keep_in: Path | None = None
    """Folder that keeps the sets; unset, they become Secrets of the namespace that the pod runs in."""
    postgres: str = "postgres:5432"
    """host:port that connection strings name."""
    hosts: tuple[str, ...] = ("{service}",)
    """Names by which a service is reached, in its certificate: JSON such as ["{service}", "{service}.music.svc"]."""
    kubernetes_api: str = "https://kubernetes.default.svc"
    service_account: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    """Folder with token, namespace and ca.crt."""


class DatabasesSettings(BaseSettings):
    """What making databases and roles needs."""

    model_config = SettingsConfigDict(env_prefix="SPOTILIKE_", extra="ignore")

    admin_database_url: SecretStr
    """Connection string of a superuser of the server."""
    role_passwords: dict[str, SecretStr]
    """JSON: the password of each role."""
    contexts: tuple[str, ...] = CONTEXTS
    """JSON: the contexts whose databases are on this server."""
    connections_per_role: int = CONNECTIONS_PER_ROLE
    """Connections that a role may have open at once."""
