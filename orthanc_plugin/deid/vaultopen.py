"""Open what a copy has locked into it, with a custodian's key: the other half of ``vault``.

Knows CMS EnvelopedData and the Encrypted Attributes Data Set. Must not know who may open it, nor write to any log: the
caller has recorded the opening before. A wrong key and a content that was changed give one and the same error, so that
nobody learns from errors (RFC 3218). EnvelopedData has no checksum, so what comes out is held against the form that it
must have, to the last byte. Source: PS3.15 E.1.2, PS3.3 C.12.1.1.4.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Final, cast

import pydicom
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import pkcs7_decrypt_der
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.deid.values import texts
from orthanc_plugin.errors import ConsentgateError

ENCODINGS: Final = {str(ImplicitVRLittleEndian): True, str(ExplicitVRLittleEndian): False}
LONG_FORM: Final = 0x80
NOT_DECODED: Final = "\ufffd"
LAYOUT: Final = dict.fromkeys(map(ord, "\t\n\f\r"))
# What says of a copy that it is one.
OF_A_COPY: Final = (
    "EncryptedAttributesSequence", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)  # fmt: skip


class UnopenedError(ConsentgateError):
    """A copy's encrypted attributes can't be opened."""

    remedy = "Ask the custodian named by the copy's profile; the original, if it is still there, is in the archive."


def private_key(path: Path, passphrase: str | None = None) -> RSAPrivateKey:
    """Return the custodian's private key in ``path``.

    Raises:
        UnopenedError: it can't be read, is no RSA key, or others may read it.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase.encode() if passphrase else None)
        open_to_others = path.stat().st_mode & 0o077
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnopenedError(
            f"The private key can't be read ({type(error).__name__}).",
            remedy="Give an RSA key in PEM, and its passphrase if it has one.",
        ) from error
    if open_to_others:
        raise UnopenedError("Others may read the private key.", remedy=f"Run: chmod 600 {path}")
    if not isinstance(key, RSAPrivateKey):
        raise UnopenedError("The private key is no RSA key.", remedy="Give the key that belongs to the certificate.")
    return key


def certificate_of(key: RSAPrivateKey, candidates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Return those of ``candidates`` that belong to the key.

    Raises:
        UnopenedError: none does.
    """
    found = tuple(each for each in candidates if _spki(each.public_key()) == _spki(key.public_key()))
    if not found:
        raise UnopenedError(
            "No certificate belongs to this key.",
            remedy="Give the certificate that the copy was made for with --certificate.",
        )
    return found


def _spki(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]


def attributes_in(copy: Dataset, key: RSAPrivateKey, certificates: Iterable[x509.Certificate]) -> Dataset:
    """Return the original's attributes that are locked into a copy.

    Raises:
        UnopenedError: there are none, they are for other custodians, or they can't be opened.
    """
    items = copy.get("EncryptedAttributesSequence") or ()
    if not items:
        raise UnopenedError("The file has no Encrypted Attributes Sequence, so it can't be re-identified.")
    belonging = tuple(certificates)
    for item in items:
        envelope = _cut(bytes(item.get("EncryptedContent") or b""))
        for certificate in belonging:
            if _names(envelope, certificate):
                with warnings.catch_warnings(action="ignore"):  # pydicom's tell values
                    return _attributes(envelope, key, certificate, str(item.get("EncryptedContentTransferSyntaxUID")))
    raise UnopenedError("What is encrypted in the file is not for the holder of this key.")


def _cut(content: bytes) -> bytes:
    """Return the DER without what DICOM puts behind it to have an even number of bytes (X.690 8.1.3)."""
    if len(content) < 2 or content[1] == LONG_FORM:
        return content
    if content[1] < LONG_FORM:
        return content[: 2 + content[1]]
    start = 2 + (content[1] - LONG_FORM)
    return content[: start + int.from_bytes(content[2:start], "big")]


def _names(envelope: bytes, certificate: x509.Certificate) -> bool:
    """Tell whether the holder of the certificate is a recipient, by issuer and serial number."""
    number = certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return certificate.issuer.public_bytes() + bytes([2, len(serial)]) + serial in envelope


def _attributes(envelope: bytes, key: RSAPrivateKey, certificate: x509.Certificate, syntax: str) -> Dataset:
    if syntax not in ENCODINGS:
        raise UnopenedError("What is encrypted is in a transfer syntax that can't be read here.")
    try:
        plain = pkcs7_decrypt_der(envelope, certificate, key, [])
        whole = read_dataset(BytesIO(plain), is_implicit_VR=ENCODINGS[syntax], is_little_endian=True)
        (item,) = whole.ModifiedAttributesSequence
        if _is_whole(plain, whole, implicit=ENCODINGS[syntax]) and _is_text(item):
            return cast("Dataset", item)
    except (ValueError, UnsupportedAlgorithm, *UNREADABLE):  # one error for all, and without its cause
        pass
    raise UnopenedError("What is encrypted can't be opened: the key isn't the one, or the content was changed.")


def _is_whole(plain: bytes, whole: Dataset, *, implicit: bool) -> bool:
    """Tell whether every byte is accounted for; what only fills up says nothing."""
    buffer = BytesIO()
    whole.save_as(buffer, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return buffer.getvalue() == plain and not any(whole.get("DataSetTrailingPadding") or b"")


def _is_text(item: Dataset) -> bool:
    """Tell whether all values are what text can be: a block of a cipher that was changed comes out as noise."""
    values = (text for element in item.iterall() if element.VR != "SQ" for text in texts(element))
    return all(NOT_DECODED not in value and value.translate(LAYOUT).isprintable() for value in values)


def restored(content: bytes, attributes: Dataset) -> bytes:
    """Return the copy with the original's attributes put back; its picture, and what no custodian has, stay the copy's.

    Raises:
        UnopenedError: the copy can't be written with them.
    """
    with warnings.catch_warnings(action="ignore"):  # pydicom's tell values
        try:
            return _restored(pydicom.dcmread(BytesIO(content)), attributes)
        except UNREADABLE:
            raise UnopenedError("The copy can't be written with the attributes put back.") from None


def _restored(copy: Dataset, attributes: Dataset) -> bytes:
    for keyword in OF_A_COPY:
        if keyword in copy:
            delattr(copy, keyword)
    copy.update(attributes)
    copy.PatientIdentityRemoved = "NO"
    copy.SpecificCharacterSet = "ISO_IR 192"
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    buffer = BytesIO()
    copy.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
