"""Judge the consent stamp of an object: is it there, declared, and as it was sealed?

Knows the private block ``DICOMWRAP CONSENT 1`` and its declaration in (0008,0300). Must not know what a consent
permits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.consenttags import CREATOR, GROUP, SealState, read_stamp, seal_state
from dicomwrap.judging.findings import Finding, error, note, warning
from dicomwrap.judging.values import items, number, text

WRAPPER: Final = "dicomwrap"
_SEALED_AS: Final = {
    SealState.CHANGED: error("CONSENT_STAMP_CHANGED", "the consent stamp was changed after it was sealed"),
    SealState.MISSING: warning("CONSENT_STAMP_UNPROVEN", "the consent stamp has no seal"),
    SealState.NEEDS_KEY: note("CONSENT_STAMP_UNCHECKED", "the consent stamp's seal needs a key; give --stamp-key"),
}
_UNKEYED: Final = "the consent stamp's seal has no key: it shows accidents, but whoever forges a stamp can make it"


def stamp_findings(dataset: Dataset, key: bytes | None) -> Iterator[Finding]:
    """Say what is wrong with the consent stamp, or that there is none."""
    stamp = read_stamp(dataset)
    if stamp is None:
        yield _missing(dataset)
        return
    yield from _declaration(dataset)
    state = seal_state(dataset, key)
    if state is SealState.UNKEYED:
        yield (note if key is None else warning)("CONSENT_STAMP_UNPROVEN", _UNKEYED)
    elif state in _SEALED_AS:
        yield _SEALED_AS[state]


def made_by_us(dataset: Dataset) -> bool:
    """Tell whether the object says that this program wrapped it."""
    equipment = items(dataset, "ContributingEquipmentSequence")
    return any(text(each, "ManufacturerModelName") == WRAPPER for each in equipment)


def _missing(dataset: Dataset) -> Finding:
    if made_by_us(dataset):
        return warning("CONSENT_STAMP_MISSING", "the consent stamp that the object was given is gone")
    return note("CONSENT_STAMP_MISSING", "the object says nothing of its consent")


def _declaration(dataset: Dataset) -> Iterator[Finding]:
    declared = [
        item
        for item in items(dataset, "PrivateDataElementCharacteristicsSequence")
        if number(item, "PrivateGroupReference") == GROUP and text(item, "PrivateCreatorReference") == CREATOR
    ]
    if not declared:
        yield error("CONSENT_STAMP_UNDECLARED", "the consent stamp isn't declared in (0008,0300)")
    elif text(declared[0], "BlockIdentifyingInformationStatus") == "SAFE":
        yield error("CONSENT_STAMP_UNDECLARED", "the consent stamp is declared SAFE, but it names a record")
