"""Settings of the edge where it runs in a container; the only reader of its environment."""

from pathlib import Path

from services.common.settings import StorageSettings


class Settings(StorageSettings):
    """What the edge needs to be told: where it listens and what stands behind it. Addresses are host:port."""

    edge_listen: str = "0.0.0.0:8080"
    edge_admin_port: int = 9901
    """Envoy's own interface, on loopback."""
    edge_keys_port: int = 9903
    """Where Envoy fetches the keys of tokens from itself, on loopback."""
    edge_metrics_listen: str | None = None
    """Where Prometheus reads /metrics, without TLS; nowhere unless set."""
    edge_certificate: Path | None = None
    """PEM chain for clients; unset where a proxy in front ends TLS, or nothing does."""
    edge_private_key: Path | None = None
    edge_https: bool = False
    """Whether a proxy in front ends TLS."""
    edge_trusted_proxies: int = 0
    """How many proxies of ours stand in front and note the client's address in X-Forwarded-For."""
    edge_store_ca: Path = Path("/etc/ssl/certs/ca-certificates.crt")
    """Authorities that the store is certified by, where `s3_tls` says that it speaks TLS."""
    edge_requests_per_second: int = 500
    """What one address may send in the long run."""
    edge_burst: int = 2000
    """What one address may send at once."""
    tls_dir: Path
    """Folder with tls.crt, tls.key and ca.crt of the edge."""
    user_public: str = "user:8443"
    """The user service's public listener."""
    catalog_public: str = "catalog:8443"
    processing_public: str = "processing:8443"
    streaming_public: str = "streaming:8443"
