"""Lock what a copy no longer says into it, for custodians alone: the Encrypted Attributes Sequence.

Knows CMS EnvelopedData (RFC 5652) as the library makes it, custodians' certificates, and which attributes a patient is
found again by. Must not know who may open it, nor how a copy is made. Certificates are read anew for each copy, so that
one that is replaced, or has run out, counts at once. Source: PS3.15 E.1.1 and PS3.3 C.12.1.1.4 (RSA key transport,
AES-256-CBC, DER).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from orthanc_plugin.clock import Clock
from orthanc_plugin.deid.values import texts
from orthanc_plugin.errors import DeidentificationError

FEWEST_BITS: Final = 2048  # NIST SP 800-131A: nothing shorter since 2014
LENGTHS: Final = 4096  # what is locked is a multiple of it long
PADDING_HEAD: Final = struct.Struct("<HH2sHI")
RENEW: Final = "Put a certificate that is valid into the file that settings.toml names under [custodians]."
# Whose picture it is, of which visit; and every date, time and UID besides, which the copy has otherwise.
LOCKED: Final = (
    "PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientIDs", "PatientSex", "PatientAge", "AccessionNumber",
    "StudyID", "MedicalRecordLocator",
)  # fmt: skip
LOCKED_REPRESENTATIONS: Final = frozenset({"DA", "TM", "DT", "UI"})
NOT_LOCKED: Final = frozenset({"SOPClassUID"})  # the copy has it


class Vault:
    """Locks attributes for custodians.

    Args:
        files: the certificate of each custodian, by name.
        clock: gives the present moment, at which a certificate must be valid.
    """

    def __init__(self, files: Mapping[str, Path], clock: Clock) -> None:
        self.files = files
        self.clock = clock

    def locked(self, original: Dataset, custodians: tuple[str, ...]) -> Dataset:
        """Return the item of the Encrypted Attributes Sequence that each of ``custodians`` can open.

        Raises:
            DeidentificationError: a certificate can't be used, so nothing may leave.
        """
        at = self.clock()
        envelope = PKCS7EnvelopeBuilder().set_data(_encoded(original)).set_content_encryption_algorithm(AES256)
        for name in custodians:
            envelope = envelope.add_recipient(_valid(name, self.certificate(name), at))
        # Binary: what is no text must not have its line ends changed.
        content = envelope.encrypt(Encoding.DER, [PKCS7Options.Binary])
        item = Dataset()
        item.EncryptedContentTransferSyntaxUID = ExplicitVRLittleEndian
        item.EncryptedContent = content + b"\0" * (len(content) % 2)
        return item

    def certificate(self, name: str) -> x509.Certificate:
        """Return a custodian's certificate, whether it is still valid or not.

        Raises:
            DeidentificationError: there is none, or it is no certificate.
        """
        path = self.files.get(name)
        if path is None:
            raise DeidentificationError(
                f"There is no custodian {name}.", remedy=f"Name the certificate of {name} under [custodians]."
            )
        try:
            return x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            raise DeidentificationError(
                f"The certificate of custodian {name} can't be read ({type(error).__name__}).", remedy=RENEW
            ) from error


def _valid(name: str, certificate: x509.Certificate, at: datetime) -> x509.Certificate:
    if fault := _fault(certificate, at):
        raise DeidentificationError(f"The certificate of custodian {name} {fault}.", remedy=RENEW)
    return certificate


def _fault(certificate: x509.Certificate, at: datetime) -> str | None:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        return "has no RSA key"
    if key.key_size < FEWEST_BITS:
        return f"is too weak: {key.key_size} bits, where {FEWEST_BITS} are the least"
    if not _may_encipher(certificate):
        return "is not for encipherment of keys"
    if at < certificate.not_valid_before_utc:
        return "is not yet valid"
    return "has expired" if at > certificate.not_valid_after_utc else None


def _may_encipher(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment
    except x509.ExtensionNotFound:
        return True  # it isn't restricted to anything (RFC 5280 4.2.1.3)


def _encoded(original: Dataset) -> bytes:
    """Return the Encrypted Attributes Data Set: a single item with the values that the original had."""
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    for element in original:
        if _is_locked(element) and not element.is_empty:
            value = texts(element)
            # as it was, whatever it is: what isn't valid would be told in a warning
            item.add(DataElement(element.tag, element.VR, value, validation_mode=IGNORE))
    whole = Dataset()
    whole.ModifiedAttributesSequence = [item]
    buffer = BytesIO()
    whole.save_as(buffer, implicit_vr=False, little_endian=True, enforce_file_format=False)
    # DataSetTrailingPadding (PS3.10 section 7.2): the length would tell that of the name.
    filling = -(buffer.tell() + PADDING_HEAD.size) % LENGTHS
    return buffer.getvalue() + PADDING_HEAD.pack(0xFFFC, 0xFFFC, b"OB", 0, filling) + bytes(filling)


def _is_locked(element: DataElement) -> bool:
    if element.tag.is_private or element.keyword in NOT_LOCKED:
        return False
    return element.keyword in LOCKED or element.VR in LOCKED_REPRESENTATIONS
