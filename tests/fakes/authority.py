"""A certificate authority of a test's own, and Secrets of type kubernetes.io/tls as they are mounted."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey
NOW = dt.datetime.now(dt.UTC)


class Authority:
    """Signs certificates."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        built = self._builder(self._name, self._key).add_extension(basic, critical=True)
        self.certificate = built.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())

    def secret(self, directory: Path, *names: str) -> Path:
        """A directory with a certificate for these names, its key, and the authority's certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names if not name[0].isdigit()]
        alternatives += [x509.IPAddress(ipaddress.ip_address(name)) for name in names if name[0].isdigit()]
        built = self._builder(subject, key).add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        directory.mkdir(parents=True, exist_ok=True)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (directory / "tls.key").write_bytes(private)
        (directory / "tls.crt").write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        (directory / "ca.crt").write_bytes(self.pem())
        return directory

    def pem(self) -> bytes:
        """Its certificate, for whoever is to believe it."""
        return self.certificate.public_bytes(Encoding.PEM)

    def _builder(self, subject: x509.Name, key: Key) -> x509.CertificateBuilder:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=1))
            .not_valid_after(NOW + dt.timedelta(days=1))
            .add_extension(identifier, critical=False)
            .add_extension(authority, critical=False)
        )
