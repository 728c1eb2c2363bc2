"""How long the certificate of a process is still good."""

from pathlib import Path

from cryptography import x509

from services.common import metrics

EXPIRY = metrics.Gauge(
    "spotilike_certificate_expiry_timestamp_seconds", "When the certificate of this process ends, in Unix time."
)


def measure(folder: Path) -> None:
    """Show when tls.crt of `folder` ends, whenever somebody asks."""

    async def look() -> None:
        certificate = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
        EXPIRY.set(certificate.not_valid_after_utc.timestamp())

    metrics.at_scrape(look, EXPIRY)
