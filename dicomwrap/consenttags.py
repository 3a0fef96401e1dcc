"""Write a consent stamp into a pydicom object, read it back, and tell whether it was changed.

Knows pydicom's side of the private block; its layout is ``consentblock``'s. Must not decide what a consent permits.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import date
from enum import StrEnum, unique
from functools import cache

from pydicom.datadict import add_private_dict_entries
from pydicom.dataset import Dataset, PrivateBlock
from pydicom.multival import MultiValue

from dicomwrap.consentblock import (
    BASIS,
    CAPTURE_PURPOSE,
    CONFIDENTIALITY,
    CREATOR,
    DECIDED_ON,
    DENIED,
    DEVICE_CLASS,
    DEVICE_REASON,
    ELEMENTS,
    GIVEN_BY,
    GROUP,
    HMAC,
    NOT_AFTER,
    PERMITTED,
    RECIPIENT,
    RECORD_ID,
    RECORD_VERSION,
    RELEASE_PURPOSE,
    SCHEMA,
    SEAL,
    STATUS,
    Element,
    declared,
    seal,
    values_of,
)
from dicomwrap.consentstamp import ConsentStamp, Distribution, stamp_of, stamp_without_consent
from dicomwrap.hostile import UNREADABLE
from dicomwrap.plaintext import plain_texts

__all__ = [
    "CREATOR",
    "GROUP",
    "ConsentStamp",
    "SealState",
    "read_stamp",
    "register_private_dictionary",
    "seal",
    "seal_state",
    "stamp",
    "stamp_of",
    "stamp_without_consent",
]


@unique
class SealState(StrEnum):
    """What a stamp's seal says. A seal without a key shows accidents only: whoever forges a stamp can make it anew."""

    MISSING = "MISSING"
    HOLDS = "HOLDS"
    CHANGED = "CHANGED"
    NEEDS_KEY = "NEEDS_KEY"
    UNKEYED = "UNKEYED"


@cache
def register_private_dictionary() -> None:
    """Teach pydicom the block's elements, so that UN values become text again. Harmless to repeat: once is enough."""
    add_private_dict_entries(
        CREATOR, {GROUP << 16 | 0x1000 | item.offset: (item.vr, item.vm, item.name, "") for item in ELEMENTS}
    )


def stamp(dataset: Dataset, consent: ConsentStamp) -> None:
    """Write the stamp into an object, in place of one that is there; unsealed, as a derived copy has it.

    Raises:
        ValueError: more purposes than the block has room for.
    """
    register_private_dictionary()
    values = values_of(consent)
    _remove(dataset)
    block = dataset.private_block(GROUP, CREATOR, create=True)
    for item, value in values.items():
        block.add_new(item.offset, item.vr, list(value))
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
        device_class=_one(block, DEVICE_CLASS),
        device_reason=_one(block, DEVICE_REASON),
        release_purpose=_one(block, RELEASE_PURPOSE),
        recipient=_one(block, RECIPIENT),
        decided_on=_day(block, DECIDED_ON),
        not_after=_day(block, NOT_AFTER),
        given_by=_one(block, GIVEN_BY),
        distributions=_read_distributions(dataset),
    )


def _declaration(items: Iterable[Element]) -> Dataset:
    """Return the item of (0008,0300) that tells de-identifiers which elements are safe."""
    item = Dataset()
    item.PrivateGroupReference = GROUP
    item.PrivateCreatorReference = CREATOR
    item.BlockIdentifyingInformationStatus = "MIXED"
    safe, unsafe = declared(items)
    item.NonidentifyingPrivateElements = list(safe)
    if unsafe:
        action = Dataset()
        action.IdentifyingPrivateElements = list(unsafe)
        action.DeidentificationAction = "X"
        item.DeidentificationActionSequence = [action]
    return item


def seal_state(dataset: Dataset, key: bytes | None = None) -> SealState:
    """Tell whether the stamp of an object is as it was sealed. Never raises."""
    register_private_dictionary()
    block = _block(dataset)
    claimed = "" if block is None else _one(block, SEAL)
    if block is None or not claimed:
        return SealState.MISSING
    keyed = claimed.startswith(HMAC)
    if keyed and key is None:
        return SealState.NEEDS_KEY
    values = {offset: _many_at(block, offset) for offset in range(0x100) if offset in block}
    true = seal(str(dataset.get("SOPInstanceUID", "")), values, key if keyed else None)
    if not hmac.compare_digest(true.encode(), claimed.encode()):
        return SealState.CHANGED
    return SealState.HOLDS if keyed else SealState.UNKEYED


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
    return _many_at(block, item.offset)


def _many_at(block: PrivateBlock, offset: int) -> tuple[str, ...]:
    try:
        found = plain_texts(block.dataset, block.get_tag(offset))
        values = _converted(block[offset].value) if found is None else found
    except UNREADABLE:
        return ()
    texts = (str(each).strip(" \0") for each in values if each is not None)
    return tuple(text for text in texts if text)


def _converted(value: object) -> Iterable[object]:
    if isinstance(value, bytes):  # UN, met before the dictionary was registered
        return value.decode("utf-8", "replace").split("\\")
    return value if isinstance(value, MultiValue | list) else [value]


def _one(block: PrivateBlock, item: Element) -> str:
    return "\\".join(_many(block, item))


def _day(block: PrivateBlock, item: Element) -> date | None:
    text = _one(block, item)
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
    except ValueError:
        return None
