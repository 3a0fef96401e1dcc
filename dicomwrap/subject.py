"""Who is in the photograph and at which visit it was taken.

Knows the rules for patient identity in DICOM (PS3.5 section 6.2: LO, PN, DA, CS; PS3.3 section C.7.1.1). Must not know
files or the clock. A message names the option at fault, never the value that was given.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from dicomwrap.errors import PatientDetailsError

OLDEST_BIRTH_YEAR: Final = 1875
LONGEST_LO: Final = 64
_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)
_SEXES: Final = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """The patient as the object names them. ``name`` is in DICOM's form, Family^Given; empty means not known."""

    id: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: date | None = None
    sex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The order that a worklist named: the item of RequestAttributesSequence (PS3.3 section C.7.3.1, Table 10-9)."""

    procedure_id: str = ""
    procedure: str = ""
    step_id: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """Where and why the patient was seen, by the keys of IHE RAD Encounter-Based Imaging Workflow (RAD-130).

    ``accession`` stays empty for an encounter without an order; it is never borrowed from another one.
    """

    accession: str = ""
    admission_id: str = ""
    admission_issuer: str = ""
    institution: str = ""
    department: str = ""
    service: str = ""
    reason: str = ""
    referrer: str = ""
    request: Request | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The encounter: one study. ``started`` is local time at the place of the visit."""

    study_instance_uid: str
    started: datetime
    description: str = ""
    operator: str = ""
    encounter: Encounter = field(default_factory=Encounter)


def patient_from_text(
    *,
    patient_id: str = "",
    issuer: str = "",
    name: str = "",
    birth_date: str = "",
    sex: str = "",
    today: date,
) -> Patient:
    """Check what was typed about the patient and return it in DICOM's form.

    A name without '^' is taken as a family name; no guess is made where a given name begins.

    Raises:
        PatientDetailsError: names every option at fault, all at once.
    """
    problems = [
        *_problems("--patient-id", text_problem(patient_id)),
        *_problems("--issuer", text_problem(issuer)),
        *_problems("--patient-name", name_problem(name)),
        *_problems("--birth-date", _birth_problem(birth_date, today)),
        *_problems("--sex", None if not sex.strip() or sex.strip().upper() in _SEXES else "must be M, F or O"),
    ]
    if problems:
        raise PatientDetailsError(problems)
    return Patient(
        id=patient_id.strip(),
        issuer=issuer.strip(),
        name=person_name(name),
        birth_date=_day(birth_date),
        sex=_SEXES.get(sex.strip().upper(), ""),
    )


def text_problem(text: str, longest: int = LONGEST_LO) -> str | None:
    """Say why a text can't be a value of LO, or None when it can (PS3.5 section 6.2)."""
    if "\\" in text:
        return "must not hold a backslash"
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        return "must not hold control characters"
    if len(text.strip()) > longest:
        return f"must not be longer than {longest} characters"
    return None


def name_problem(text: str) -> str | None:
    """Say why a text can't be a person's name, or None when it can (PS3.5 section 6.2.1)."""
    groups = text.strip().split("=")
    if len(groups) > 3:
        return "must not hold more than two '='"
    if any(group.count("^") > 4 for group in groups):
        return "must not hold more than four '^' (Family^Given^Middle^Prefix^Suffix)"
    # one character is kept for the '^' that marks a family name
    return next(filter(None, (text_problem(group, LONGEST_LO - 1) for group in groups)), None)


def person_name(text: str) -> str:
    """Return a name in DICOM's form; a group without '^' becomes a family name."""
    groups = text.strip().split("=")
    return "=".join(f"{group.strip()}^" if group.strip() and "^" not in group else group.strip() for group in groups)


def _problems(option: str, problem: str | None) -> list[str]:
    return [] if problem is None else [f"{option}: {problem}"]


def _birth_problem(text: str, today: date) -> str | None:
    if not text.strip():
        return None
    day = _day(text)
    if day is None:
        return "must be a date that exists, as YYYY-MM-DD"
    if day > today:
        return "must not be in the future"
    return None if day.year >= OLDEST_BIRTH_YEAR else f"must not be before {OLDEST_BIRTH_YEAR}"


def _day(text: str) -> date | None:
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
