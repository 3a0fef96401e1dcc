"""What a line of a spreadsheet means that holds the facts of a patient.

Knows columns and what they stand for. Must not know files nor the registry. An empty cell says nothing and takes no
fact away. The feed's own moment must be told: the same facts, told again later, are news.

Source: requirements 2.1 (patient), T-12 (facts come from a feed with a freshness stamp).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.clock import LONDON
from orthanc_plugin.lifecycle.csvfile import Fault
from orthanc_plugin.lifecycle.csvrows import FLAG_WORDS, ISO_DAY, NO_FLAG, NO_ISO_DAY, Cells, RowError, faults_of
from orthanc_plugin.policy.model import Capacity, Gillick
from orthanc_plugin.registry.patients import Value

COLUMNS: Final = (
    "patient_id",
    "issuer",
    "birth_date",
    "death_date",
    "capacity",
    "gillick",
    "national_data_opt_out",
    "merged_into",
    "merged_into_issuer",
    "reason",
    "as_of",
)
REQUIRED: Final = ("patient_id", "as_of")
DAYS: Final = ("birth_date", "death_date")
# Stands in for a moment that was wrong, so that every fault can be told; no facts are made with it.
_NO_MOMENT: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientFacts:
    """What a line says of a patient: new values by name. ``as_of``: when the feed that tells them was taken."""

    patient_id: str
    issuer: str | None
    facts: Mapping[str, Value]
    merged_into: str | None
    merged_into_issuer: str | None
    reason: str
    as_of: datetime


def patient_of(cells: Cells) -> PatientFacts:
    """Return what a line says of a patient.

    Raises:
        RowError: with every column that is wrong.
    """
    problems: list[str] = []
    read = Fields(cells, "", problems)
    read.must_have("patient_id", "as_of")
    facts: dict[str, Value] = {
        "birth_date": read.day("birth_date"),
        "death_date": read.day("death_date"),
        "capacity": read.word("capacity", Capacity),
        "gillick": read.word("gillick", Gillick),
        "national_data_opt_out": FLAG_WORDS.get(cells.get("national_data_opt_out", "")),
    }
    patient = PatientFacts(
        patient_id=(read.text("patient_id") or "").strip(),
        issuer=read.text("issuer"),
        facts={name: value for name, value in facts.items() if value is not None},
        merged_into=read.text("merged_into"),
        merged_into_issuer=read.text("merged_into_issuer"),
        reason=read.note("reason") or "",
        as_of=_as_of(cells.get("as_of", "")) or _NO_MOMENT,
    )
    if faults := (*_patient_writing_faults(cells, patient), *_unsaid(faults_of(problems), cells)):
        raise RowError(faults)
    return patient


def _patient_writing_faults(cells: Cells, patient: PatientFacts) -> Iterator[Fault]:
    for name in DAYS:
        if name in cells and name not in patient.facts:
            yield Fault(field=name, remedy=NO_ISO_DAY)
    if "national_data_opt_out" in cells and "national_data_opt_out" not in patient.facts:
        yield Fault(field="national_data_opt_out", remedy=NO_FLAG)
    if "as_of" in cells and patient.as_of is _NO_MOMENT:
        yield Fault(field="as_of", remedy="must be YYYY-MM-DD, or a moment such as 2026-11-22T06:00+00:00")
    if "merged_into_issuer" in cells and "merged_into" not in cells:
        yield Fault(field="merged_into", remedy="is missing; say which number the patient goes under now")


def _unsaid(faults: Iterable[Fault], cells: Cells) -> Iterator[Fault]:
    """Leave out what is said of dates already."""
    return (fault for fault in faults if fault.field not in DAYS or fault.field not in cells)


def _as_of(cell: str) -> datetime | None:
    """Return the moment in UTC; a day counts from its beginning at the hospital."""
    try:
        if ISO_DAY.fullmatch(cell):
            return datetime.combine(date.fromisoformat(cell), time(), LONDON).astimezone(UTC)
        moment = datetime.fromisoformat(cell)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
