"""The administrator's job: `python -m services.provision secrets|databases|streams|buckets`.

Each step may be run again at any time: it makes what is missing and leaves alone what is there. An engine that is not
there yet is waited for.

`python -m services.provision recover user|catalog|streaming` puts a context right whose database went back to a moment,
as its application. No service may run meanwhile; it may be run again, and does the rest of what is to be done.
"""

import asyncio
import importlib
import sys
import time
from collections.abc import Callable

import psycopg
import structlog
import urllib3
from minio import Minio

from services.common import buckets, streams, telemetry
from services.common.settings import StorageSettings, StreamsSettings, load
from services.provision import holders, objects
from services.provision.databases import Server
from services.provision.keepers import Cluster, Folder, Keeper
from services.provision.settings import DatabasesSettings, SecretsSettings

PAUSE_SECONDS = 1.0

log = structlog.get_logger("provision")


def make_secrets() -> None:
    """Make every secret once, for folders or for the cluster."""
    settings = load(SecretsSettings)
    log.info("secrets_made", written=holders.write_all(_keeper(settings), settings.postgres, settings.hosts))


def make_databases() -> None:
    """Make the databases and roles of the contexts."""
    settings = load(DatabasesSettings)
    passwords = {role: password.get_secret_value() for role, password in settings.role_passwords.items()}
    server = Server(settings.admin_database_url.get_secret_value(), passwords, settings.connections_per_role)
    _when_reachable(lambda: asyncio.run(server.provision(settings.contexts)), psycopg.OperationalError)
    log.info("databases_made", contexts=settings.contexts)


def make_streams() -> None:
    """Make the streams and consumers; a server that is not there yet is waited for while connecting."""
    settings = load(StreamsSettings)
    asyncio.run(streams.declare(settings))
    log.info("streams_made", replicas=settings.nats_replicas)


def make_buckets() -> None:
    """Make the buckets and their rules."""
    settings = load(StorageSettings)
    client = Minio(
        settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        secure=settings.s3_tls,
        region=settings.s3_region,
        http_client=urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(10)),
    )
    _when_reachable(lambda: objects.make_buckets(client, settings.s3_bucket_prefix), urllib3.exceptions.HTTPError)
    log.info("buckets_made", buckets=buckets.ALL, prefix=settings.s3_bucket_prefix)


def recover(context: str) -> None:
    """Put a context right; as with its migrations, what there is to do stands with the context."""
    settings = load(importlib.import_module(f"services.{context}.settings").RecoverySettings)
    figures = asyncio.run(importlib.import_module(f"services.{context}.recovery").recover(settings))
    log.info("recovered", context=context, **figures)


def _keeper(settings: SecretsSettings) -> Keeper:
    if settings.keep_in is None:
        return Cluster(settings.kubernetes_api, settings.service_account)
    return Folder(settings.keep_in)


def _when_reachable(work: Callable[[], None], unreachable: type[Exception]) -> None:
    """Do the work as soon as its engine can be reached."""
    while True:
        try:
            return work()
        except unreachable as error:
            log.info("waiting", error=str(error).splitlines()[0][:200])
            time.sleep(PAUSE_SECONDS)


STEPS = {"secrets": make_secrets, "databases": make_databases, "streams": make_streams, "buckets": make_buckets}
RECOVERED = ("user", "catalog", "streaming")
"""Processing has nothing to put right: leases end by themselves, and what it forgot is told to it again."""


if __name__ == "__main__":
    match sys.argv[1:]:
        case [step] if step in STEPS:
            telemetry.configure("provision")
            STEPS[step]()
        case ["recover", context] if context in RECOVERED:
            telemetry.configure("provision")
            recover(context)
        case _:
            sys.exit(f"usage: python -m services.provision {'|'.join(STEPS)}|recover {'|'.join(RECOVERED)}")
