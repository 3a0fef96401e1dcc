"""The certificate of destruction: what was destroyed, by which rule, on whose word, and what could not be.

Knows how a certificate is written, signed (Ed25519) and checked, by whoever has it and the public key, without us. Must
not know the registry nor Orthanc. It is one canonical text: any other writing of the same content is refused, so no
byte of it can be changed.

Sources: requirements 4, step 9 (signed, linked to the trail, one a batch); ISO 15489-1 (certificate of destruction).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from orthanc_plugin.errors import ConsentgateError

SIGNATURE: Final = re.compile("[0-9a-f]{128}")  # one way of writing it
Content = Mapping[str, object]


@unique
class Kind(StrEnum):
    """What is signed, by its format: a signature for one never holds for the other."""

    DESTRUCTION = "Consentgate certificate of destruction 1"
    INTERIM = "Consentgate interim certificate of destruction 1"
    WITHDRAWAL = "Consentgate record of a withdrawal 1"

    @property
    def purpose(self) -> bytes:
        """Return what is signed before the content."""
        return f"{self.removesuffix(' 1').lower()}\n".encode()


class CertificateError(ConsentgateError):
    """A certificate doesn't hold."""

    remedy = "Don't rely on it: compare it with the copy that was kept, and call the records officer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate as it is written, and the digest by which the trail names it."""

    text: str

    @property
    def sha256(self) -> str:
        """Return the digest of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def issue(content: Content, key: Ed25519PrivateKey, kind: Kind = Kind.DESTRUCTION) -> Certificate:
    """Return ``content`` as a certificate, signed."""
    named = _parts({**content, "format": str(kind), "public_key": key_words(key.public_key())})
    signature = key.sign(kind.purpose + _text(named).encode()).hex()
    return Certificate(text=_text({**named, **_parts({"signature": signature})}))


def verify(text: bytes, key: Ed25519PublicKey, *kinds: Kind) -> dict[str, object]:
    """Return what a certificate says that is of one of these kinds, of destruction when none is named.

    Raises:
        CertificateError: it isn't, byte for byte, what the holder of the key signed.
    """
    content, kind = _read(text, kinds or (Kind.DESTRUCTION,))
    signature = content.pop("signature")
    if content.get("public_key") != key_words(key):
        raise CertificateError(
            "The certificate names another key than this one.",
            remedy="Ask the hospital for its public key ('consentgate certificate key'), by another way than this.",
        )
    try:
        key.verify(bytes.fromhex(str(signature)), kind.purpose + _canonical(content).encode())
    except (InvalidSignature, ValueError) as error:
        raise CertificateError(
            "The signature doesn't hold: the certificate was changed, or isn't this key's."
        ) from error
    return content


def _read(text: bytes, kinds: Sequence[Kind]) -> tuple[dict[str, object], Kind]:
    """Return the content of a file that is written as certificates of one of these kinds are, and of which."""
    try:
        content = json.loads(text)
        said = content.get("format") if isinstance(content, dict) else None
        kind = next((each for each in kinds if each == said), None)
        same = isinstance(content, dict) and _canonical(content).encode() == text
    except (ValueError, RecursionError) as error:
        raise CertificateError("The file is no certificate: it can't be read as JSON.") from error
    if not same:
        raise CertificateError("The file isn't written as a certificate is: it was changed after it was issued.")
    if kind is None or SIGNATURE.fullmatch(str(content.get("signature"))) is None:
        raise CertificateError("The file is no certificate of destruction of this format.")
    found: dict[str, object] = content
    return found, kind


def key_words(key: Ed25519PublicKey) -> str:
    """Return the public key as 64 hexadecimal digits."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def key_file(key: Ed25519PublicKey) -> str:
    """Return the public key as the text of a PEM file, which OpenSSL reads too."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_key_file(text: bytes) -> Ed25519PublicKey:
    """Return the public key that a PEM file holds.

    Raises:
        CertificateError: it holds none.
    """
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise CertificateError(
            "The file holds no Ed25519 public key.", remedy="Give the file that 'consentgate certificate key' wrote."
        )
    return key


def _canonical(content: Content) -> str:
    return _text(_parts(content))


def _parts(content: Content) -> dict[str, str]:
    """Return each field as it is written: a certificate is written twice, with and without its signature."""
    return {
        name: json.dumps(value, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False).replace("\n", "\n ")
        for name, value in content.items()
    }


def _text(parts: Mapping[str, str]) -> str:
    """Return the whole as ``json.dumps`` writes it, indented by one."""
    fields = ",\n".join(f" {json.dumps(name)}: {parts[name]}" for name in sorted(parts))
    return f"{{\n{fields}\n}}\n" if parts else "{}\n"
