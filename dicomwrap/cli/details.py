"""What can be said about a photograph on the command line or in a row of a manifest: words, not checked yet.

Knows the names of the fields. Must not know what they mean; ``orders`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Whose photograph, of what, why, taken when and with what; "" means that nobody said.

    Each field is a column of a manifest, and an option with ``-`` for ``_``.
    """

    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    body_site: str = ""
    laterality: str = ""
    recognisable: str = ""
    lesion: str = ""
    consent: str = ""
    consent_form: str = ""
    purpose: str = ""
    made_for: str = ""
    device_class: str = ""
    device_reason: str = ""
    operator: str = ""
    study_uid: str = ""
    study_description: str = ""
    accession: str = ""
    admission_id: str = ""
    admission_issuer: str = ""
    institution: str = ""
    department: str = ""
    service: str = ""
    reason: str = ""
    referrer: str = ""
    procedure_id: str = ""
    procedure: str = ""
    step_id: str = ""
    step: str = ""
    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    software: str = ""
    dermoscopy: str = ""
    polarised: str = ""
    contact: str = ""
    immersion: str = ""
    magnification: str = ""
    colour_temperature: str = ""
    orientation: str = ""
    exif_orientation: str = ""

    def overridden(self, said: Mapping[str, str]) -> Details:
        """Return the details with what ``said`` says in place of these, where it says anything."""
        return replace(self, **{name: value for name, value in said.items() if value})

    def for_row(self, said: Mapping[str, str]) -> Details:
        """Return the details with what a row says; a row of another patient takes nothing of this one's.

        A row that names, in any field, somebody else than is named here is another patient's.
        """
        named = bool(self.patient_id or self.patient_name)
        other = any(said.get(name, "").strip() not in ("", getattr(self, name).strip()) for name in _PERSON)
        if not (named and other):
            return self.overridden(said)
        return replace(self, **dict.fromkeys(OF_A_PATIENT, "")).overridden(said)


# What is one patient's, or one visit's: never another patient's too.
OF_A_PATIENT: tuple[str, ...] = (
    "patient_id", "issuer", "patient_name", "birth_date", "sex", "recognisable", "lesion", "consent", "consent_form",
    "study_uid", "study_description", "accession", "admission_id", "admission_issuer", "reason", "referrer",
    "procedure_id", "procedure", "step_id", "step",
)  # fmt: skip
_PERSON: tuple[str, ...] = ("patient_id", "issuer", "patient_name", "birth_date", "sex")
FIELDS: frozenset[str] = frozenset(field.name for field in fields(Details))
