"""Look for the patient in a copy that is about to leave.

Knows two data sets. Finds whatever value of the original's identifying attributes still stands in the copy; the stream
is looked at by ``dicomwrap.bitstream``. A find is a refusal, never a repair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicomwrap.consenttags import read_stamp

IDENTIFYING: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "AccessionNumber",
    "StudyID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "DeviceSerialNumber",
    "OperatorsName",
    "ReferringPhysicianName",
    "AcquisitionDateTime",
)
SHORTEST_PART: Final = 4  # shorter values are only compared whole: "A1" is part of too much
CODED: Final = ("CS", "DS", "IS", "UI")  # and not with these: an initial "L" is no left hand; nor is a study "1" a leak


def _texts(element: DataElement) -> Iterator[str]:
    values = element.value if element.VM > 1 else [element.value]
    yield from (str(value).strip() for value in values if value not in (None, ""))


def identifiers(original: Dataset) -> frozenset[str]:
    """Return the values that must not be in a copy."""
    found: set[str] = set()
    for keyword in IDENTIFYING:
        if keyword in original:
            for text in _texts(original[keyword]):
                found |= {text, *text.replace("=", "^").split("^")}
    stamp = read_stamp(original)
    if stamp is not None and stamp.record_id:
        found.add(stamp.record_id)
    return frozenset(text for text in found if text)


def _carries(text: str, vr: str, secrets: frozenset[str]) -> bool:
    if text in secrets:
        return len(text) >= SHORTEST_PART or not (vr in CODED or text.isdigit())
    if vr in ("UI", "IS", "DS"):  # digits of a made UID may contain a short number by chance
        return False
    return any(len(secret) >= SHORTEST_PART and secret in text for secret in secrets)


def leaks(original: Dataset, copy: Dataset) -> tuple[str, ...]:
    """Return the keywords (or tags) of ``copy`` that still carry an identifier of ``original``."""
    secrets = identifiers(original)
    found: list[str] = []
    for element in copy.iterall():
        if element.VR in ("SQ", "OB", "OW", "US", "UL", "SS", "SL", "FL", "FD", "AT"):
            continue
        if any(_carries(text, element.VR, secrets) for text in _texts(element)):
            found.append(element.keyword or str(element.tag))
    return tuple(found)
