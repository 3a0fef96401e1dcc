"""The private block that carries a consent stamp, as values and as elements to write.

Knows the layout of ``DICOMWRAP CONSENT 1`` (group 0077), its declaration in (0008,0300) (PS3.3 section C.12.1.1.7), the
standard attribute for research and public release (PS3.3 section C.7.2.3), and the seal that shows whether a stamp was
changed. Must not know what a consent permits. Only text elements, so that a hop through Implicit VR, which makes them
UN, loses nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple

from dicomwrap.consentstamp import ConsentStamp, Distribution
from dicomwrap.elements import Elements

CREATOR: Final = "DICOMWRAP CONSENT 1"
GROUP: Final = 0x0077
MOST_VALUES: Final = 16
HMAC: Final = "hmac-sha256:"
DIGEST: Final = "sha256:"


class Element(NamedTuple):
    """One element of the private block."""

    offset: int
    vr: str
    vm: str
    name: str
    safe: bool


SCHEMA: Final = Element(0x01, "LO", "1", "Schema Version", True)
RECORD_ID: Final = Element(0x02, "UT", "1", "Consent Record ID", False)
RECORD_VERSION: Final = Element(0x03, "LO", "1", "Consent Version", True)
STATUS: Final = Element(0x04, "LO", "1", "Consent Status at Capture", True)
BASIS: Final = Element(0x05, "LO", "1", "Consent Basis", True)
PERMITTED: Final = Element(0x10, "LO", "1-n", "Permitted Purposes", True)
DENIED: Final = Element(0x11, "LO", "1-n", "Denied Purposes", True)
CONFIDENTIALITY: Final = Element(0x12, "CS", "1", "Confidentiality", True)
CAPTURE_PURPOSE: Final = Element(0x15, "LO", "1", "Purpose of Capture", True)
DEVICE_CLASS: Final = Element(0x16, "LO", "1", "Capture Device Class", True)
DEVICE_REASON: Final = Element(0x17, "LO", "1", "Reason for Personal Device", True)
# Of a copy that was released: what for, and to whom. Whose copy it is may tell of the patient, so neither is kept.
RELEASE_PURPOSE: Final = Element(0x18, "LO", "1", "Purpose of Release", False)
RECIPIENT: Final = Element(0x19, "LO", "1", "Recipient", False)
DECIDED_ON: Final = Element(0x20, "DT", "1", "Decision DateTime", False)
NOT_AFTER: Final = Element(0x21, "DT", "1", "Not Valid After", False)
GIVEN_BY: Final = Element(0x22, "CS", "1", "Given By", True)
SEAL: Final = Element(0x40, "UT", "1", "Seal", False)
ELEMENTS: Final = (
    SCHEMA, RECORD_ID, RECORD_VERSION, STATUS, BASIS, PERMITTED, DENIED, CONFIDENTIALITY, CAPTURE_PURPOSE, DEVICE_CLASS,
    DEVICE_REASON, RELEASE_PURPOSE, RECIPIENT, DECIDED_ON, NOT_AFTER, GIVEN_BY, SEAL,
)  # fmt: skip


def values_of(consent: ConsentStamp) -> dict[Element, tuple[str, ...]]:
    """Return the elements to write: only those about which there is something to say.

    Raises:
        ValueError: more purposes than the block has room for.
    """
    if max(len(consent.permitted), len(consent.denied)) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} purposes")
    every: dict[Element, tuple[str, ...]] = {
        SCHEMA: (consent.schema,),
        RECORD_ID: (consent.record_id,),
        RECORD_VERSION: (consent.record_version,),
        STATUS: (consent.status,),
        BASIS: (consent.basis,),
        PERMITTED: consent.permitted,
        DENIED: consent.denied,
        CONFIDENTIALITY: (consent.confidentiality,),
        CAPTURE_PURPOSE: (consent.capture_purpose,),
        DEVICE_CLASS: (consent.device_class,),
        DEVICE_REASON: (consent.device_reason,),
        RELEASE_PURPOSE: (consent.release_purpose,),
        RECIPIENT: (consent.recipient,),
        DECIDED_ON: (_datetime(consent.decided_on),),
        NOT_AFTER: (_datetime(consent.not_after),),
        GIVEN_BY: (consent.given_by,),
    }
    return {item: value for item, value in every.items() if any(value)}


def seal(sop_instance_uid: str, values: Mapping[int, Iterable[str]], key: bytes | None = None) -> str:
    """Return the text that binds a stamp to its object; with a key nobody else can make it.

    Args:
        sop_instance_uid: whose stamp it is, so that it can't be carried to another picture.
        values: the block's values by element number; the seal's own is left out.
        key: secret of the institution; without one the seal only shows accidents, not forgery.
    """
    texts = {offset: "\\".join(text.strip(" \0") for text in values[offset]) for offset in sorted(values)}
    lines = (f"{offset:02X}={text}" for offset, text in texts.items() if offset != SEAL.offset)
    canonical = "\n".join((sop_instance_uid, *lines)).encode()
    if key is None:
        return DIGEST + hashlib.sha256(canonical).hexdigest()
    return HMAC + hmac.new(key, canonical, hashlib.sha256).hexdigest()


def stamp_elements(consent: ConsentStamp, sop_instance_uid: str, key: bytes | None = None) -> Elements:
    """Return everything that a stamp adds to an object: block, declaration, seal, standard attributes.

    Raises:
        ValueError: more purposes than the block has room for.
    """
    values = values_of(consent)
    values[SEAL] = (seal(sop_instance_uid, {item.offset: value for item, value in values.items()}, key),)
    found = Elements({f"{GROUP:04X}0010LO": CREATOR})
    for item, value in values.items():
        found[f"{GROUP:04X}10{item.offset:02X}{item.vr}"] = value
    found["PrivateDataElementCharacteristicsSequence"] = [_declaration(values)]
    if consent.distributions:
        found["ClinicalTrialTimePointID"] = ""  # type 2 of the module that the sequence belongs to
        found["ConsentForClinicalTrialUseSequence"] = [_distribution(each) for each in consent.distributions]
    return found


def declared(items: Iterable[Element]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the element numbers that don't identify anyone, and those that may, ascending."""
    known = tuple(items)
    return (
        tuple(sorted(item.offset for item in known if item.safe)),
        tuple(sorted(item.offset for item in known if not item.safe)),
    )


def _declaration(items: Iterable[Element]) -> Elements:
    """Return the item of (0008,0300) that tells de-identifiers which elements are safe."""
    safe, unsafe = declared(items)
    action = Elements(IdentifyingPrivateElements=unsafe, DeidentificationAction="X")
    return Elements(
        PrivateGroupReference=GROUP,
        PrivateCreatorReference=CREATOR,
        BlockIdentifyingInformationStatus="MIXED",
        NonidentifyingPrivateElements=safe,
        DeidentificationActionSequence=[action],
    )


def _distribution(distribution: Distribution) -> Elements:
    item = Elements(ConsentForDistributionFlag=distribution.flag)
    item.known(DistributionType=distribution.type)
    return item


def _datetime(day: date | None) -> str:
    return "" if day is None else day.strftime("%Y%m%d")
