"""Buckets and who may do what in them: one S3 identity per process that needs objects."""

import json
from dataclasses import dataclass

from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import AbortIncompleteMultipartUpload, LifecycleConfig, Rule

from services.common import buckets
from services.provision.made import Made

IDENTITIES = {
    "admin": ["Admin", "Read", "Write", "List", "Tagging"],
    # It looks whether what it plays and shows is there, after its database went back to a moment.
    "catalog": ["Read:uploads", "Write:uploads", "List:uploads", "List:audio", "List:images"],
    "processing": [
        "Read:uploads",
        *("Read:audio", "Write:audio", "List:audio"),
        *("Write:previews", "List:previews"),
        *("Write:images", "List:images"),
    ],
    "edge": ["Read:audio", "Read:previews", "Read:images"],
}
"""Actions by identity, in SeaweedFS' words. Another store's policies say the same in its own."""

_ABANDONED_UPLOAD_DAYS = 2


@dataclass(frozen=True)
class Credentials:
    """One S3 identity."""

    access_key: str
    secret_key: str

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings that hold them."""
        return {"SPOTILIKE_S3_ACCESS_KEY": self.access_key, "SPOTILIKE_S3_SECRET_KEY": self.secret_key}


def credentials(made: Made, identity: str) -> Credentials:
    """Return the keys of an identity."""
    return Credentials(f"spotilike-{identity}", made.password(f"s3_{identity}"))


def identities(made: Made) -> str:
    """Write SeaweedFS' file of identities (`-s3.config`), with the keys of each."""
    entries = []
    for name, actions in IDENTITIES.items():
        keys = credentials(made, name)
        pair = {"accessKey": keys.access_key, "secretKey": keys.secret_key}
        entries.append({"name": name, "credentials": [pair], "actions": actions})
    return json.dumps({"identities": entries}, indent=2)


def make_buckets(client: Minio, prefix: str = "") -> None:
    """Make the buckets that are not there; parts of an upload that nobody completes are forgotten after two days."""
    existing = {bucket.name for bucket in client.list_buckets()}
    for bucket in buckets.ALL:
        if f"{prefix}{bucket}" not in existing:
            client.make_bucket(f"{prefix}{bucket}")
    uploads = f"{prefix}uploads"
    if client.get_bucket_lifecycle(uploads) is None:
        forget = AbortIncompleteMultipartUpload(days_after_initiation=_ABANDONED_UPLOAD_DAYS)
        rule = Rule(ENABLED, rule_filter=Filter(prefix=""), abort_incomplete_multipart_upload=forget)
        client.set_bucket_lifecycle(uploads, LifecycleConfig([rule]))
