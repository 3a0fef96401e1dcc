"""Build a Key Object Selection Document: a list of objects of one study, under a title that says what it is for.

Knows PS3.3 section A.35.4 (Key Object Selection Document IOD), C.17.6 (its modules) and PS3.16 TID 2010 with CID 7010
(titles). Must not know what a title leads to, nor the clock: every value is an argument, so the same arguments give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import groupby
from typing import Final

from dicomwrap.elements import Elements, code
from dicomwrap.encoding import Part10
from dicomwrap.iod import modules
from dicomwrap.iod.modules import Moment
from dicomwrap.photograph import EXPLICIT_VR_LITTLE_ENDIAN
from dicomwrap.subject import Patient, text_problem
from dicomwrap.uids import derived_uid, is_uid
from dicomwrap.version import VERSION

SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.88.59"
LONGEST_DESCRIPTION: Final = 1024
# Classes of PS3.4 annex B that are no images: encapsulated documents, structured reports.
NO_IMAGES: Final = ("1.2.840.10008.5.1.4.1.1.104.", "1.2.840.10008.5.1.4.1.1.88.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded entry (PS3.3 section 8.8). Two are the same whatever they mean in words."""

    value: str
    scheme: str
    meaning: str = field(compare=False)


TITLE_MODIFIER: Final = Code(value="113011", scheme="DCM", meaning="Document Title Modifier")
DESCRIPTION: Final = Code(value="113012", scheme="DCM", meaning="Key Object Description")
# Rejection notes of IHE RAD Imaging Object Change Management (PS3.16 CID 7010).
QUALITY: Final = Code(value="113001", scheme="DCM", meaning="Rejected for Quality Reasons")
PATIENT_SAFETY: Final = Code(value="113037", scheme="DCM", meaning="Rejected for Patient Safety Reasons")
WRONG_WORKLIST_ENTRY: Final = Code(value="113038", scheme="DCM", meaning="Incorrect Modality Worklist Entry")
RETENTION_EXPIRED: Final = Code(value="113039", scheme="DCM", meaning="Data Retention Policy Expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Referenced:
    """An object that a key object lists, by study, series and instance."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The study that the key object joins: that of everything it lists. What isn't known stays empty."""

    study_instance_uid: str
    day: date | None = None
    time: time | None = None
    id: str = ""
    accession: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uids:
    """The identifiers of the key object itself; its series is its own."""

    series_instance_uid: str
    sop_instance_uid: str

    @classmethod
    def derived(cls, *parts: str) -> Uids:
        """Return those that always belong to these parts: work that is repeated gives the same object."""
        return cls(
            series_instance_uid=derived_uid("key object series", *parts),
            sop_instance_uid=derived_uid("key object", *parts),
        )


def key_object(
    title: Code,
    references: Iterable[Referenced],
    *,
    patient: Patient,
    study: Study,
    uids: Uids,
    at: datetime,
    modifiers: Sequence[Code] = (),
    description: str = "",
) -> bytes:
    """Return the key object as a PS3.10 file; dates and times are ``at`` in its own time zone.

    Raises:
        ValueError: nothing is listed, something of another study is, a UID is none, or a text can't stand in DICOM.
    """
    listed = sorted(set(references), key=lambda each: (each.series_instance_uid, each.sop_instance_uid))
    _check(listed, study, uids, description)
    made = Moment(local=at.replace(tzinfo=None), offset=at.utcoffset())
    elements = _common(uids, made)
    elements.update(modules.patient(patient))
    elements.update(_study(study))
    elements.update(_series(uids))
    elements.update(Manufacturer=modules.MANUFACTURER, ManufacturerModelName=modules.MODEL, SoftwareVersions=VERSION)
    elements.update(_document(made, study, listed))
    elements.update(_content(title, modifiers, description, listed))
    head = modules.meta(SOP_CLASS_UID, uids.sop_instance_uid, EXPLICIT_VR_LITTLE_ENDIAN)
    return b"".join(Part10(meta=head, elements=elements).pieces())


def _check(listed: Sequence[Referenced], study: Study, uids: Uids, description: str) -> None:
    if not listed:
        raise ValueError("a key object lists at least one object")
    if any(each.study_instance_uid != study.study_instance_uid for each in listed):
        raise ValueError("a key object lists objects of its own study only")
    names = [study.study_instance_uid, uids.series_instance_uid, uids.sop_instance_uid]
    names += [uid for each in listed for uid in (each.series_instance_uid, each.sop_class_uid, each.sop_instance_uid)]
    if not all(map(is_uid, names)):
        raise ValueError("a UID of the key object, or of what it lists, is none")
    problem = text_problem(description, LONGEST_DESCRIPTION)
    if problem is not None:
        raise ValueError(f"the key object's description {problem}")


def _common(uids: Uids, made: Moment) -> Elements:
    """Return the SOP Common module (PS3.3 section C.12.1)."""
    found = Elements(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=SOP_CLASS_UID,
        SOPInstanceUID=uids.sop_instance_uid,
        InstanceCreationDate=modules.da(made.local),
        InstanceCreationTime=modules.tm(made.local),
    )
    found.known(TimezoneOffsetFromUTC=made.zone)
    return found


def _study(study: Study) -> Elements:
    found = Elements(
        StudyInstanceUID=study.study_instance_uid,
        StudyDate=modules.da(study.day),
        StudyTime="" if study.time is None else modules.tm(datetime.combine(date.min, study.time)),
        StudyID=study.id,
        AccessionNumber=study.accession,
        ReferringPhysicianName="",
    )
    found.known(StudyDescription=study.description)
    return found


def _series(uids: Uids) -> Elements:
    """Return the Key Object Document Series module (PS3.3 section C.17.6.1)."""
    return Elements(
        Modality="KO",
        SeriesInstanceUID=uids.series_instance_uid,
        SeriesNumber=1,
        SeriesDescription="Key objects",
        ReferencedPerformedProcedureStepSequence=[],
    )


def _document(made: Moment, study: Study, listed: Sequence[Referenced]) -> Elements:
    """Return the Key Object Document module (PS3.3 section C.17.6.2)."""
    series = [
        Elements(SeriesInstanceUID=uid, ReferencedSOPSequence=[_named(each) for each in of_it])
        for uid, of_it in groupby(listed, key=lambda each: each.series_instance_uid)
    ]
    evidence = Elements(StudyInstanceUID=study.study_instance_uid, ReferencedSeriesSequence=series)
    return Elements(
        InstanceNumber=1,
        ContentDate=modules.da(made.local),
        ContentTime=modules.tm(made.local),
        CurrentRequestedProcedureEvidenceSequence=[evidence],
    )


def _named(each: Referenced) -> Elements:
    return Elements(ReferencedSOPClassUID=each.sop_class_uid, ReferencedSOPInstanceUID=each.sop_instance_uid)


def _content(title: Code, modifiers: Sequence[Code], description: str, listed: Sequence[Referenced]) -> Elements:
    """Return the SR Document Content module (PS3.3 section C.17.3) with TID 2010."""
    items = [_modifier(each) for each in modifiers]
    if description:
        items.append(_description(description))
    return Elements(
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[_coded(title)],
        ContinuityOfContent="SEPARATE",
        ContentTemplateSequence=[Elements(MappingResource="DCMR", TemplateIdentifier="2010")],
        ContentSequence=[*items, *(_item(each) for each in listed)],
    )


def _modifier(each: Code) -> Elements:
    return Elements(
        RelationshipType="HAS CONCEPT MOD",
        ValueType="CODE",
        ConceptNameCodeSequence=[_coded(TITLE_MODIFIER)],
        ConceptCodeSequence=[_coded(each)],
    )


def _description(text: str) -> Elements:
    return Elements(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=[_coded(DESCRIPTION)], TextValue=text
    )


def _item(each: Referenced) -> Elements:
    return Elements(
        RelationshipType="CONTAINS",
        ValueType="COMPOSITE" if each.sop_class_uid.startswith(NO_IMAGES) else "IMAGE",
        ReferencedSOPSequence=[_named(each)],
    )


def _coded(each: Code) -> Elements:
    return code(each.value, each.scheme, each.meaning)
