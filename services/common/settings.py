"""Settings that every service has; each context adds its own in its `settings.py`.

A setting is an environment variable `SPOTILIKE_<NAME>` or a file `spotilike_<name>` in the folder that
`SPOTILIKE_SECRETS_DIR` names, which is how secrets arrive. The variable wins.
"""

import os
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseSettings):
    """Where the rows of one context are."""

    model_config = SettingsConfigDict(env_prefix="SPOTILIKE_", extra="ignore")

    database_url: SecretStr
    """postgresql://role:password@host:port/database."""
    database_pool: int = 10
    """Connections that a process keeps at most."""


class NatsSettings(BaseSettings):
    """Where facts travel between contexts."""

    model_config = SettingsConfigDict(env_prefix="SPOTILIKE_", extra="ignore")

    nats_url: str
    """nats://host:port, of several servers between commas."""
    nats_seed_file: Path
    """File with the nkey seed of this identity."""
    nats_ca_file: Path | None = None
    """The authority that servers are certified by, where they speak TLS; None is plain, for one machine."""


class StreamsSettings(NatsSettings):
    """What making the streams needs."""

    nats_replicas: int = 1
    """Servers that keep each message: 3 where NATS is a cluster of three."""


class StorageSettings(BaseSettings):
    """Where masters and renditions are."""

    model_config = SettingsConfigDict(env_prefix="SPOTILIKE_", extra="ignore")

    s3_endpoint: str
    """host:port."""
    s3_access_key: str
    s3_secret_key: SecretStr
    s3_tls: bool = False
    s3_region: str = "us-east-1"
    s3_bucket_prefix: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9-]*-)?$")
    """What the store's own names of buckets begin with, such as `music-`, where names belong to everybody."""


class TracingSettings(BaseSettings):
    """Whether traces are recorded, by the standard's variables. OpenTelemetry's SDK reads its further ones itself."""

    model_config = SettingsConfigDict(extra="ignore")

    exporter: Literal["none", "otlp", "file"] = Field(default="none", validation_alias="OTEL_TRACES_EXPORTER")
    """`otlp` sends spans to `OTEL_EXPORTER_OTLP_ENDPOINT`, `file` writes them into `folder`."""
    folder: Path = Field(default=Path("traces"), validation_alias="SPOTILIKE_TRACES_DIR")
    """Where files of traces are."""
    sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = Field(default="parentbased_always_on", validation_alias="OTEL_TRACES_SAMPLER")
    """Which traces are begun. The edge decides by it; services decide about calls that come without a trace."""
    sampled_share: float = Field(default=1.0, ge=0, le=1, validation_alias="OTEL_TRACES_SAMPLER_ARG")
    """Of `traceidratio`: how many of all."""
    collector: str = Field(
        default="http://127.0.0.1:4317",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    )
    """http://host:port, where a collector takes OTLP over gRPC."""

    @property
    def share(self) -> float:
        """How many of all traces are begun, from 0 to 1."""
        match self.sampler.removeprefix("parentbased_"):
            case "always_on":
                return 1.0
            case "always_off":
                return 0.0
            case _:
                return self.sampled_share


class MetricsSettings(BaseSettings):
    """Whether metrics are counted."""

    model_config = SettingsConfigDict(env_prefix="SPOTILIKE_", extra="ignore")

    metrics_listen: str | None = None
    """host:port where Prometheus reads them, without TLS; nothing is counted where it is unset."""


class ServiceSettings(DatabaseSettings):
    """What every gRPC service needs to run."""

    environment: Literal["development", "production"] = "production"
    """Development serves gRPC reflection."""
    public_listen: str
    """host:port for the edge."""
    internal_listen: str
    """host:port for other services."""
    health_listen: str
    """host:port for probes, without TLS; it serves nothing else."""
    tls_dir: Path
    """Folder with tls.crt, tls.key and ca.crt of this service."""
    user_internal: str
    """host:port of the user service's internal listener; the keys of access tokens come from there."""
    call_limit: int = 200
    """Calls that may run at once; more are refused at once."""
    call_seconds: float = 10.0
    """Longest time that a call may take, in seconds."""
    stream_limit: int = 200
    """Streams that may run at once, beside the calls."""
    stream_seconds: float = 900.0
    """Longest time that a stream may take, in seconds; its client asks again."""
    connection_seconds: float = 600.0
    """Age at which a connection is given up, in seconds, so that calls spread over new replicas as well."""
    drain_seconds: float = 10.0
    """How long running calls may go on after SIGTERM, in seconds."""
    drain_delay_seconds: float = 2.0
    """How long to report NOT_SERVING before new calls are refused, in seconds: until the edge asks other replicas."""


AnySettings = TypeVar("AnySettings", bound=BaseSettings)


def load(settings: type[AnySettings]) -> AnySettings:
    """Read settings from the environment and from secret files."""
    return settings(_secrets_dir=os.environ.get("SPOTILIKE_SECRETS_DIR"))
