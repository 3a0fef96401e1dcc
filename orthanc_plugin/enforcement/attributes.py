"""The attributes that an answer to a query has: those of one visible picture, and what is counted of the visible ones.

Knows levels, keywords and how Orthanc writes a header as JSON. Must not decide. The core's own view of a patient, study
or series is never passed on: it comes from the first picture that was stored and counts them all, whoever may see them.

Sources: PS3.4 C.3.4 and C.6 (levels, additional query attributes); Orthanc's main DICOM tags (DicomMap.cpp of 1.10.1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicomwrap.terms import Purpose
from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.listed import Listed


@unique
class Level(StrEnum):
    """Query/retrieve levels, in Orthanc's words."""

    PATIENT = "Patient"
    STUDY = "Study"
    SERIES = "Series"
    INSTANCE = "Instance"

    @property
    def subject(self) -> Subject:
        """Return by what the registry names a resource of this level."""
        return SUBJECTS[self]


SUBJECTS: Final[dict[Level, Subject]] = {
    Level.PATIENT: Subject.PATIENT,
    Level.STUDY: Subject.STUDY,
    Level.SERIES: Subject.SERIES,
    Level.INSTANCE: Subject.INSTANCE,
}

# What Orthanc keeps in its index of each level, and so can be searched without opening a file.
MAIN: Final[dict[Level, tuple[str, ...]]] = {
    Level.PATIENT: ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "OtherPatientIDs"),
    Level.STUDY: (
        *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName"),
        *("InstitutionName", "RequestingPhysician", "RequestedProcedureDescription", "StudyInstanceUID"),
    ),
    Level.SERIES: (
        *("SeriesDate", "SeriesTime", "Modality", "Manufacturer", "StationName", "SeriesDescription", "SeriesNumber"),
        *("BodyPartExamined", "ProtocolName", "OperatorsName", "PerformedProcedureStepDescription"),
        "SeriesInstanceUID",
    ),
    Level.INSTANCE: (
        *("InstanceCreationDate", "InstanceCreationTime", "InstanceNumber", "AcquisitionNumber", "NumberOfFrames"),
        *("ImageComments", "SOPInstanceUID"),
    ),
}
# Never taken from a header: they count what is visible, or are said of it.
COMPUTED: Final = frozenset(
    {
        *("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "NumberOfSeriesRelatedInstances"),
        *("ModalitiesInStudy", "SOPClassesInStudy", "InstanceAvailability"),
    }
)
# What is told for managing records: what is kept and where, and nothing else that the headers say of the patient.
KEPT: Final = COMPUTED | {"SOPClassUID", *(keyword for keywords in MAIN.values() for keyword in keywords)}
NUMBERS: Final[dict[str, Callable[[str], int | float]]] = {
    **dict.fromkeys(("US", "UL", "UV", "SS", "SL", "SV"), int),
    **dict.fromkeys(("FL", "FD"), float),
}
WORDS: Final = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
)


def tag_of(name: str) -> int | None:
    """Return the tag that a keyword or number (``00100010``, ``0010,0010``, ``0010-0010``) names; None when none."""
    tag = tag_for_keyword(name)
    if tag is not None:
        return int(tag)
    digits = name.replace(",", "").replace("-", "")
    try:
        return int(digits, 16) if len(digits) == 8 else None
    except ValueError:
        return None


def is_text(tag: int) -> bool:
    """Tell whether the values of a public attribute are text."""
    return bool(keyword_for_tag(tag)) and dictionary_VR(tag) in WORDS


def keyword_of(name: str) -> str:
    """Return the keyword of the public attribute that a keyword or number names, '' when there is none."""
    tag = tag_of(name)
    return "" if tag is None else keyword_for_tag(tag)


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one picture, by tag."""

    elements: Mapping[int, Mapping[str, object]]

    def text(self, keyword: str) -> str:
        """Return an attribute as text, '' when it is empty, missing, or no text."""
        return self.value(int(tag_for_keyword(keyword) or 0))

    def value(self, tag: int) -> str:
        """Return the same by tag."""
        value = self.elements.get(tag, {}).get("Value")
        return value if isinstance(value, str) else ""


def header(core: CoreApi, instance: str) -> Header:
    """Return the header of a picture that the caller may be told of.

    Raises:
        ArchiveError: the core can't give it.
    """
    return _header(json.loads(core.ask("GET", f"/instances/{instance}/tags")))


def _header(said: Mapping[str, Mapping[str, object]]) -> Header:
    return Header({int(name.replace(",", ""), 16): element for name, element in said.items()})


@dataclass(frozen=True, slots=True)
class Item:
    """One patient, study, series or instance of an answer, with its pictures that may be told of: at least one."""

    level: Level
    id: str
    pictures: tuple[Listed, ...]

    def children(self, level: Level) -> tuple[str, ...]:
        """Return the identifiers of what is below it at ``level``."""
        return tuple(dict.fromkeys(picture.of(level.subject) for picture in self.pictures))

    def first_of(self, level: Level) -> tuple[str, ...]:
        """Return one picture of each that is below it at ``level``."""
        return tuple({picture.of(level.subject): picture.orthanc_instance for picture in self.pictures}.values())


def computed(core: CoreApi, item: Item, wanted: Collection[str]) -> dict[str, str]:
    """Return those of the ``wanted`` attributes that are counted, as text; one above the item's level is unknown."""
    made = _counts(item) | {"InstanceAvailability": "ONLINE"}
    found = {keyword: made[keyword] for keyword in wanted if keyword in made}
    if "ModalitiesInStudy" in wanted and item.level is Level.STUDY:
        modalities = {header(core, each).text("Modality") for each in item.first_of(Level.SERIES)}
        found["ModalitiesInStudy"] = "\\".join(sorted(modalities - {""}))
    return found


def _counts(item: Item) -> dict[str, str]:
    number = {level: str(len(item.children(level))) for level in Level}
    if item.level is Level.PATIENT:
        return {
            "NumberOfPatientRelatedStudies": number[Level.STUDY],
            "NumberOfPatientRelatedSeries": number[Level.SERIES],
            "NumberOfPatientRelatedInstances": number[Level.INSTANCE],
        }
    if item.level is Level.STUDY:
        return {
            "NumberOfStudyRelatedSeries": number[Level.SERIES],
            "NumberOfStudyRelatedInstances": number[Level.INSTANCE],
            "SOPClassesInStudy": "\\".join(sorted({picture.sop_class_uid for picture in item.pictures})),
        }
    return {"NumberOfSeriesRelatedInstances": number[Level.INSTANCE]} if item.level is Level.SERIES else {}


def answered(core: CoreApi, item: Item, head: Header, wanted: Iterable[str]) -> Dataset:
    """Return those of the ``wanted`` attributes that the item has, as DICOM elements."""
    keywords = tuple(wanted)
    made = _dataset(head, (int(tag) for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None))
    for keyword, value in computed(core, item, keywords).items():
        _put(made, int(tag_for_keyword(keyword) or 0), value)
    return made


def told_for(purpose: str, keywords: Iterable[str]) -> tuple[str, ...]:
    """Return those of the attributes asked for that may be told to somebody who asks for ``purpose``."""
    of_records = purpose == Purpose.RECORDS_MANAGEMENT  # R4: what is kept (Caldicott principle 3)
    return tuple(keyword for keyword in keywords if not of_records or keyword in KEPT)


def fill(made: Dataset, keywords: Iterable[str]) -> None:
    """Add each attribute that isn't there as an empty one; what isn't text, number or sequence stays away."""
    for keyword in keywords:
        vr = dictionary_VR(keyword)
        if keyword not in made and (vr in WORDS or vr in NUMBERS or vr == "SQ"):
            made.add_new(keyword, vr, None)


def _dataset(found: Header, tags: Iterable[int]) -> Dataset:
    """Return those of ``tags`` that the header has; private ones and binary values never."""
    made = Dataset()
    for tag in tags:
        if keyword_for_tag(tag) not in COMPUTED and tag in found.elements:
            _put(made, tag, found.elements[tag].get("Value"))
    return made


def _put(made: Dataset, tag: int, value: object) -> None:
    """Add an element; one whose value isn't what its VR takes stays away."""
    if Tag(tag).is_private or not keyword_for_tag(tag):
        return
    vr = dictionary_VR(tag).partition(" or ")[0]
    try:
        if vr == "SQ" and isinstance(value, list):
            items = [_header(item) for item in value]
            made.add_new(tag, vr, [_dataset(item, item.elements) for item in items])
        elif vr in WORDS and isinstance(value, str | None):
            made.add_new(tag, vr, value or "")
        elif vr in NUMBERS and isinstance(value, str):
            made.add_new(tag, vr, [NUMBERS[vr](each) for each in value.split("\\") if each])
    except (ValueError, TypeError, OverflowError):
        return
