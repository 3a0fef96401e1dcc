"""One consent as a form records it: who agreed to what, for whom, in which form, until when.

Knows the record's shape. Must not know files, DICOM or the registry. Source: GMC recordings guidance, paragraphs 8 and
24 (specific, recorded, stored with the recording); MDU advice on consent to secondary use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from dicomwrap.terms import (
    Audience,
    CapacityResult,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    Purpose,
    PurposeGroup,
    WithdrawalPhase,
    purposes_named,
)
from dicomwrap.terms import Giver as Giver
from dicomwrap.terms import Tests as Tests
from dicomwrap.terms import WithdrawnPurpose as WithdrawnPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is agreed for one purpose (or one group of purposes).

    Attributes:
        purpose: the purpose, or a group of them.
        max_form: the most identifying form agreed to.
        audience: who may receive.
        named_recipients: these alone, when any are named.
        named_publication: the one publication or programme agreed to.
        valid_from: first day.
        valid_to: last day (inclusive); None without end.
        conditions: in the patient's words, such as "not my face".
        legal_basis: codes of UK GDPR articles 6 and 9 and of the common law, such as ``6(1)(e)``, ``9(2)(h)``.
    """

    purpose: Purpose | PurposeGroup
    max_form: Form
    audience: tuple[Audience, ...]
    named_recipients: tuple[str, ...] = ()
    named_publication: str | None = None
    valid_from: date
    valid_to: date | None = None
    conditions: tuple[str, ...] = ()
    legal_basis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """The note of the conversation with the patient; ``at``, when it is known, has its offset from UTC."""

    note: str
    author: str
    role: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityFinding:
    """An assessment of capacity for this decision, never carried to another (GMC Decision making and consent 2020)."""

    result: CapacityResult
    decision: str
    assessor: str
    on: date
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDocument:
    """The form or recording behind the decision: where it is, and what proves that it is unchanged.

    Attributes:
        object_uid: SOP Instance UID of the form in the archive.
        sha256: digest of the form's file, in hexadecimal.
        form_id: which form, such as ``IMI-3``.
        form_version: which issue of it.
        purposes_sha256: digest of the purposes as the patient saw them.
        witness: who witnessed.
    """

    object_uid: str = ""
    sha256: str = ""
    form_id: str = ""
    form_version: str = ""
    purposes_sha256: str = ""
    witness: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionTold:
    """How long the patient was told the picture is kept, in words, and the day when there is one."""

    text: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What helped the patient to understand and decide."""

    interpreter: str = ""
    language: str = ""
    easy_read: bool = False
    carer: str = ""
    aids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """How the word was taken back, the last time; the purposes and their days are the record's own."""

    by: str = ""
    phase: WithdrawalPhase = WithdrawalPhase.LATER
    reason: str = ""
    how_received: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """A consent, or a refusal, as recorded (requirements 2.1). ``targets`` are UIDs; empty for level PATIENT.

    ``withdrawn`` has each use that was taken back with its own day; a record that was withdrawn whole, all of them.
    ``previous_id`` is the record that this one replaces; ``state_reason`` says what was wrong with a record entered in
    error.
    """

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
    withdrawn: tuple[WithdrawnPurpose, ...] = ()
    tests: Tests | None = None
    evidence: EvidenceType | None = None
    explained: tuple[Explained, ...] = ()
    discussion: Discussion | None = None
    previous_id: str | None = None
    capacity: CapacityFinding | None = None
    document: EvidenceDocument | None = None
    retention_told: RetentionTold | None = None
    support: Support | None = None
    withdrawal: Withdrawal | None = None
    source_system: str = ""
    state_reason: str = ""

    @property
    def withdrawn_purposes(self) -> frozenset[Purpose]:
        """The single uses that were taken back, whenever that was."""
        return purposes_named(frozenset(each.purpose for each in self.withdrawn))

    def withdrawn_since(self, purpose: Purpose) -> date | None:
        """Return the day from which a use is withdrawn, None when it isn't."""
        reaching = (each.on for each in self.withdrawn if purpose in purposes_named(frozenset({each.purpose})))
        return min(reaching, default=None)
