"""What a consent must hold before it may be filed, by purpose and by who gave it.

Knows the demands of requirements 1.1 to 1.5 on a record. Must not know rows, nor what is permitted: a record may be
complete and yet allow nothing. The minimum for the patient's own care stays small (why, how used, how stored, and the
evidence); each use beyond it, and each giver other than the patient, adds to that.

Sources: MDU 2013 items 1, 2, 7, 8, 11, 12; GP (MDU) 2013; PMP 2023; GMC recordings 8, 24, 28 to 35.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from dicomwrap.consentdetails import purposes_digest
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import (
    FORBIDDEN_AUDIENCES,
    SECONDARY_PURPOSES,
    Audience,
    CapacityResult,
    Competence,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    GiverType,
    Purpose,
    purposes_named,
)
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.policy.consent import BEST_INTERESTS_PURPOSES
from orthanc_plugin.policy.dates import ADULT, PRESUMED_CAPABLE, age_on
from orthanc_plugin.policy.facts import PUBLIC_PURPOSES

FIRST_STATES: Final = frozenset({ConsentState.PROPOSED, ConsentState.GIVEN, ConsentState.REFUSED})
EXPLAINED_AT_LEAST: Final = frozenset({Explained.WHY, Explained.USE, Explained.STORAGE})
NOTE_NEEDED: Final = SECONDARY_PURPOSES | {Purpose.SECOND_OPINION}
OUTSIDE: Final = frozenset(
    {
        Audience.PARTNER_ORG_CLINICIAN,
        Audience.EXTERNAL_AUDIENCE,
        Audience.COMMERCIAL_PARTNER,
        Audience.JOURNAL,
        Audience.MEDIA,
    }
)
DOCUMENTED: Final = frozenset(
    {GiverType.LPA_HW, GiverType.DEPUTY, GiverType.COURT, GiverType.CONSULTEE, GiverType.EXECUTOR}
)
TESTED: Final = frozenset({GiverType.LPA_HW, GiverType.DEPUTY, GiverType.COURT})
FOR_ADULTS: Final = frozenset({GiverType.LPA_HW, GiverType.DEPUTY})
STANDS_IN: Final = TESTED | {GiverType.CONSULTEE, GiverType.BEST_INTERESTS}
ONLY_FOR: Final[Mapping[GiverType, frozenset[Purpose]]] = {
    GiverType.BEST_INTERESTS: BEST_INTERESTS_PURPOSES,
    GiverType.CONSULTEE: frozenset({Purpose.RESEARCH}),
    GiverType.RELATIVE_NO_AUTHORITY: frozenset(),
}


def gaps(
    record: ConsentRecord,
    *,
    day: date,
    born: date | None = None,
    died: date | None = None,
    intimate: bool = False,
) -> Iterator[str]:
    """Say what is missing before ``record`` may be filed, each with its place.

    Args:
        record: as it would be filed.
        day: the hospital's day on which it is filed.
        born: the patient's birth date, when it is on record.
        died: the patient's death, when it is on record.
        intimate: whether it names an intimate picture.
    """
    if not record.patient_id:
        yield "patient_id: whose consent is it? Give the patient's number"
    if record.state not in FIRST_STATES:
        yield f"state: a new record starts as PROPOSED, GIVEN or REFUSED, not {record.state}"
    yield from _of_scopes(record)
    yield from _of_days(record, day)
    if record.state is ConsentState.GIVEN:
        named = purposes_named(frozenset(scope.purpose for scope in record.scopes))
        yield from _of_audiences(record)
        yield from _of_what_was_said(record, named, intimate=intimate)
        yield from _of_evidence(record)
        yield from _of_publication(record)
        yield from _of_giver(record, named, born)
        if died is not None and record.giver.type is GiverType.PATIENT and record.decided_on > died:
            yield "decided_on: the patient had died by then; check the date and whose consent it is"
        yield from _of_capacity(record, born)
        yield from _of_tests(record, named)


def _of_scopes(record: ConsentRecord) -> Iterator[str]:
    """Demand purposes and audiences (requirements 002-24b, 003-31 to 003-35, 004-22b)."""
    if not record.scopes:
        yield "scopes: name at least one purpose"
    if not all(scope.audience for scope in record.scopes):
        yield "audience: say for each purpose who may receive"
    if record.state is ConsentState.REFUSED and record.level is not ConsentLevel.PATIENT and not record.targets:
        yield "targets: name the pictures that are refused; none are ever filed under a refusal"
    if record.state is not ConsentState.GIVEN and record.withdrawn:
        yield f"withdrawn_on: what is {record.state} can't be withdrawn"


def _of_audiences(record: ConsentRecord) -> Iterator[str]:
    """Refuse an agreement to what nobody may agree to (000-12, 002-56, 003-78); a refusal of it is kept."""
    for scope in record.scopes:
        for audience in sorted(FORBIDDEN_AUDIENCES.intersection(scope.audience)):
            yield f"audience: {audience} may never receive; leave it out of {scope.purpose}"


def _of_days(record: ConsentRecord, day: date) -> Iterator[str]:
    """Refuse days that are still to come: a clock is wrong, or the decision hasn't been made."""
    at = record.discussion.at if record.discussion else None
    days = {
        "decided_on": record.decided_on,
        "withdrawn_on": max((each.on for each in record.withdrawn), default=None),
        "discussion.at": hospital_day(at) if at else None,
        "capacity.on": record.capacity.on if record.capacity else None,
    }
    for place, found in days.items():
        if found is not None and found > day:
            yield f"{place}: {found} is after today, {day}; check the date and the clock of the sender"
    told = record.retention_told.until if record.retention_told else None
    if told is not None and told < record.decided_on:
        yield "retention_told.until: must not be before decided_on"
    ended = any(scope.valid_to is not None and scope.valid_to < record.decided_on for scope in record.scopes)
    if ended and record.state is ConsentState.GIVEN:  # a refusal counts whatever its proposal's last day was
        yield "valid_to: must not be before decided_on"


def _of_what_was_said(record: ConsentRecord, named: frozenset[Purpose], *, intimate: bool) -> Iterator[str]:
    """Demand what the patient was told (000-27, 000-28b, 001-18c, 002-24c, 003-33, 003-62c, 003-97)."""
    if missing := sorted(_to_explain(record, named, intimate=intimate) - set(record.explained)):
        yield f"explained: {', '.join(missing)} not ticked; the patient must be told before agreeing to this use"
    if named & NOTE_NEEDED and record.discussion is None:
        yield "discussion: a use beyond the patient's own care needs the note of the discussion and its author"
    if named & SECONDARY_PURPOSES and record.retention_told is None and Explained.RETENTION not in record.explained:
        yield "retention_told: say how long the patient was told the picture is kept, or tick RETENTION in explained"


def _to_explain(record: ConsentRecord, named: frozenset[Purpose], *, intimate: bool) -> frozenset[Explained]:
    found = set(EXPLAINED_AT_LEAST)
    if named & SECONDARY_PURPOSES or intimate:
        found.add(Explained.AUDIENCE)
    if named & PUBLIC_PURPOSES:
        found.add(Explained.PUBLICATION_IS_FINAL)
    outside = frozenset(scope.purpose for scope in record.scopes if OUTSIDE & set(scope.audience))
    leaving = purposes_named(outside) & NOTE_NEEDED
    if leaving:
        found.add(Explained.TRANSMISSION)
    if leaving - PUBLIC_PURPOSES:  # what is published is never disposed of; that it is final is told instead
        found.add(Explained.DISPOSAL)
    return frozenset(found)


def _of_evidence(record: ConsentRecord) -> Iterator[str]:
    """Demand evidence, and that the form showed the purposes that are stored (003-25b, 003-25c; GMC recordings 24)."""
    document = record.document
    if record.evidence is None:
        yield "evidence: say how the decision is evidenced, such as SIGNED_FORM"
    if record.evidence is EvidenceType.ORAL_NOTED and record.discussion is None:
        yield "discussion: an oral consent is evidenced by the note of it"
    if record.evidence is EvidenceType.WITNESSED_ORAL and not (document and document.witness):
        yield "document.witness: say who witnessed the oral consent"
    shown = document.purposes_sha256 if document else ""
    if shown and shown != purposes_digest(scope.purpose for scope in record.scopes):
        yield "document.purposes_sha256: the purposes that the patient saw are not those recorded"


def _of_publication(record: ConsentRecord) -> Iterator[str]:
    """Demand the place of publication (000-14, 000-38a, 2.2); a blanket word names none and the policy refuses then."""
    for scope in record.scopes:
        if scope.purpose in PUBLIC_PURPOSES and not (scope.named_publication or scope.named_recipients):
            yield f"named_publication: {scope.purpose} needs the one publication or programme, or its named recipients"


def _of_giver(record: ConsentRecord, named: frozenset[Purpose], born: date | None) -> Iterator[str]:
    """Demand authority for these purposes (000-33a, 000-34a to c, 002-30, 2.3)."""
    giver = record.giver
    if giver.type in ONLY_FOR and (beyond := sorted(named - ONLY_FOR[giver.type])):
        yield f"giver.type: {giver.type} has no authority to agree to {', '.join(beyond)}"
    if giver.type in DOCUMENTED and not giver.authority_document:
        yield f"giver.authority_document: name the document that gives {giver.type} the authority"
    years = None if born is None else age_on(born, record.decided_on)
    if giver.type is GiverType.PR_HOLDER and giver.has_pr is False:
        yield "giver.has_pr: without parental responsibility nobody agrees for a child"
    if giver.type is GiverType.PR_HOLDER and years is not None and years >= ADULT:
        yield "giver.type: parental responsibility ends at 18; ask the patient"
    if giver.type is GiverType.PATIENT:
        yield from _of_own_word(record, years)


def _of_own_word(record: ConsentRecord, years: int | None) -> Iterator[str]:
    """Demand competence: presumed at 16, below it somebody must have found it and be named."""
    giver = record.giver
    if giver.competent_at_decision is Competence.NO:
        yield "giver.competent_at_decision: a patient found not competent can't agree; ask who has authority"
    child = years is not None and years < PRESUMED_CAPABLE
    if child and giver.competent_at_decision is Competence.YES and not giver.competence_assessor:
        yield "giver.competence_assessor: the patient is under 16; say who found them competent for this decision"


def _of_capacity(record: ConsentRecord, born: date | None) -> Iterator[str]:
    """Demand an assessment where someone stands in for an adult (000-33a, 003-40a); an unknown age counts as adult."""
    kind, finding = record.giver.type, record.capacity
    lacks = finding is not None and finding.result is CapacityResult.LACKS
    if kind is GiverType.PATIENT and lacks:
        yield "giver.type: the patient lacks capacity for this decision; ask who has authority"
    child = born is not None and age_on(born, record.decided_on) < PRESUMED_CAPABLE
    if kind in FOR_ADULTS and child:
        yield f"giver.type: {kind} decides for nobody under 16"
    elif kind in STANDS_IN and not child and not lacks:
        yield f"capacity: {kind} needs the finding that the patient lacks capacity (under 16: record the birth date)"


def _of_tests(record: ConsentRecord, named: frozenset[Purpose]) -> Iterator[str]:
    """Demand the tests of a proxy's consent to use beyond care, and of a best-interests decision (000-33b, 003-40b)."""
    kind, tests = record.giver.type, record.tests
    if kind in TESTED and named & SECONDARY_PURPOSES and tests is None:
        yield "tests: record whether it is necessary, in the patient's best interests and not possible another way"
    if kind is not GiverType.BEST_INTERESTS:
        return
    if tests is None or not (tests.necessary and tests.best_interests):
        yield "tests: a best-interests decision must find the picture necessary and in the patient's best interests"
    if tests is None or not tests.consulted:
        yield "tests.consulted: say who was consulted about the patient's best interests"
    if record.discussion is None:
        yield "discussion: a best-interests decision needs the note of why the picture is necessary"
