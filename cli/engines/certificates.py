"""A certificate authority of our own: mTLS between the processes of one machine.

On Kubernetes cert-manager writes the same three files per service: `tls.crt`, `tls.key`, `ca.crt`.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cli.engines.secret_files import write_private

TRUST_DOMAIN = "spotilike.local"
SERVICES = ("user", "catalog", "processing", "streaming", "edge", "cli")

_CA_LIFETIME = dt.timedelta(days=3650)
_LEAF_LIFETIME = dt.timedelta(days=397)
_RENEW_BEFORE = dt.timedelta(days=90)
_CLOCK_SKEW = dt.timedelta(hours=1)


class CertificateAuthority:
    """Issues the certificates of one data folder and renews them before they expire."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate_file = folder / "ca" / "ca.crt"
        self._key_file = folder / "ca" / "ca.key"
        if not _is_fresh(self.certificate_file):
            self._make()
        self._certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._key_file} is not an elliptic-curve key")
        self._key = key

    def fingerprint(self) -> str:
        """Return the SHA-256 fingerprint of the authority, as browsers and phones show it."""
        return self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def service(self, name: str) -> Path:
        """Return the folder with the identity of a service: client and server, SPIFFE id, loopback addresses."""
        names: list[x509.GeneralName] = [
            x509.DNSName(name),
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{name}"),
        ]
        return self._leaf(name, names)

    def public(self, host: str) -> Path:
        """Return the folder with the certificate which browsers on the network see at `host`; no SPIFFE id."""
        try:
            address: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            address = x509.DNSName(host)
        return self._leaf(f"public-{host.replace(':', '_')}", [address, x509.DNSName("localhost")])

    def _leaf(self, folder_name: str, names: Sequence[x509.GeneralName]) -> Path:
        folder = self._folder / folder_name
        authority = self.certificate_file.read_text()
        if _is_fresh(folder / "tls.crt") and (folder / "ca.crt").read_text() == authority:
            return folder
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_common_name(folder_name))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + _LEAF_LIFETIME)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        write_private(folder / "tls.key", _private_pem(key))
        write_private(folder / "ca.crt", authority)
        write_private(folder / "tls.crt", certificate.public_bytes(serialization.Encoding.PEM).decode())
        return folder

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        name = _common_name("Spotilike on this machine")
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + _CA_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_certificates_only(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _private_pem(key))
        write_private(self.certificate_file, certificate.public_bytes(serialization.Encoding.PEM).decode())


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signs_certificates_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _is_fresh(certificate_file: Path) -> bool:
    if not certificate_file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    return certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) > _RENEW_BEFORE


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
