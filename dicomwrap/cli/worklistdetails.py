"""What a worklist entry says, as details of photographs.

Knows which field of an entry is which detail. Must not know DICOM's network.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from dicomwrap.cli.details import Details
from dicomwrap.cli.orders import UsageProblemsError
from dicomwrap.cli.plainfiles import read_plain
from dicomwrap.worklist import WorklistItem, read_item

# field of the entry: detail
_FIELDS: Final = {
    "patient_id": "patient_id",
    "issuer": "issuer",
    "patient_name": "patient_name",
    "birth_date": "birth_date",
    "sex": "sex",
    "accession": "accession",
    "study_uid": "study_uid",
    "admission_id": "admission_id",
    "admission_issuer": "admission_issuer",
    "institution": "institution",
    "department": "department",
    "requested_procedure_id": "procedure_id",
    "requested_procedure": "procedure",
    "scheduled_step_id": "step_id",
    "scheduled_step": "step",
    "referring_physician": "referrer",
    "reason": "reason",
    "operator": "operator",
}
_SEXES: Final = ("M", "F", "O")
_LARGEST: Final = 64 << 20
_WHOSE: Final = (
    "patient_id", "issuer", "patient_name", "birth_date", "sex", "study_uid", "accession", "admission_id",
)  # fmt: skip


def merged(path: Path, said: Details, number: int | None) -> Details:
    """Return the details with the entry's words where nothing else was said.

    Raises:
        UsageProblemsError: the file can't be read, or the options name another patient than the entry.
        WorklistError: it holds no entry, or several and none was chosen.
    """
    try:
        text = read_plain(path, _LARGEST).decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is no text in UTF-8"
        raise UsageProblemsError([f"--from-worklist: can't be read ({reason})"]) from error
    found = _details(read_item(text, number))
    problems = [_problem(name) for name in _WHOSE if _differ(getattr(said, name), getattr(found, name))]
    if said.patient_id and not found.patient_id:
        problems.append("--patient-id: the worklist entry has none; it may be another patient's")
    if problems:
        raise UsageProblemsError(problems)
    return found.overridden(asdict(said))


def _problem(name: str) -> str:
    return f"--{name.replace('_', '-')}: is another than the worklist entry's"


def _differ(mine: str, theirs: str) -> bool:
    return bool(mine.strip() and theirs.strip() and mine.strip().casefold() != theirs.strip().casefold())


def _details(item: WorklistItem) -> Details:
    found = Details(**{detail: getattr(item, name) for name, detail in _FIELDS.items()})
    # worklists also say U and other words, which a photograph leaves open
    return found if found.sex in _SEXES else replace(found, sex="")
