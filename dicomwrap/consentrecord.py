"""One consent as a form records it: who agreed to what, for whom, in which form, until when.

Knows the record's shape. Must not know files, DICOM or the registry. Source: GMC recordings guidance, paragraphs 8 and
24 (specific, recorded, stored with the recording); MDU advice on consent to secondary use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dicomwrap.terms import (
    Audience,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    Purpose,
    PurposeGroup,
)
from dicomwrap.terms import Giver as Giver
from dicomwrap.terms import Tests as Tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is agreed for one purpose (or one group of purposes). ``valid_to`` is inclusive."""

    purpose: Purpose | PurposeGroup
    max_form: Form
    audience: tuple[Audience, ...]
    named_recipients: tuple[str, ...] = ()
    named_publication: str | None = None
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """The note of the conversation with the patient."""

    note: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """A consent, or a refusal, as recorded. ``targets`` are UIDs; empty for level PATIENT."""

    id: str
    version: int = 1
    patient_id: str | None = None
    issuer: str | None = None
    level: ConsentLevel = ConsentLevel.PATIENT
    targets: tuple[str, ...] = ()
    state: ConsentState
    giver: Giver
    decided_on: date
    scopes: tuple[Scope, ...]
    withdrawn_on: date | None = None
    withdrawn_purposes: tuple[Purpose | PurposeGroup, ...] | None = None
    tests: Tests | None = None
    evidence: EvidenceType | None = None
    explained: tuple[Explained, ...] = ()
    discussion: Discussion | None = None
