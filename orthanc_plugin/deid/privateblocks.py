"""Which private attributes stay under Retain Safe Private: our own block's safe half, and numbers declared safe.

Knows (0008,0300) of PS3.3 C.12.1 and our own block. Must not believe a declaration of words: text and bytes that a
sender calls safe can't be proven so, and go. An element without its creator is nobody's, and refuses the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicomwrap.consenttags import CREATOR, read_stamp, stamp
from orthanc_plugin.deid.closed import safe_half

NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "FL", "FD"})
_VENDOR: Final = re.compile(r"[A-Z][A-Z0-9 ._-]{0,63}")


def without_creator(dataset: Dataset) -> bool:
    """Tell whether a private element at this level belongs to no block (PS3.5 section 7.8.1)."""
    private = (tag for tag in dataset.keys() if tag.is_private)  # noqa: SIM118 - iterating itself would decode them all
    return any(_creator(dataset, dataset[tag]) == "" for tag in private if tag.element >= 0x1000)


def _in_a_block(element: DataElement) -> bool:
    return bool(element.tag.is_private and element.tag.element >= 0x1000)


def _creator(dataset: Dataset, element: DataElement) -> str:
    found = dataset.get(Tag(element.tag.group, element.tag.element >> 8))
    return "" if found is None else str(found.value or "").strip()


def keep_safe(original: Dataset, copy: Dataset) -> None:
    """Put into ``copy`` what of the private attributes is known to be safe."""
    known = read_stamp(original)
    safe = safe_half(known) if known is not None else None
    if safe is not None:
        stamp(copy, safe)
    declared = list(_declared(original))
    for group, creator, elements in declared:
        block = copy.private_block(group, creator, create=True)
        for element in elements:
            block.add_new(element.tag.element & 0xFF, element.VR, element.value)
    if declared:
        copy.PrivateDataElementCharacteristicsSequence = [
            *copy.get("PrivateDataElementCharacteristicsSequence", []),
            *(_declaration(group, creator) for group, creator, _ in declared),
        ]


def _declared(original: Dataset) -> Iterator[tuple[int, str, list[DataElement]]]:
    """Yield group, creator and elements of each block of others that the object declares safe, numbers only."""
    for item in original.get("PrivateDataElementCharacteristicsSequence") or []:
        group, creator = item.get("PrivateGroupReference"), str(item.get("PrivateCreatorReference") or "")
        if not isinstance(group, int) or group % 2 == 0 or creator == CREATOR or not _VENDOR.fullmatch(creator):
            continue
        safe = _safe_offsets(item)
        found = [
            element
            for element in original.group_dataset(group)
            if _in_a_block(element) and _creator(original, element) == creator and element.VR in NUMBERS
            and (safe is None or (element.tag.element & 0xFF) in safe)
        ]  # fmt: skip
        if found:
            yield group, creator, found


def _safe_offsets(item: Dataset) -> frozenset[int] | None:
    """Return the offsets within the block that are declared safe; None for all."""
    if item.get("BlockIdentifyingInformationStatus") == "SAFE":
        return None
    named = (
        item.get("NonidentifyingPrivateElements") if item.get("BlockIdentifyingInformationStatus") == "MIXED" else []
    )
    values = [named] if isinstance(named, int) else list(named or [])
    return frozenset(int(value) & 0xFF for value in values)


def _declaration(group: int, creator: str) -> Dataset:
    item = Dataset()
    item.PrivateGroupReference, item.PrivateCreatorReference = group, creator
    item.BlockIdentifyingInformationStatus = "SAFE"
    return item
