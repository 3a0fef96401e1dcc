"""Consents as people decide them: recorded, given, refused, renewed, marked as entered in error.

Knows what goes with each step: the patient, the entry in the trail, the tasks that the answer closes. Must not know
which step may follow which (``registry.consents`` does), nor who then gets what.

Sources: requirements 2.4, 2.9 (re-consent); GMC recordings 24 and 35.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import Audience, ConsentState, Form, Purpose, WithdrawalPhase, purposes_named
from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.lifecycle import covered, people, routing, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.consequences import Consequences, Withdrawn
from orthanc_plugin.lifecycle.duties import open_tasks
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.eventmodel import Task, TaskKind
from orthanc_plugin.policy.model import ImageStatus, Recipient, Request
from orthanc_plugin.registry import consents, facts, images, ledger
from orthanc_plugin.registry.consents import IncompleteConsentError
from orthanc_plugin.registry.trail import append


def identified(act: Act, record: ConsentRecord) -> ConsentRecord:
    """Return the record with the patient's whole identity: a number without issuer is the hospital's own."""
    issuer = (record.issuer or "").strip() or act.policy.intake.default_issuer
    return replace(record, patient_id=(record.patient_id or "").strip(), issuer=issuer)


def record(connection: Connection, act: Act, said: ConsentRecord, birth_date: date | None = None) -> ConsentRecord:
    """File a new consent, refusal or proposal; the patient is put on record when unknown.

    A refusal recalls the copies that left for what it refuses.

    Raises:
        IncompleteConsentError: with everything that is missing; another birth date is on record.
        IllegalTransitionError: the id is taken.
    """
    named = identified(act, said)
    _know(connection, act, named, birth_date)
    filed = consents.add(connection, named, by=act.by, at=act.at)
    _answered(connection, act, filed)
    found = _recalled(connection, act, filed)
    append(connection, [_event(act, filed, f"RECORDED_{filed.state}", *withdrawal.told(found))])
    return filed


def give(connection: Connection, act: Act, what: ConsentRecord | str) -> ConsentRecord:
    """Make a proposed consent a given one: as completed in ``what``, or as it was proposed.

    Raises:
        UnknownRecordError: there is no such consent.
        IncompleteConsentError: with everything that is missing.
        IllegalTransitionError: it isn't proposed any more.
    """
    given = consents.give(connection, _told(act, what), by=act.by, at=act.at)
    _answered(connection, act, given)
    append(connection, [_event(act, given, "GIVEN")])
    return given


def refuse(connection: Connection, act: Act, what: ConsentRecord | str) -> ConsentRecord:
    """Make a proposed consent a refused one; copies that left for what it refuses are recalled.

    Raises:
        UnknownRecordError: there is no such consent.
        IllegalTransitionError: it isn't proposed any more.
    """
    refused = consents.refuse(connection, _told(act, what), by=act.by, at=act.at)
    _answered(connection, act, refused)
    found = _recalled(connection, act, refused)
    append(connection, [_event(act, refused, "REFUSED", *withdrawal.told(found))])
    return refused


def supersede(
    connection: Connection, act: Act, previous_id: str, said: ConsentRecord, birth_date: date | None = None
) -> Withdrawn:
    """Replace a consent by a renewed one; what the new one no longer covers is withdrawn, with all that follows.

    Raises:
        UnknownRecordError: there is no such consent.
        IncompleteConsentError: with everything that the new one lacks; another birth date is on record.
        IllegalTransitionError: the old one isn't in force, or the two don't belong together.
    """
    named = identified(act, said)
    _know(connection, act, named, birth_date)
    previous = consents.current(connection, previous_id)
    filed = consents.supersede(connection, previous_id, named, by=act.by, at=act.at)
    dropped = consents.still_covered(previous) - consents.still_covered(filed)
    found = _dropped(connection, act, previous, dropped)
    if _narrower(previous, filed):
        _look_into_copies(connection, act, previous, "copies left under a consent that was replaced by a narrower one")
    _answered(connection, act, filed, previous)
    ended = consents.current(connection, previous_id)
    words = (
        *_difference("no longer covers", dropped),
        *_difference("now covers", consents.still_covered(filed) - consents.still_covered(previous)),
    )
    append(connection, [_event(act, filed, "RECORDED_GIVEN", *words), _event(act, ended, "SUPERSEDED")])
    return Withdrawn(record=filed, consequences=found)


def enter_in_error(connection: Connection, act: Act, consent_id: str, reason: str) -> ConsentRecord:
    """Mark a record as entered in error; its rows stay.

    Raises:
        UnknownRecordError: there is no such consent.
        IllegalTransitionError: whoever acts recorded it, gives no reason, or it is so marked already.
    """
    marked = consents.enter_in_error(
        connection, consent_id, by=act.by, at=act.at, reason=reason, one_person=act.policy.one_person
    )
    _look_into_copies(connection, act, marked, "copies left under a consent that was entered in error")
    why = f"consent {marked.id} was entered in error"
    routing.cancel_taken(connection, act, covered.uids(connection, marked), (), why)
    append(connection, [_event(act, marked, "ENTERED_IN_ERROR")])
    return marked


def _look_into_copies(connection: Connection, act: Act, marked: ConsentRecord, reason: str) -> None:
    """Ask information governance about copies that left under a record that no longer says so, or never was right."""
    uids = covered.uids(connection, marked)
    if any(ledger.copies_under(connection, uid, marked.id) for uid in uids):
        open_tasks(connection, act, (Task(kind=TaskKind.IG_REVIEW),), subject=marked.id, reason=reason)


def _narrower(previous: ConsentRecord, filed: ConsentRecord) -> bool:
    """Tell whether the new consent has less reach for a purpose that it keeps."""
    elsewhere = (previous.level, previous.targets) != (filed.level, filed.targets)
    kept = consents.still_covered(previous) & consents.still_covered(filed)
    return bool(kept) and (elsewhere or not _reach(previous, kept) <= _reach(filed, kept))


def _reach(record: ConsentRecord, kept: frozenset[Purpose]) -> frozenset[tuple[object, ...]]:
    """Return each way in which a picture may be used for the purposes ``kept``."""
    return frozenset(
        (purpose, form, audience, scope.named_recipients, scope.named_publication)
        for scope in record.scopes
        for purpose in purposes_named(frozenset({scope.purpose})) & kept
        for form in {Form.ANONYMISED, scope.max_form}
        for audience in scope.audience
    )


def _told(act: Act, what: ConsentRecord | str) -> ConsentRecord | str:
    return what if isinstance(what, str) else identified(act, what)


def _know(connection: Connection, act: Act, named: ConsentRecord, birth_date: date | None) -> None:
    """Put the patient on record before their age is asked for; a record without a number is refused by itself."""
    if not named.patient_id:
        return
    if birth_date is not None and birth_date > act.day:
        raise IncompleteConsentError(
            "The consent can't be recorded.",
            problems=("birth_date: lies in the future",),
            remedy="Correct the birth date; nothing was recorded.",
        )
    who, why = (named.patient_id, named.issuer or ""), f"told with the consent {named.id}"
    known = people.know(connection, act, who, birth_date, why)
    if birth_date is not None and known.dob != birth_date:
        problem = "birth_date: another one is on record; whose consent is it?"
        raise IncompleteConsentError(
            "The consent can't be recorded.",
            problems=(problem,),
            remedy="Check the patient's number; if the date on record is wrong, correct it first.",
        )


def _dropped(connection: Connection, act: Act, previous: ConsentRecord, dropped: frozenset[Purpose]) -> Consequences:
    if not dropped:
        return Consequences()
    return withdrawal.follow(connection, act, previous, tuple(sorted(dropped)), phase=WithdrawalPhase.LATER)


def _difference(words: str, purposes: frozenset[Purpose]) -> tuple[str, ...]:
    return (f"{words}: {', '.join(sorted(purposes))}",) if purposes else ()


def _answered(connection: Connection, act: Act, filed: ConsentRecord, *previous: ConsentRecord) -> None:
    """Close what asked for this answer, and send what waited for it; what was restricted may be for care again."""
    if filed.state is ConsentState.PROPOSED:
        return
    for each in (filed, *previous):
        withdrawal.ask_no_more(connection, act, each)
    if filed.state is ConsentState.GIVEN and Purpose.DIRECT_CARE in consents.still_covered(filed):
        _use_for_care(connection, act, filed)
    routing.queue_given(connection, act, filed)


def _use_for_care(connection: Connection, act: Act, filed: ConsentRecord) -> None:
    for row in covered.pictures(connection, filed):
        if row.status is ImageStatus.RESTRICTED and is_for_care(connection, act, row.sop_instance_uid):
            images.change(connection, row.sop_instance_uid, {"status": ImageStatus.ACTIVE})


def is_for_care(connection: Connection, act: Act, uid: str) -> bool:
    """Tell whether the team that treats the patient may have the picture now: another denial may still stand."""
    team = Recipient(type=Audience.CARE_TEAM, id="", verified=True, approved_channel=True)
    wish = Request(as_of=act.day, purpose=Purpose.DIRECT_CARE, recipient=team, identifiable=True)
    return decide(facts.case(connection, uid, wish, act.policy.switches, uid)).permits


def _recalled(connection: Connection, act: Act, filed: ConsentRecord) -> Consequences:
    if filed.state is not ConsentState.REFUSED:
        return Consequences()
    return withdrawal.recall_refused(connection, act, filed)


def _event(act: Act, filed: ConsentRecord, effect: str, *reasons: str) -> AuditEvent:
    return act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        effect,
        subject=filed.id,
        reasons=reasons,
        consents=(f"{filed.id} version {filed.version}",),
        detail=consents.seal(filed),
    )
