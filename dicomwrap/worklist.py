"""An entry of the worklist: whom a photograph is of and what was asked for, as text.

Knows the JSON file that ``dicomwrap worklist --out`` writes and ``dicomwrap wrap --from-worklist`` reads. Must not know
DICOM's network or any library. It names a patient: nobody prints it in a message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from dicomwrap.errors import WorklistError

_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistItem:
    """One scheduled step or encounter; "" where the worklist says nothing.

    Attributes:
        patient_id: PatientID.
        issuer: IssuerOfPatientID.
        patient_name: PatientName, with its component groups.
        birth_date: PatientBirthDate as YYYY-MM-DD.
        sex: PatientSex.
        accession: AccessionNumber.
        study_uid: StudyInstanceUID that the images shall have.
        admission_id: AdmissionID, the encounter's number.
        admission_issuer: who issued it.
        institution: InstitutionName.
        department: InstitutionalDepartmentName, or the meaning of its code.
        requested_procedure_id: RequestedProcedureID.
        requested_procedure: its description, or the meaning of its code.
        scheduled_step_id: ScheduledProcedureStepID.
        scheduled_step: its description, or the meaning of its protocol.
        scheduled_at: its start as YYYY-MM-DDTHH:MM:SS, as precise as it is known.
        station_aet: ScheduledStationAETitle.
        referring_physician: ReferringPhysicianName.
        reason: why the patient came, or why it was requested.
        operator: ScheduledPerformingPhysicianName.
    """

    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession: str = ""
    study_uid: str = ""
    admission_id: str = ""
    admission_issuer: str = ""
    institution: str = ""
    department: str = ""
    requested_procedure_id: str = ""
    requested_procedure: str = ""
    scheduled_step_id: str = ""
    scheduled_step: str = ""
    scheduled_at: str = ""
    station_aet: str = ""
    referring_physician: str = ""
    reason: str = ""
    operator: str = ""


FIELDS: Final = tuple(field.name for field in fields(WorklistItem))


def clean(text: str) -> str:
    """Return a text without control characters and without blanks around it; a line break or tab becomes a blank."""
    blanked = "".join(" " if sign.isspace() else sign for sign in text)
    return "".join(sign for sign in blanked if sign.isprintable()).strip()


def read_item(text: str, number: int | None = None) -> WorklistItem:
    """Read the item of a worklist file: the only one, or the ``number``-th, counted from 1.

    Raises:
        WorklistError: the text is no such file, is empty, or has several items and none was chosen.
    """
    items = read_items(text)
    if not items:
        raise WorklistError("The worklist has no item")
    if number is None and len(items) > 1:
        raise WorklistError(
            f"The worklist has {len(items)} items", f"Choose one of them by its number, 1 to {len(items)}."
        )
    chosen = number or 1
    if number == 0 or not 1 <= chosen <= len(items):
        raise WorklistError(f"The worklist has no item {number}", f"Choose a number from 1 to {len(items)}.")
    return items[chosen - 1]


def read_items(text: str) -> tuple[WorklistItem, ...]:
    """Read all items of a worklist file.

    Raises:
        WorklistError: the text is no such file.
    """
    try:
        found = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise WorklistError("The worklist's file isn't JSON") from error
    entries = found.get("items") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise WorklistError('The worklist\'s file has no list "items"')
    return tuple(_item(entry, place) for place, entry in enumerate(entries, 1))


def written(items: Iterable[WorklistItem]) -> str:
    """Return the text of a worklist file."""
    return json.dumps({"items": [asdict(item) for item in items]}, ensure_ascii=False, indent=1) + "\n"


def _item(entry: object, place: int) -> WorklistItem:
    if not isinstance(entry, dict):
        raise WorklistError(f"Item {place} of the worklist's file isn't an object")
    unknown = sorted(clean(str(name))[:40] for name in entry.keys() - set(FIELDS))
    if unknown:
        raise WorklistError(f"Item {place} of the worklist's file has unknown fields: {', '.join(unknown)}")
    return WorklistItem(**{name: _text(entry, name, place) for name in FIELDS})


def _text(entry: Mapping[str, object], name: str, place: int) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise WorklistError(f"Item {place} of the worklist's file: {name} must be a text of at most {_LONGEST} signs")
    return clean(value)
