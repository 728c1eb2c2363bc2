"""A store whose names of buckets belong to everybody, so that ours have a prefix there."""

from uuid import uuid4

from minio import Minio
from pydantic import SecretStr

from services.common.settings import StorageSettings
from services.provision.objects import make_buckets
from tests.support.engines import Engines


def prefixed(engines: Engines) -> tuple[StorageSettings, Minio]:
    """Make buckets with a prefix of their own; answers the settings of their administrator, and a client."""
    keys, prefix = engines.s3_credentials("admin"), f"shared-{uuid4()}-"
    client = Minio(engines.s3_endpoint, keys.access_key, keys.secret_key, secure=False, region="us-east-1")
    make_buckets(client, prefix)
    settings = StorageSettings(
        s3_endpoint=engines.s3_endpoint,
        s3_access_key=keys.access_key,
        s3_secret_key=SecretStr(keys.secret_key),
        s3_bucket_prefix=prefix,
    )
    return settings, client
