"""Ask for the worklist.

Knows modality worklist C-FIND (PS3.4 Annex K) as its user, with the keys of encounter-based imaging (IHE RAD EBIW,
RAD-130). Must not know files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import date, time
from typing import Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pynetdicom import build_context
from pynetdicom.association import Association

from dicomwrap.errors import PeerError, WorklistError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.sending.association import association
from dicomwrap.sending.node import Caller, Node
from dicomwrap.sending.words import SUCCESS, status_words
from dicomwrap.worklist import WorklistItem, clean

MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
MOST_ITEMS: Final = 1000
_PENDING: Final = (0xFF00, 0xFF01)
_LONGEST: Final = 64
_UTF8: Final = "ISO_IR 192"
_NARROW: Final = "Ask for less: give a day, a patient or a department."
_KEYS: Final = (
    "AccessionNumber", "InstitutionName", "ReferringPhysicianName", "InstitutionalDepartmentName", "PatientName",
    "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
    "RequestedProcedureDescription", "ReasonForVisit", "AdmissionID", "RequestedProcedureID",
    "ReasonForTheRequestedProcedure",
)  # fmt: skip
_STEP_KEYS: Final = (
    "Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime",
    "ScheduledPerformingPhysicianName", "ScheduledProcedureStepDescription", "ScheduledProcedureStepID",
    "ScheduledStationName", "ScheduledProcedureStepLocation",
)  # fmt: skip
_CODE_KEYS: Final = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
_ISSUER_KEYS: Final = ("LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask the worklist for; "" asks for any. ``*`` and ``?`` stand for any signs and any one sign."""

    patient_id: str = ""
    accession: str = ""
    day: date | None = None
    modality: str = ""
    station_aet: str = ""
    admission_id: str = ""
    institution: str = ""
    department: str = ""


def find(question: Question, node: Node, caller: Caller, most: int = MOST_ITEMS) -> tuple[WorklistItem, ...]:
    """Ask ``node`` for its worklist; earliest first.

    Raises:
        PeerError: the node can't be asked, says no, or breaks off.
        WorklistError: more than ``most`` items, or the question has signs that DICOM's text can't hold.
    """
    asked = identifier(question)
    with association(node, caller, [build_context(MODALITY_WORKLIST)]) as made:
        found = [item(answer) for answer in _answers(made, asked, node, most)]
    return tuple(sorted((each for each in found if fits(question, each)), key=lambda each: each.scheduled_at))


def identifier(question: Question) -> Dataset:
    """Return the identifier of the query (PS3.4 section K.2.2.1): what must match, and what we want to know.

    Raises:
        WorklistError: the question has signs that DICOM's text can't hold.
    """
    asked = _empty(_KEYS)
    asked.InstitutionalDepartmentTypeCodeSequence = [_empty(_CODE_KEYS)]
    asked.RequestedProcedureCodeSequence = [_empty(_CODE_KEYS)]
    asked.IssuerOfAdmissionIDSequence = [_empty(_ISSUER_KEYS)]
    step = _empty(_STEP_KEYS)
    step.ScheduledProtocolCodeSequence = [_empty(_CODE_KEYS)]
    asked.ScheduledProcedureStepSequence = [step]
    asked.PatientID, asked.AccessionNumber = _key(question.patient_id), _key(question.accession)
    asked.AdmissionID, asked.InstitutionName = _key(question.admission_id), _key(question.institution)
    asked.InstitutionalDepartmentName = _key(question.department)
    step.Modality, step.ScheduledStationAETitle = _key(question.modality).upper(), _key(question.station_aet)
    step.ScheduledProcedureStepStartDate = "" if question.day is None else question.day.strftime("%Y%m%d")
    if not all(str(value).isascii() for value in astuple(question)):
        asked.SpecificCharacterSet = _UTF8
    return asked


def fits(question: Question, found: WorklistItem) -> bool:
    """Tell whether an item is what was asked for.

    A server may pass over optional keys, those of an encounter among them, and answer with everybody (PS3.4 section
    C.2.2.1.3). A number must then be known and match; a place must not be known to be another.
    """
    numbers = (
        (question.patient_id, found.patient_id),
        (question.accession, found.accession),
        (question.admission_id, found.admission_id),
    )
    places = ((question.institution, found.institution), (question.department, found.department))
    return all(_matches(*each) for each in numbers) and all(
        not place or _matches(asked, place) for asked, place in places
    )


def item(answer: Dataset) -> WorklistItem:
    """Read one answer; what can't be read is taken as unknown."""
    steps = _sequence(answer, "ScheduledProcedureStepSequence")
    step = steps[0] if steps else Dataset()
    return WorklistItem(
        patient_id=_text(answer, "PatientID"),
        issuer=_text(answer, "IssuerOfPatientID"),
        patient_name=_text(answer, "PatientName"),
        birth_date=_day(_text(answer, "PatientBirthDate")),
        sex=_text(answer, "PatientSex"),
        accession=_text(answer, "AccessionNumber"),
        study_uid=_text(answer, "StudyInstanceUID"),
        admission_id=_text(answer, "AdmissionID"),
        admission_issuer=_issuer(answer),
        institution=_text(answer, "InstitutionName"),
        department=_text(answer, "InstitutionalDepartmentName")
        or _meaning(answer, "InstitutionalDepartmentTypeCodeSequence"),
        requested_procedure_id=_text(answer, "RequestedProcedureID"),
        requested_procedure=_text(answer, "RequestedProcedureDescription")
        or _meaning(answer, "RequestedProcedureCodeSequence"),
        scheduled_step_id=_text(step, "ScheduledProcedureStepID"),
        scheduled_step=_text(step, "ScheduledProcedureStepDescription")
        or _meaning(step, "ScheduledProtocolCodeSequence"),
        scheduled_at=_moment(
            _text(step, "ScheduledProcedureStepStartDate"), _text(step, "ScheduledProcedureStepStartTime")
        ),
        station_aet=_text(step, "ScheduledStationAETitle"),
        referring_physician=_text(answer, "ReferringPhysicianName"),
        reason=_text(answer, "ReasonForVisit") or _text(answer, "ReasonForTheRequestedProcedure"),
        operator=_text(step, "ScheduledPerformingPhysicianName"),
    )


def _answers(made: Association, asked: Dataset, node: Node, most: int) -> Iterator[Dataset]:
    for count, (status, answer) in enumerate(made.send_c_find(asked, MODALITY_WORKLIST), 1):
        if "Status" not in status:
            raise PeerError(f"{node} breaks off, or doesn't answer in time")
        if status.Status not in (SUCCESS, *_PENDING):
            raise PeerError(f"{node} refuses the question: {status_words(int(status.Status))}")
        if status.Status == SUCCESS:
            return
        if answer is None:
            raise PeerError(f"{node} gives an item that can't be read", _NARROW)
        if count > most:
            made.abort()
            raise WorklistError(f"The worklist has more than {most} items that match", _NARROW)
        yield answer


def _matches(asked: str, value: str) -> bool:
    """Match as DICOM does, with ``*`` and ``?``, but without regard to case."""
    pattern = re.escape(asked.strip()).replace(r"\*", ".*").replace(r"\?", ".")
    return not asked.strip() or re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) is not None


def _empty(keywords: tuple[str, ...]) -> Dataset:
    dataset = Dataset()
    for keyword in keywords:
        setattr(dataset, keyword, "")
    return dataset


def _key(text: str) -> str:
    if not text.isprintable() or "\\" in text or len(text) > _LONGEST:
        raise WorklistError(
            f"The question has a control character, a backslash or a text of more than {_LONGEST} signs",
            "Leave it out.",
        )
    return text.strip()


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
    except UNREADABLE:
        return ""
    several = "\\".join(map(str, value)) if isinstance(value, MultiValue) else value
    return "" if several is None else clean(str(several))


def _sequence(dataset: Dataset, keyword: str) -> list[Dataset]:
    try:
        value = dataset.get(keyword)
    except UNREADABLE:
        return []
    return [*value] if value else []


def _meaning(dataset: Dataset, keyword: str) -> str:
    codes = _sequence(dataset, keyword)
    return (_text(codes[0], "CodeMeaning") or _text(codes[0], "CodeValue")) if codes else ""


def _issuer(dataset: Dataset) -> str:
    issuers = _sequence(dataset, "IssuerOfAdmissionIDSequence")
    names = (_text(issuers[0], keyword) for keyword in _ISSUER_KEYS[:2]) if issuers else ()
    return next((name for name in names if name), "")


def _day(text: str) -> str:
    """Return a DA as YYYY-MM-DD, "" when it isn't one."""
    digits = text.replace(".", "")
    try:
        return date.fromisoformat(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}").isoformat()
    except ValueError:
        return ""


def _moment(day: str, moment: str) -> str:
    """Return DA and TM as ISO 8601, as precise as they are, to the second."""
    found = _day(day)
    digits = moment.replace(":", "").partition(".")[0]
    try:
        known = time(int(digits[:2]), int(digits[2:4] or 0), int(digits[4:6] or 0))
    except ValueError:
        return found
    return f"{found}T{known.isoformat('seconds' if len(digits) > 4 else 'minutes')}" if found else ""
