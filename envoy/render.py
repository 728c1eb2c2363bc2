"""Makes the configuration of one Envoy: `render(EdgeSettings(...))` is what Envoy reads, as a mapping.

`python -m envoy.render < settings.json > envoy.json` does the same for an image. The result holds the store's
secret key: keep the file private.
"""

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from envoy import pages, replies, routes, security, tracing
from envoy.contract import Contract
from envoy.template import fill
from envoy.tracing import Traces

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


@dataclass(frozen=True, kw_only=True)
class EdgeSettings:
    """Where the edge listens, and where everything behind it is."""

    listen_host: str
    listen_port: int
    admin_port: int
    """Envoy's own interface, on loopback."""
    keys_port: int
    """Where Envoy fetches the keys of tokens from itself, on loopback."""
    certificate: Path | None = None
    """PEM chain for clients; None is plain HTTP, for one machine or behind a proxy that ends TLS."""
    private_key: Path | None = None
    https: bool = False
    """Whether a proxy in front ends TLS; with a certificate of its own the edge knows that clients come by HTTPS."""
    tls_dir: Path
    """Folder with tls.crt, tls.key and ca.crt of the edge, by which services know it."""
    upstreams: Mapping[str, Sequence[tuple[str, int]]]
    """Public listeners of each context's service: host and port."""
    store: tuple[str, int]
    """Host and port of S3, exactly as the services name it: presigned addresses are signed for that name."""
    store_access_key: str
    store_secret_key: str
    store_region: str = "us-east-1"
    store_ca: Path | None = None
    """Authorities that the store is certified by, where it speaks TLS; None is plain HTTP."""
    bucket_prefix: str = ""
    """What the store's own names of buckets begin with."""
    web_root: Path = ROOT / "web" / "dist"
    """The built player; nothing is served while the folder is missing."""
    descriptors: Path = ROOT / "gen" / "spotilike.binpb"
    openapi: Path = ROOT / "gen" / "openapi.json"
    metrics: tuple[str, int] | None = None
    """Host and port where Prometheus reads /metrics, without TLS; nothing else can be had there."""
    traces: Traces | None = None
    """None records nothing."""
    trusted_proxies: int = 0
    """How many proxies of ours stand in front and note the client's address in X-Forwarded-For."""
    connections: int = 10_000
    """How many clients may be connected at once; whoever comes then is turned away."""
    calls_per_service: int = 1024
    """How many calls one service may have to answer at once; the others are refused at once."""
    requests_per_second: int = 500
    """What one address may send in the long run."""
    burst: int = 2000
    """What one address may send at once."""
    guest_writes_per_second: int = 20
    """How many of those may change something without a token: sign-up, sign-in, reset."""
    guest_writes_burst: int = 200
    """How many of those may come at once."""


def render(settings: EdgeSettings) -> dict[str, Any]:
    """Write the configuration, ready for `json.dumps`."""
    contract = Contract.read(settings.descriptors)
    served = [pages.openapi_page(settings.openapi), *pages.web_pages(settings.web_root)]
    store_host, store_port = settings.store
    default_port = 443 if settings.store_ca else 80
    # In a signature the port is named where it is another than the scheme's own.
    store = store_host if store_port == default_port else f"{store_host}:{store_port}"
    stored = {"store": store, "bucket_prefix": settings.bucket_prefix}
    traced = tracing.described(settings.traces) if settings.traces else {}
    https = settings.https or settings.certificate is not None
    scripts = {script.stem: script.read_text() for script in HERE.glob("*.lua")}
    values = scripts | {
        "listen_host": settings.listen_host,
        "listen_port": settings.listen_port,
        "admin_port": settings.admin_port,
        "keys_port": settings.keys_port,
        "downstream_tls": _downstream_tls(settings),
        "trusted_proxies": settings.trusted_proxies,
        "connections": settings.connections,
        "requests_per_second": settings.requests_per_second,
        "burst": settings.burst,
        "guest_writes_per_second": settings.guest_writes_per_second,
        "guest_writes_burst": settings.guest_writes_burst,
        "response_mutations": security.response_mutations(https=https),
        "descriptors": base64.b64encode(contract.descriptors).decode(),
        "services": contract.services,
        "rpc_routes": routes.rpc_routes(contract),
        "method_routes": routes.method_routes(contract),
        "store_routes": fill(HERE / "store_routes.yaml", stored)["routes"],
        "page_routes": pages.page_routes(served),
        "largest_page": max(len(page.content) for page in served),
        "local_replies": replies.mappers(),
        "service_errors_context": replies.SERVICE_ERRORS,
        "media_errors": replies.MEDIA_ERRORS,
        "image_errors": replies.IMAGE_ERRORS,
        "upload_errors": replies.UPLOAD_ERRORS,
        "service_clusters": [
            routes.service_cluster(context, endpoints, settings.tls_dir, settings.calls_per_service)
            for context, endpoints in settings.upstreams.items()
        ],
        "metrics": _metrics(settings),
        "tracing": traced.get("tracing"),
        "trace_clusters": [traced["cluster"]] if traced else [],
        "trace_id": "%TRACE_ID%" if traced else None,
        "span_id": "%SPAN_ID%" if traced else None,
        "needed_for_health": {context: {"value": 1} for context in settings.upstreams},
        "store_host": store_host,
        "store_port": store_port,
        "store_region": settings.store_region,
        "store_tls": _store_tls(settings),
        "store_access_key": settings.store_access_key,
        "store_secret_key": settings.store_secret_key,
    }
    return fill(HERE / "envoy.yaml", values)


def _metrics(settings: EdgeSettings) -> list[dict[str, Any]]:
    """Describe the listener for Prometheus, if there is one: Envoy's own interface can do much more than show."""
    if settings.metrics is None:
        return []
    host, port = settings.metrics
    return [fill(HERE / "metrics.yaml", {"host": host, "port": port})]


def _downstream_tls(settings: EdgeSettings) -> dict[str, Any] | None:
    if settings.certificate is None:
        return None
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(settings.certificate)},
                        "private_key": {"filename": str(settings.private_key)},
                    }
                ],
            },
        },
    }


def _store_tls(settings: EdgeSettings) -> dict[str, Any] | None:
    if settings.store_ca is None:
        return None
    host = settings.store[0]
    by_name = not host.replace(".", "").isdigit()
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": host if by_name else None,
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
                "validation_context": {
                    "trusted_ca": {"filename": str(settings.store_ca)},
                    "match_typed_subject_alt_names": [
                        {"san_type": "DNS" if by_name else "IP_ADDRESS", "matcher": {"exact": host}}
                    ],
                },
            },
        },
    }


def main() -> None:
    """Read the settings as JSON from standard input and write the configuration to standard output."""
    settings = TypeAdapter(EdgeSettings).validate_json(sys.stdin.read())
    json.dump(render(settings), sys.stdout)


if __name__ == "__main__":
    main()
