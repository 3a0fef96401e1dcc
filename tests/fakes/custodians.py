"""Custodians: RSA keys made once, and certificates with any fault a test wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.fakes.world import START

YEAR = timedelta(days=365)
LONG_AGO = START - 10 * YEAR  # the real clock's day is in between, too
FAR_OFF = START + 50 * YEAR
SIGNING_ONLY = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the key of ``name``, the same within one run."""
    return rsa.generate_private_key(65537, bits)


def certificate(
    name: str,
    *,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
    since: datetime = LONG_AGO,
    until: datetime = FAR_OFF,
    usage: x509.KeyUsage | None = None,
    serial: int | None = None,
) -> bytes:
    """Return a self-signed certificate in PEM."""
    own = rsa_key(name) if key is None else key
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(own.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(own, hashes.SHA256()).public_bytes(Encoding.PEM)


def key_pem(name: str, passphrase: bytes | None = None) -> bytes:
    """Return the private key of ``name`` in PEM."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return rsa_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@dataclass(frozen=True, kw_only=True)
class Custodian:
    """A person with a key and a certificate in files."""

    name: str
    key: Path
    certificate: Path


def custodian(folder: Path, name: str = "records", *, serial: int | None = None) -> Custodian:
    """Return a custodian whose files are in ``folder``."""
    made = Custodian(name=name, key=folder / f"{name}.key", certificate=folder / f"{name}.pem")
    made.key.write_bytes(key_pem(name))
    made.key.chmod(0o600)
    made.certificate.write_bytes(certificate(name, serial=serial))
    return made
