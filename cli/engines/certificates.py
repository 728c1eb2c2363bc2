"""The certificate authority of one data folder: mTLS between the processes of one machine.

On Kubernetes cert-manager writes the same three files per service: `tls.crt`, `tls.key`, `ca.crt`.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from cli.engines.secret_files import write_private
from services.provision.certificates import Pair, issue, new_authority, service_names

_RENEW_BEFORE = dt.timedelta(days=90)


class CertificateAuthority:
    """Issues the certificates of one data folder and renews them before they expire."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate_file = folder / "ca" / "ca.crt"
        self._key_file = folder / "ca" / "ca.key"
        if not _is_fresh(self.certificate_file):
            self._make()
        self._pair = Pair(self.certificate_file.read_text(), self._key_file.read_text())

    def fingerprint(self) -> str:
        """Return the SHA-256 fingerprint of the authority, as browsers and phones show it."""
        certificate = x509.load_pem_x509_certificate(self._pair.certificate.encode())
        return certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def service(self, name: str) -> Path:
        """Return the folder with the identity of a service: client and server, SPIFFE id, loopback addresses."""
        return self._leaf(name, service_names(name, [name]))

    def public(self, host: str) -> Path:
        """Return the folder with the certificate which browsers on the network see at `host`; no SPIFFE id."""
        try:
            address: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            address = x509.DNSName(host)
        return self._leaf(f"public-{host.replace(':', '_')}", [address, x509.DNSName("localhost")])

    def _leaf(self, folder_name: str, names: Sequence[x509.GeneralName]) -> Path:
        folder = self._folder / folder_name
        authority = self._pair.certificate
        if _is_fresh(folder / "tls.crt") and (folder / "ca.crt").read_text() == authority:
            return folder
        leaf = issue(self._pair, folder_name, names)
        write_private(folder / "tls.key", leaf.key)
        write_private(folder / "ca.crt", authority)
        write_private(folder / "tls.crt", leaf.certificate)
        return folder

    def _make(self) -> None:
        made = new_authority("Spotilike on this machine")
        write_private(self._key_file, made.key)
        write_private(self.certificate_file, made.certificate)


def _is_fresh(certificate_file: Path) -> bool:
    if not certificate_file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    return certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) > _RENEW_BEFORE
