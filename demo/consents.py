"""The consents of the demonstration: patient A to care, patient B to care and to anonymised teaching, patient C none.

Knows the consent file's format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

CARE: Final[dict[str, object]] = {"purpose": "DIRECT_CARE", "max_form": "IDENTIFIABLE", "audience": ["CARE_TEAM"]}
TEACHING: Final[dict[str, object]] = {"purpose": "TEACHING", "max_form": "ANONYMISED", "audience": ["TRUST_STUDENTS"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented patient. ``consent`` is the id of their consent, '' for none."""

    letter: str
    patient_id: str
    name: str
    birth_date: str
    sex: str
    body_site: str
    laterality: str
    consent: str
    scopes: tuple[dict[str, object], ...]


PEOPLE: Final = (
    Person(
        letter="A",
        patient_id="DEMO-1001",
        name="Ashgrove^Alma",
        birth_date="1980-06-15",
        sex="F",
        body_site="70559009",
        laterality="L",
        consent="urn:uuid:5d4cf3a6-6a0b-4f6c-9a53-0d7a8f3c1a01",
        scopes=(CARE,),
    ),
    Person(
        letter="B",
        patient_id="DEMO-1002",
        name="Birchwood^Ben",
        birth_date="1957-02-03",
        sex="M",
        body_site="66643007",
        laterality="U",
        consent="urn:uuid:5d4cf3a6-6a0b-4f6c-9a53-0d7a8f3c1a02",
        scopes=(CARE, TEACHING),
    ),
    Person(
        letter="C",
        patient_id="DEMO-1003",
        name="Cedarholm^Cleo",
        birth_date="1991-11-30",
        sex="F",
        body_site="25763004",
        laterality="R",
        consent="",
        scopes=(),
    ),
)


# Before any photograph of anybody's own that the demonstration is tried with: consent comes before the picture.
DECIDED_ON: Final = date(2000, 1, 1)


def consent_file(person: Person, folder: Path, decided_on: date = DECIDED_ON) -> Path:
    """Write the person's consent as a file that dicomwrap and consentgate read."""
    path = folder / f"consent-{person.letter.lower()}.json"
    record = {
        "id": person.consent,
        "patient_id": person.patient_id,
        "issuer": "HOSPITAL",
        "level": "PATIENT",
        "state": "GIVEN",
        "giver": {"type": "PATIENT", "id": person.patient_id, "competent_at_decision": "YES"},
        "decided_on": decided_on.isoformat(),
        "scopes": list(person.scopes),
        "evidence": "SIGNED_FORM",
        "explained": ["WHY", "USE", "AUDIENCE", "STORAGE", "RETENTION", "WITHDRAWAL", "NO_EFFECT_ON_CARE"],
        "retention_told": {"text": "As long as the rest of the record; teaching copies for ten years."},
        "discussion": {"note": "Form talked through in clinic; questions answered.", "author": "dermatology clinic"},
    }
    path.write_text(json.dumps(record, indent=2), encoding="utf-8")
    return path
