"""CSV files as a hospital exports them, and what a registry holds after they were taken in."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from dicomwrap.terms import Audience, Form, Purpose
from orthanc_plugin.config.forms import ConsentForm, FormLevel, FormScope
from tests.fakes.world import World

CARE = FormScope(purpose=Purpose.DIRECT_CARE, max_form=Form.IDENTIFIABLE, audience=(Audience.CARE_TEAM,))
TEACHING = FormScope(purpose=Purpose.TEACHING, max_form=Form.ANONYMISED, audience=(Audience.TRUST_STUDENTS,))
JOURNAL = FormScope(
    purpose=Purpose.PUBLICATION,
    max_form=Form.ANONYMISED,
    audience=(Audience.JOURNAL,),
    named_publication_required=True,
)
IMI = ConsentForm(
    title="Three levels",
    version="2019",
    levels={
        "1": FormLevel(label="Record only", scopes=(CARE,)),
        "2": FormLevel(label="Record and teaching", scopes=(CARE, TEACHING)),
        "3": FormLevel(label="Publication", scopes=(CARE, TEACHING, JOURNAL)),
    },
)

SIGNED = {
    "id": "urn:x:1",
    "patient_id": "P1",
    "state": "GIVEN",
    "giver": "PATIENT",
    "decided_on": "2025-03-01",
    "form": "IMI",
    "form_level": "2",
    "evidence": "SIGNED_FORM",
    "explained": "WHY|USE|AUDIENCE|STORAGE|RETENTION",
    "discussion_note": "Talked through in clinic.",
    "discussion_author": "clinic",
}
FED = {"patient_id": "P1", "birth_date": "1980-06-15", "as_of": "2026-11-21"}

HELD = (
    "SELECT * FROM patients",
    "SELECT patient_id, issuer, field, old, new, reason, changed_by FROM patient_changes",
    "SELECT consent_id, version, patient_id, issuer, record, recorded_by FROM consents",
    "SELECT digest, kind, imported_by FROM imported_rows",
)


def sheet(path: Path, *rows: Mapping[str, str], separator: str = ",", encoding: str = "utf-8") -> Path:
    """Write rows as CSV, with a column for everything that one of them says."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, columns, delimiter=separator, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def errors(path: Path) -> list[dict[str, str]]:
    """Return the rows of an errors file."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter=";" if ";" in path.read_text("utf-8-sig").splitlines()[0] else ","))


def held(world: World, statements: Iterable[str] = HELD) -> list[Counter[tuple[object, ...]]]:
    """Return what the registry holds, whatever the order it came in and the moments it came at."""
    entries = Counter((entry["effect"], *map(str, entry["consents"])) for entry in world.trail())  # type: ignore[call-overload]
    return [*(Counter(world.sql(statement)) for statement in statements), entries]
