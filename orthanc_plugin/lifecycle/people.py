"""What is known of patients, and the authorities beside consent, as people record it.

Knows which entry of the trail goes with each change. Must not know rows, nor what a fact leads to. An entry names the
change, never the patient: who it was is in the registry, under the same id.

Sources: requirements 2.1 (patient, issuer), 2.2 (authorities, shows), T-12 (freshness of the feed), 001-20c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.lifecycle import identity, routing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.duties import open_tasks
from orthanc_plugin.policy.eventmodel import Task, TaskKind
from orthanc_plugin.policy.model import AuthorityType, Patient
from orthanc_plugin.registry import authorities, breakglass, changes, images, imports, ledger, merging, patients
from orthanc_plugin.registry.authorities import Claim, Recorded
from orthanc_plugin.registry.consentrows import ids
from orthanc_plugin.registry.merging import Why
from orthanc_plugin.registry.patients import Key, Value
from orthanc_plugin.registry.trail import append

MERGED: Final = "the patient's number was merged with another"
APART: Final = "undo that merge, correct what is wrong there, and merge again"
CORRECTED: Final = "the patient's birth date was corrected"


class FactsError(ConfigurationError):
    """Facts of a patient can't be recorded; ``problems`` begin with the fact."""

    remedy = "Correct what is named, then record it again; nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of a patient.

    Attributes:
        who: number and issuer.
        facts: new values by name.
        reason: why they change.
        as_of: when the feed was taken that tells them; None when a person does.
        merged_into: whose number is kept, when the feed says that this one was given up.
        corrects: a birth date on record is wrong and is replaced.
    """

    who: Key
    facts: Mapping[str, Value]
    reason: str
    as_of: datetime | None = None
    merged_into: Key | None = None
    corrects: bool = False


def key(act: Act, patient_id: str, issuer: str | None) -> Key:
    """Return the patient's key; a number without issuer is the hospital's own."""
    return patients.key(patient_id, issuer, act.policy.intake.default_issuer)


def tell(connection: Connection, act: Act, told: Told) -> str:
    """Record facts of a patient who is on record; return the id of the change.

    Raises:
        UnknownRecordError: no such patient.
        FactsError: with every fact that can't be recorded.
    """
    change = act.ids()
    changed: list[str] = []
    was = _before(connection, act, told)
    if problems := tuple(_told(connection, act, told, change, changed)):
        raise FactsError("The patient's facts can't be recorded.", problems=problems)
    if was is not None and ("merged_into" in changed or (told.corrects and changed)):
        routing.cancel_patients(connection, act, MERGED if "merged_into" in changed else CORRECTED, told.who)
        identity.recall(connection, act, was, change)
    if told.as_of is not None or changed:
        what = f"changed: {', '.join(changed) or 'nothing'}"
        append(connection, [_record(connection, act, change, "PATIENT_FACTS", what)])
    return change


def _before(connection: Connection, act: Act, told: Told) -> identity.Before | None:
    """Return how things stood, when what is told may change who the patient is."""
    if told.merged_into is not None and merging.survivor(connection, told.who) != told.merged_into:
        return identity.before(connection, act, told.merged_into, wrong=(told.who,))
    return identity.before(connection, act, wrong=(told.who,)) if told.corrects else None


def _record(connection: Connection, act: Act, change: str, effect: str, *reasons: str) -> AuditEvent:
    seal = changes.seal(connection, change)
    return act.event(EventType.PATIENT_RECORD, effect, subject=change, reasons=reasons, detail=seal)


def know(connection: Connection, act: Act, who: Key, birth_date: date | None, reason: str) -> Patient:
    """Return the patient, put on record when unknown; a birth date that was missing is filled in, never changed.

    One that can't be, such as one to come, is left out: without it nobody's age is known, which opens nothing.
    """
    if birth_date is not None and birth_date > act.day:
        birth_date = None
    known = patients.ensure(connection, *who, birth_date)
    if birth_date is None or known.dob is not None:
        return known
    kept = merging.survivor(connection, who) or who
    with suppress(FactsError):
        tell(connection, act, Told(who=kept, facts={"birth_date": birth_date}, reason=reason))
    return patients.person(connection, who)[0]


def feed(connection: Connection, act: Act, told: Told) -> str:
    """Record what a feed tells of a patient, who is put on record when unknown; return the id of the change.

    Raises:
        FactsError: with every fact that can't be recorded.
    """
    for each in (told.who, told.merged_into):
        if each is not None:
            patients.ensure(connection, *each, None)
    return tell(connection, act, told)


def _told(connection: Connection, act: Act, told: Told, change: str, changed: list[str]) -> Iterator[str]:
    yield from _fresh(connection, act, told)
    for fact, value in _news(connection, told).items():
        try:
            if _changes(connection, act, told, fact, value, f"{change}.{fact}"):
                changed.append(fact)
                yield from _undone(connection, told, change, fact, fact)
            yield from _said_elsewhere(connection, told.who, fact, value)
        except IllegalTransitionError as error:
            yield _placed(fact, error)
    yield from _one_birth(connection, told.who)
    if told.merged_into is not None and merging.survivor(connection, told.who) != told.merged_into:
        try:
            merging.merge(connection, told.who, told.merged_into, _why(act, told.reason, change))
            changed.append("merged_into")
            yield from _undone(connection, told, change, "merged_into", "merged_into_id")
        except IllegalTransitionError as error:
            yield _placed("merged_into", error)


def _news(connection: Connection, told: Told) -> Mapping[str, Value]:
    """Leave out what a number that was given up before merely repeats of the person: feeds go on naming it."""
    if told.merged_into is None or merging.survivor(connection, told.who) != told.merged_into:
        return told.facts
    known = patients.find(connection, *told.who)
    names = {"birth_date": "dob"}
    return {fact: value for fact, value in told.facts.items() if getattr(known, names.get(fact, fact)) != value}


def _fresh(connection: Connection, act: Act, told: Told) -> Iterator[str]:
    """Refuse a feed from the future, or one older than what was taken in before (requirements T-12)."""
    if told.as_of is None:
        return
    if told.as_of > act.at:
        yield "as_of: is after now; check the feed's clock"
        return
    try:
        patients.fed(connection, told.who, told.as_of)
    except IllegalTransitionError as error:
        yield _placed("as_of", error)


def _undone(connection: Connection, told: Told, change: str, fact: str, field: str) -> Iterator[str]:
    """Refuse what would undo a person's later word: the feed was taken before they recorded it (requirements T-12)."""
    if told.as_of is None:
        return
    for each in patients.changes(connection, told.who):
        its_change = str(each["change_id"]).partition(".")[0]
        later = datetime.fromisoformat(str(each["changed_at"])) > told.as_of
        if each["field"] == field and later and its_change != change and not imports.became(connection, its_change):
            yield f"{fact}: somebody changed it since the feed was taken; leave it empty, or take a newer feed"
            return


def _changes(connection: Connection, act: Act, told: Told, fact: str, value: Value, change_id: str) -> bool:
    if told.corrects and fact == "birth_date" and isinstance(value, date):
        return patients.correct(
            connection, told.who, value, reason=told.reason, by=act.by, at=act.at, change_id=change_id
        )
    return patients.change(
        connection, told.who, fact, value, reason=told.reason, by=act.by, at=act.at, change_id=change_id
    )


def _said_elsewhere(connection: Connection, who: Key, fact: str, value: Value) -> Iterator[str]:
    """Refuse to take back what another number of the same person says: it would go on counting."""
    if not value and any(getattr(each, fact, None) for each in patients.merged_into(connection, who).values()):
        yield f"{fact}: another number merged into this one says so; {APART}"


def _one_birth(connection: Connection, who: Key) -> Iterator[str]:
    """Refuse a birth date that another number of the same person contradicts: it may be two people."""
    others = patients.merged_into(connection, who).values()
    known = patients.find(connection, *who)
    born = known.dob if known else None
    if any(each.dob not in (None, born) for each in others):
        yield f"birth_date: another number merged into this one has another birth date; {APART}"


def _placed(fact: str, error: IllegalTransitionError) -> str:
    said = str(error)
    return said if said.startswith(f"{fact}: ") else f"{fact}: {said}"


def _why(act: Act, reason: str, change: str) -> Why:
    numbers = count(1)
    return Why(reason=reason, by=act.by, at=act.at, ids=lambda: f"{change}.merge.{next(numbers)}")


def merge(connection: Connection, act: Act, who: Key, into: Key, reason: str) -> str:
    """Say that two numbers are one person's, whose number ``into`` is kept; return the id of the change.

    Raises:
        UnknownRecordError: one of them isn't on record.
        IllegalTransitionError: they can't be merged.
    """
    change, was = act.ids(), identity.before(connection, act, into, wrong=(who,))
    merging.merge(connection, who, into, _why(act, reason, change))
    routing.cancel_patients(connection, act, MERGED, who, into)
    identity.recall(connection, act, was, change)
    append(connection, [_record(connection, act, change, "PATIENTS_MERGED")])
    return change


def unmerge(connection: Connection, act: Act, who: Key, reason: str) -> str:
    """Undo the merge of a number; return the id of the change.

    Copies that left under the other one's consent weren't agreed to by whom they show: they are recalled, and it opens
    IG_REVIEW.

    Raises:
        UnknownRecordError: it isn't on record.
        IllegalTransitionError: it was never merged.
    """
    change, kept = act.ids(), merging.survivor(connection, who)
    was = identity.before(connection, act, who)
    routing.cancel_patients(connection, act, "the patient's number was unmerged", who)
    merging.unmerge(connection, who, _why(act, reason, change))
    if kept is not None and any(_strangers(connection, *pair) for pair in ((who, kept), (kept, who))):
        why = "copies left under the consent of somebody who is another patient after all"
        open_tasks(connection, act, (Task(kind=TaskKind.IG_REVIEW),), subject=change, reason=why)
    identity.recall(connection, act, was, change)
    append(connection, [_record(connection, act, change, "PATIENTS_UNMERGED")])
    return change


def _strangers(connection: Connection, shown: Key, consenting: Key) -> bool:
    """Tell whether copies of the one patient's pictures left under consents of the other."""
    theirs = [consent for each in breakglass.numbers(connection, consenting) for consent in ids(connection, *each)]
    return any(
        ledger.copies_under(connection, row.sop_instance_uid, *theirs)
        for number, issuer in breakglass.numbers(connection, shown)
        for row in images.find(connection, images.Subject.PATIENT_ID, (number,), issuer=issuer)
    )


def claim(connection: Connection, act: Act, said: Claim) -> Recorded:
    """Record an authority, which counts for nothing until somebody else verified it.

    Raises:
        UnknownRecordError: no such patient.
        IncompleteAuthorityError: with everything that is missing.
    """
    if patients.find(connection, said.patient_id, said.issuer) is None:
        raise UnknownRecordError(
            "No such patient is on record.", remedy="Check the number and its issuer; both are needed."
        )
    authority_id = act.ids()
    authorities.record(connection, said, authority_id=authority_id, by=act.by, at=act.at)
    return _authority(connection, act, authorities.current(connection, authority_id), "AUTHORITY_RECORDED")


def verify(connection: Connection, act: Act, authority_id: str) -> Recorded:
    """Record that somebody else has seen an authority's document and found it good.

    Raises:
        UnknownRecordError: there is no such authority.
        IllegalTransitionError: it was verified or ended before, whoever acts recorded it, or whoever approved a release
            in the public interest also asked for it.
    """
    _require_independent(act, authorities.current(connection, authority_id).claim)
    found = authorities.verify(connection, authority_id, by=act.by, at=act.at, one_person=act.policy.one_person)
    return _authority(connection, act, found, "AUTHORITY_VERIFIED")


def _require_independent(act: Act, said: Claim) -> None:
    """Refuse an approval by whoever asked, under whichever of their accounts (R2): the policy compares names alone."""
    approver, requester = said.approved_by or "", said.requested_by or ""
    both = approver.strip() and requester.strip() and said.type is AuthorityType.PUBLIC_INTEREST
    if both and act.policy.one_person(approver, requester):
        raise IllegalTransitionError(
            "Whoever asked for the pictures has approved that themselves.",
            remedy="Have somebody else decide, and record that as a new authority.",
        )


def end(connection: Connection, act: Act, authority_id: str) -> Recorded:
    """Record that an authority no longer holds.

    Raises:
        UnknownRecordError: there is no such authority.
        IllegalTransitionError: it was ended before.
    """
    return _authority(
        connection, act, authorities.end(connection, authority_id, by=act.by, at=act.at), "AUTHORITY_ENDED"
    )


def _authority(connection: Connection, act: Act, found: Recorded, effect: str) -> Recorded:
    told = act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        effect,
        subject=found.authority_id,
        reasons=(found.claim.type,),
        detail=authorities.seal(connection, found.authority_id),
    )
    append(connection, [told])
    return found
