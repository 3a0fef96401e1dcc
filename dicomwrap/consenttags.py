"""Write a consent stamp into an object's elements, and read it back.

Knows the private block ``DICOMWRAP CONSENT 1`` of group 0077 with its declaration in (0008,0300) (PS3.3 section
C.12.1.1.7), and the standard attribute for research and public release (PS3.3 section C.7.2.3). Must not decide what a
consent permits. Only text elements, so that a hop through Implicit VR, which makes them UN, loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from pydicom.datadict import add_private_dict_entries
from pydicom.dataset import Dataset, PrivateBlock
from pydicom.multival import MultiValue

from dicomwrap.consentstamp import ConsentStamp, Distribution, stamp_of, stamp_without_consent
from dicomwrap.hostile import UNREADABLE

__all__ = [
    "CREATOR",
    "GROUP",
    "ConsentStamp",
    "read_stamp",
    "register_private_dictionary",
    "stamp",
    "stamp_of",
    "stamp_without_consent",
]

CREATOR: Final = "DICOMWRAP CONSENT 1"
GROUP: Final = 0x0077
MOST_VALUES: Final = 16


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
DECIDED_ON: Final = Element(0x20, "DT", "1", "Decision DateTime", False)
NOT_AFTER: Final = Element(0x21, "DT", "1", "Not Valid After", False)
GIVEN_BY: Final = Element(0x22, "CS", "1", "Given By", True)
ELEMENTS: Final = (
    SCHEMA, RECORD_ID, RECORD_VERSION, STATUS, BASIS, PERMITTED, DENIED, CONFIDENTIALITY, CAPTURE_PURPOSE, DECIDED_ON,
    NOT_AFTER, GIVEN_BY,
)  # fmt: skip


def register_private_dictionary() -> None:
    """Teach pydicom the block's elements, so that UN values become text again. Harmless to repeat."""
    add_private_dict_entries(
        CREATOR, {GROUP << 16 | 0x1000 | item.offset: (item.vr, item.vm, item.name, "") for item in ELEMENTS}
    )


def stamp(dataset: Dataset, consent: ConsentStamp) -> None:
    """Write the stamp into an object, in place of one that is there.

    Raises:
        ValueError: more purposes than the block has room for.
    """
    register_private_dictionary()
    values = _values(consent)
    _remove(dataset)
    block = dataset.private_block(GROUP, CREATOR, create=True)
    for item, value in values.items():
        block.add_new(item.offset, item.vr, value)
    dataset.PrivateDataElementCharacteristicsSequence = [*_foreign_declarations(dataset), _declaration(values)]
    _stamp_distributions(dataset, consent.distributions)


def read_stamp(dataset: Dataset) -> ConsentStamp | None:
    """Return the stamp of an object, or None when it has none. What can't be read in it counts as not said.

    A hostile or damaged block never raises and never yields more than it says: unreadable parts are left empty.
    """
    register_private_dictionary()
    block = _block(dataset)
    if block is None:
        return None
    return ConsentStamp(
        schema=_one(block, SCHEMA),
        record_id=_one(block, RECORD_ID),
        record_version=_one(block, RECORD_VERSION),
        status=_one(block, STATUS),
        basis=_one(block, BASIS),
        permitted=_many(block, PERMITTED),
        denied=_many(block, DENIED),
        confidentiality=_one(block, CONFIDENTIALITY),
        capture_purpose=_one(block, CAPTURE_PURPOSE),
        decided_on=_day(block, DECIDED_ON),
        not_after=_day(block, NOT_AFTER),
        given_by=_one(block, GIVEN_BY),
        distributions=_read_distributions(dataset),
    )


def _values(consent: ConsentStamp) -> dict[Element, str | list[str]]:
    """Return the elements to write: only those about which there is something to say."""
    if max(len(consent.permitted), len(consent.denied)) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} purposes")
    every: dict[Element, str | list[str]] = {
        SCHEMA: consent.schema,
        RECORD_ID: consent.record_id,
        RECORD_VERSION: consent.record_version,
        STATUS: consent.status,
        BASIS: consent.basis,
        PERMITTED: list(consent.permitted),
        DENIED: list(consent.denied),
        CONFIDENTIALITY: consent.confidentiality,
        CAPTURE_PURPOSE: consent.capture_purpose,
        DECIDED_ON: _datetime(consent.decided_on),
        NOT_AFTER: _datetime(consent.not_after),
        GIVEN_BY: consent.given_by,
    }
    return {item: value for item, value in every.items() if value}


def _datetime(day: date | None) -> str:
    return "" if day is None else day.strftime("%Y%m%d")


def _declaration(items: Iterable[Element]) -> Dataset:
    """Return the item of (0008,0300) that tells de-identifiers which elements are safe."""
    item = Dataset()
    item.PrivateGroupReference = GROUP
    item.PrivateCreatorReference = CREATOR
    item.BlockIdentifyingInformationStatus = "MIXED"
    item.NonidentifyingPrivateElements = sorted(element.offset for element in items if element.safe)
    unsafe = sorted(element.offset for element in items if not element.safe)
    if unsafe:
        action = Dataset()
        action.IdentifyingPrivateElements = unsafe
        action.DeidentificationAction = "X"
        item.DeidentificationActionSequence = [action]
    return item


def _foreign_declarations(dataset: Dataset) -> list[Dataset]:
    declared = dataset.get("PrivateDataElementCharacteristicsSequence") or []
    return [item for item in declared if item.get("PrivateCreatorReference") != CREATOR]


def _remove(dataset: Dataset) -> None:
    block = _block(dataset)
    if block is not None:
        for offset in range(0x100):
            if offset in block:
                del block[offset]


def _stamp_distributions(dataset: Dataset, distributions: tuple[Distribution, ...]) -> None:
    if "ConsentForClinicalTrialUseSequence" in dataset:
        del dataset.ConsentForClinicalTrialUseSequence
    if not distributions:
        return
    if "ClinicalTrialTimePointID" not in dataset:
        dataset.ClinicalTrialTimePointID = ""  # type 2 of the module that the sequence belongs to
    dataset.ConsentForClinicalTrialUseSequence = [_distribution_item(each) for each in distributions]


def _distribution_item(distribution: Distribution) -> Dataset:
    item = Dataset()
    if distribution.type:
        item.DistributionType = distribution.type
    item.ConsentForDistributionFlag = distribution.flag
    return item


def _read_distributions(dataset: Dataset) -> tuple[Distribution, ...]:
    try:
        items = dataset.get("ConsentForClinicalTrialUseSequence") or []
        return tuple(
            Distribution(str(item.get("ConsentForDistributionFlag", "")), str(item.get("DistributionType", "")))
            for item in items
        )
    except UNREADABLE:
        return ()


def _block(dataset: Dataset) -> PrivateBlock | None:
    try:
        return dataset.private_block(GROUP, CREATOR)
    except UNREADABLE:
        return None


def _many(block: PrivateBlock, item: Element) -> tuple[str, ...]:
    try:
        value = block[item.offset].value
    except UNREADABLE:
        return ()
    if isinstance(value, bytes):  # UN, met before the dictionary was registered
        value = value.decode("utf-8", "replace").split("\\")
    values = value if isinstance(value, MultiValue | list) else [value]
    texts = (str(each).strip(" \0") for each in values if each is not None)
    return tuple(text for text in texts if text)


def _one(block: PrivateBlock, item: Element) -> str:
    return "\\".join(_many(block, item))


def _day(block: PrivateBlock, item: Element) -> date | None:
    text = _one(block, item)
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
    except ValueError:
        return None
