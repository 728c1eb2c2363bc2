"""Writes the configuration of the edge from the environment and from secret files: `python -m envoy FILE`.

The file holds the store's secret key, so only this account can read it: Envoy runs under the same one.
"""

import json
import os
import sys
from pathlib import Path

from envoy.render import EdgeSettings, render
from envoy.settings import Settings
from envoy.tracing import sent
from services.common.settings import TracingSettings, load


def edge(settings: Settings, traces: TracingSettings) -> EdgeSettings:
    """Say to the template what the environment says."""
    listen_host, listen_port = _address(settings.edge_listen)
    return EdgeSettings(
        listen_host=listen_host,
        listen_port=listen_port,
        admin_port=settings.edge_admin_port,
        keys_port=settings.edge_keys_port,
        certificate=settings.edge_certificate,
        private_key=settings.edge_private_key,
        https=settings.edge_https,
        trusted_proxies=settings.edge_trusted_proxies,
        requests_per_second=settings.edge_requests_per_second,
        burst=settings.edge_burst,
        tls_dir=settings.tls_dir,
        upstreams={
            "user": [_address(settings.user_public)],
            "catalog": [_address(settings.catalog_public)],
            "processing": [_address(settings.processing_public)],
            "streaming": [_address(settings.streaming_public)],
        },
        store=_address(settings.s3_endpoint),
        store_access_key=settings.s3_access_key,
        store_secret_key=settings.s3_secret_key.get_secret_value(),
        store_region=settings.s3_region,
        store_ca=settings.edge_store_ca if settings.s3_tls else None,
        bucket_prefix=settings.s3_bucket_prefix,
        metrics=_address(settings.edge_metrics_listen) if settings.edge_metrics_listen else None,
        traces=sent(traces),
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main(file: Path) -> None:
    """Write the file, whole or not at all."""
    configuration = json.dumps(render(edge(load(Settings), load(TracingSettings))))
    unfinished = file.with_name(f".{file.name}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(configuration)
    unfinished.replace(file)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [file]:
            main(Path(file))
        case _:
            sys.exit("usage: python -m envoy FILE")
