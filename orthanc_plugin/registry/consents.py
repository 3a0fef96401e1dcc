"""The life of a consent: which step may follow which (requirements 2.4), each a version appended to the last.

Knows the states and what each step must bring. Must not know the table (``consentrows``) nor what a record must hold
(``minimum``), and must not decide who gets what. WITHDRAWN, REFUSED, EXPIRED and SUPERSEDED are ends; a patient who
agrees again makes a new record. Every step needs an open write transaction and leaves nothing when it fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, select

from dicomwrap.consentrecord import ConsentRecord, Withdrawal, WithdrawnPurpose
from dicomwrap.terms import ConsentState, GiverType, Purpose, PurposeGroup, purposes_named
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.policy.persons import OnePerson, folded, same_person
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.consentrows import SEAL as SEAL
from orthanc_plugin.registry.consentrows import IncompleteConsentError as IncompleteConsentError
from orthanc_plugin.registry.consentrows import Recorded as Recorded
from orthanc_plugin.registry.consentrows import append, taken
from orthanc_plugin.registry.consentrows import current as current
from orthanc_plugin.registry.consentrows import listed as listed
from orthanc_plugin.registry.consentrows import seal as seal
from orthanc_plugin.registry.consentrows import seals as seals
from orthanc_plugin.registry.consentrows import versions as versions
from orthanc_plugin.registry.minimum import gaps
from orthanc_plugin.registry.tables import images

_ERROR: Final = ConsentState.ENTERED_IN_ERROR
# What may follow each state. A withdrawal of some purposes only leaves the consent GIVEN for the others.
STEPS: Final[Mapping[ConsentState, frozenset[ConsentState]]] = {
    ConsentState.PROPOSED: frozenset({ConsentState.GIVEN, ConsentState.REFUSED, _ERROR}),
    ConsentState.GIVEN: frozenset(
        {ConsentState.WITHDRAWN, ConsentState.EXPIRED, ConsentState.SUPERSEDED, _ERROR},
    ),
    ConsentState.REFUSED: frozenset({_ERROR}),
    ConsentState.WITHDRAWN: frozenset({_ERROR}),
    ConsentState.EXPIRED: frozenset({_ERROR}),
    ConsentState.SUPERSEDED: frozenset({_ERROR}),
    _ERROR: frozenset(),
}


def add(
    connection: Connection, record: ConsentRecord, *, by: str, at: datetime, default_issuer: str = ""
) -> ConsentRecord:
    """File a new consent or refusal as its version 1; a patient number without issuer is the hospital's own.

    Raises:
        IncompleteConsentError: with everything that is missing.
        IllegalTransitionError: the id is taken, or the record claims to replace another (see ``supersede``).
    """
    _must_replace_nothing(record)
    return _file(connection, _identified(record, default_issuer), by=by, at=at)


def give(connection: Connection, what: ConsentRecord | str, *, by: str, at: datetime) -> ConsentRecord:
    """Append the version that makes a proposed consent given: as completed in ``what``, or today as it was proposed.

    Raises:
        UnknownRecordError: there is no such consent.
        IncompleteConsentError: with everything that is missing.
        IllegalTransitionError: it isn't proposed any more, or ``what`` is of another patient or of another decision.
    """
    return _decided(connection, what, ConsentState.GIVEN, by=by, at=at)


def refuse(connection: Connection, what: ConsentRecord | str, *, by: str, at: datetime) -> ConsentRecord:
    """Append the version that makes a proposed consent refused; see ``give``."""
    return _decided(connection, what, ConsentState.REFUSED, by=by, at=at)


def withdraw(
    connection: Connection,
    consent_id: str,
    purposes: tuple[Purpose | PurposeGroup, ...] | None,
    *,
    on: date,
    by: str,
    at: datetime,
    note: Withdrawal | None = None,
) -> ConsentRecord:
    """Append the version that ends the consent, wholly or for ``purposes``; the rest survives (requirements R6).

    Each use that it takes is withdrawn from the day ``on``; what was withdrawn before keeps its own day.
    ``note`` says who took the word back, when in the visit, why and how it was received.

    Raises:
        UnknownRecordError: there is no such consent.
        IllegalTransitionError: it isn't in force, was given later, or never covered a purpose named.
    """
    known = current(connection, consent_id)
    _must_allow(known, ConsentState.WITHDRAWN, remedy="If the patient says no, add a refusal as a record of its own.")
    _must_fit(known, on, at)
    covered = purposes_named(frozenset(scope.purpose for scope in known.scopes))
    named = purposes_named(frozenset(purposes)) if purposes else covered
    if purposes and not named & covered:
        raise IllegalTransitionError(
            "The consent never covered what is withdrawn.", remedy=f"It covers: {', '.join(sorted(covered))}."
        )
    taken_now = named & still_covered(known)
    # Taken back as it was given, a group stays a group.
    words = dict.fromkeys(scope.purpose for scope in known.scopes) if taken_now == covered else sorted(taken_now)
    left = still_covered(known) - taken_now
    changed = replace(
        known,
        version=known.version + 1,
        state=ConsentState.GIVEN if left else ConsentState.WITHDRAWN,
        withdrawn=(*known.withdrawn, *(WithdrawnPurpose(purpose=word, on=on) for word in words)),
        withdrawal=note,
    )
    return append(connection, changed, by=by, at=at)


def still_covered(known: ConsentRecord) -> frozenset[Purpose]:
    """Return the purposes that the consent covers and nobody has withdrawn."""
    return purposes_named(frozenset(scope.purpose for scope in known.scopes)) - known.withdrawn_purposes


def line(connection: Connection, known: ConsentRecord) -> tuple[ConsentRecord, ...]:
    """Return a consent and those that it replaced, the newest first."""
    found = {known.id: known}
    previous = known.previous_id
    while previous is not None and previous not in found and taken(connection, previous):
        found[previous] = current(connection, previous)
        previous = found[previous].previous_id
    return tuple(found.values())


def expire(connection: Connection, consent_id: str, *, by: str, at: datetime) -> ConsentRecord:
    """Append the version that stores what time has done; every scope must have ended, or a parent's authority.

    Raises:
        UnknownRecordError: there is no such consent.
        IllegalTransitionError: it isn't in force, or has not ended.
    """
    known = current(connection, consent_id)
    _must_allow(known, ConsentState.EXPIRED)
    gone = known.withdrawn_purposes
    left = [scope for scope in known.scopes if not purposes_named(frozenset({scope.purpose})) <= gone]
    last = max((scope.valid_to or date.max for scope in left), default=date.min)
    # A parent's authority ends on a birthday, which the record doesn't hold; whoever calls has looked it up.
    if last >= hospital_day(at) and known.giver.type is not GiverType.PR_HOLDER:
        raise IllegalTransitionError(
            "The consent has not ended yet.", remedy="Withdraw it if the patient wishes so, or wait for its last day."
        )
    return append(connection, _next(known, ConsentState.EXPIRED), by=by, at=at)


def supersede(
    connection: Connection,
    previous_id: str,
    record: ConsentRecord,
    *,
    by: str,
    at: datetime,
    default_issuer: str = "",
) -> ConsentRecord:
    """File the consent that replaces ``previous_id`` (a wider, narrower or renewed form), and end that one with it.

    The purposes that the new one no longer covers are withdrawn from the old one, which goes on denying them, as it
    does those that were withdrawn before; a narrower form or audience for a purpose that is kept withdraws nothing.

    Raises:
        UnknownRecordError: there is no such consent.
        IncompleteConsentError: with everything the new one lacks.
        IllegalTransitionError: the old one isn't in force, or the two don't belong together.
    """
    known = current(connection, previous_id)
    _must_allow(known, ConsentState.SUPERSEDED)
    if record.state is not ConsentState.GIVEN:
        raise IllegalTransitionError(
            f"A record in state {record.state} replaces no consent.", remedy="Withdraw the old one, or add the new one."
        )
    if record.previous_id not in (None, previous_id):
        raise IllegalTransitionError("The record says that it replaces another consent.", remedy="Correct previous_id.")
    renewed = replace(_identified(record, default_issuer), previous_id=previous_id)
    _must_be_of_same_patient(known, renewed)
    _must_be_the_patients_word(known, renewed)
    filed = _file(connection, renewed, by=by, at=at)
    append(connection, _replaced(known, filed), by=by, at=at)
    return filed


def _replaced(known: ConsentRecord, by: ConsentRecord) -> ConsentRecord:
    """Return the last version of a consent that is replaced; what ``by`` leaves out is withdrawn on its day."""
    dropped = sorted(still_covered(known) - still_covered(by))
    on = max(by.decided_on, known.decided_on)
    withdrawn = (*known.withdrawn, *(WithdrawnPurpose(purpose=purpose, on=on) for purpose in dropped))
    return replace(_next(known, ConsentState.SUPERSEDED), withdrawn=withdrawn)


def enter_in_error(
    connection: Connection,
    consent_id: str,
    *,
    by: str,
    at: datetime,
    reason: str,
    one_person: OnePerson = same_person,
) -> ConsentRecord:
    """Append the version that says the record never was right; all its rows stay (requirements 2.4).

    ``one_person`` tells whether two names are one person's; by themselves they are told apart by spelling alone.

    Raises:
        UnknownRecordError: there is no such consent.
        IllegalTransitionError: no reason is given, ``by`` recorded a version of it, or it is so marked already.
    """
    history = versions(connection, consent_id)
    known = history[-1].record
    _must_allow(known, _ERROR)
    if not folded(by) or any(one_person(by, each.recorded_by) for each in history):
        raise IllegalTransitionError(
            "A consent is marked as entered in error by a second person.",
            remedy="Ask someone who recorded no version of it.",
        )
    if not reason.strip():
        raise IllegalTransitionError(
            "A consent can't be marked as entered in error without a reason.", remedy="Say what was wrong with it."
        )
    return append(connection, replace(_next(known, _ERROR), state_reason=reason), by=by, at=at)


def _must_allow(known: ConsentRecord, state: ConsentState, *, remedy: str | None = None) -> None:
    if state not in STEPS[known.state]:
        raise IllegalTransitionError(f"A consent in state {known.state} can't become {state}.", remedy=remedy)


def _must_replace_nothing(record: ConsentRecord) -> None:
    if record.previous_id is not None:
        raise IllegalTransitionError(
            "A record that replaces another can't be filed by itself.", remedy="Supersede the one it replaces."
        )


def _must_fit(known: ConsentRecord, on: date, at: datetime) -> None:
    if on < known.decided_on:
        raise IllegalTransitionError(
            "A consent can't be withdrawn before it was given.", remedy=f"It was given on {known.decided_on}."
        )
    if on > hospital_day(at):
        raise IllegalTransitionError(
            "A withdrawal can't be recorded before its day.",
            remedy="Record it on the day, or without a date for today.",
        )


def _must_be_of_same_patient(known: ConsentRecord, record: ConsentRecord) -> None:
    if (known.patient_id, known.issuer) != (record.patient_id, record.issuer):
        raise IllegalTransitionError(
            "The two records are of different patients.", remedy="Check the patient's number and its issuer."
        )


def _must_be_the_patients_word(known: ConsentRecord, record: ConsentRecord) -> None:
    """Keep the patient's own word from being replaced by anybody else's (requirements R6)."""
    if known.giver.type is GiverType.PATIENT and record.giver.type is not GiverType.PATIENT:
        raise IllegalTransitionError(
            "What the patient decided is replaced by nobody else's consent.",
            remedy="Add the new consent beside it; the patient's own word stands.",
        )


def _next(known: ConsentRecord, state: ConsentState) -> ConsentRecord:
    return replace(known, version=known.version + 1, state=state)


def _decided(
    connection: Connection, what: ConsentRecord | str, state: ConsentState, *, by: str, at: datetime
) -> ConsentRecord:
    known = current(connection, what if isinstance(what, str) else what.id)
    _must_allow(known, state)
    said = replace(known, decided_on=hospital_day(at)) if isinstance(what, str) else what
    if said.state not in (ConsentState.PROPOSED, state):
        raise IllegalTransitionError(f"The record says {said.state}, not {state}.", remedy="Correct its state.")
    _must_replace_nothing(said)
    decided = replace(_identified(said, known.issuer or ""), version=known.version + 1, state=state)
    _must_be_of_same_patient(known, decided)
    return _complete(connection, decided, by=by, at=at)


def _file(connection: Connection, record: ConsentRecord, *, by: str, at: datetime) -> ConsentRecord:
    if taken(connection, record.id):
        raise IllegalTransitionError(
            "A consent with this id is on record already.", remedy="Give the new decision an id of its own."
        )
    return _complete(connection, replace(record, version=1), by=by, at=at)


def _identified(record: ConsentRecord, default_issuer: str) -> ConsentRecord:
    issuer = (record.issuer or "").strip() or default_issuer
    return replace(record, patient_id=(record.patient_id or "").strip(), issuer=issuer)


def _complete(connection: Connection, record: ConsentRecord, *, by: str, at: datetime) -> ConsentRecord:
    patient = patients.find(connection, record.patient_id or "", record.issuer or "")
    born, died = (patient.dob, patient.death_date) if patient else (None, None)
    intimate = _of_intimate_pictures(connection, record)
    if problems := tuple(gaps(record, day=hospital_day(at), born=born, died=died, intimate=intimate)):
        raise IncompleteConsentError("The consent can't be recorded yet.", problems=problems)
    return append(connection, record, by=by, at=at)


def _of_intimate_pictures(connection: Connection, record: ConsentRecord) -> bool:
    """Tell whether the record names an intimate picture that is in the archive."""
    query = select(images.c.sop_instance_uid, images.c.series_instance_uid, images.c.study_instance_uid).where(
        images.c.patient_id == record.patient_id, images.c.issuer == record.issuer, images.c.intimate == 1
    )
    targets = frozenset(record.targets)
    return bool(targets) and any(targets.intersection(row) for row in connection.execute(query))
