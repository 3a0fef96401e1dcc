"""A withdrawal, in one transaction: the consent's state, unfiled pictures, filed ones, copies that left, tasks.

Knows which rows a withdrawal changes, and that a refusal, which ends no consent, recalls copies all the same; the rules
are the policy's. Must not know files: the names of what is to be dropped from the spool are returned, and dropped once
the transaction is committed. What is queued is cancelled; what a courier has in hand asks the gate again before it
leaves, which sees the withdrawal as soon as it is committed.

Sources: requirements 2.9 (one transaction), 0 (4), 002-26a, 002-26b; UK GDPR 17(3) and 19.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord, Withdrawal
from dicomwrap.terms import ConsentState, Purpose, WithdrawalPhase
from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.lifecycle import capture, covered, deposited, overruled, recalling, routing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.consequences import Consequences, Withdrawn
from orthanc_plugin.lifecycle.covered import Filed
from orthanc_plugin.lifecycle.overruled import UP_TO_THE_PATIENT
from orthanc_plugin.lifecycle.unfiled import deleted
from orthanc_plugin.policy.eventmodel import (
    AT_A_PLACE,
    Before,
    Copy,
    Event,
    Happening,
    ImageState,
    TaskKind,
    Words,
)
from orthanc_plugin.policy.events import outcome, withdrawn_now
from orthanc_plugin.policy.model import ImageStatus, MadeFor, Obligation
from orthanc_plugin.policy.recalling import Cause
from orthanc_plugin.registry import captures, consents, disposals, images, keptcopies, ledger, quarantine, tasks
from orthanc_plugin.registry.captures import StopKind
from orthanc_plugin.registry.consentrows import taken
from orthanc_plugin.registry.quarantine import Held, Status
from orthanc_plugin.registry.trail import append

ANSWERED: Final = "the patient has answered"
NOTHING: Final[Mapping[Copy, str]] = {}
# An object that is approved and not filed yet can still be called back.
UNFILED: Final[dict[Status, ImageState]] = {
    Status.HELD: ImageState.QUARANTINED,
    Status.AWAITING_PATIENT_APPROVAL: ImageState.AWAITING_PATIENT_APPROVAL,
    Status.APPROVED: ImageState.AWAITING_PATIENT_APPROVAL,
}


def withdraw(
    connection: Connection,
    act: Act,
    consent_id: str,
    purposes: Words,
    *,
    on: date,
    note: Withdrawal,
) -> Withdrawn:
    """Withdraw a consent, wholly (no ``purposes``) or for some; the rest survives.

    Raises:
        UnknownRecordError: there is no such consent.
        IllegalTransitionError: it isn't in force, was given later, or never covered a purpose named.
    """
    known = consents.current(connection, consent_id)
    gone = withdrawn_now(_before(known, ImageState.DISPOSED, MadeFor.CARE), purposes)
    elsewhere = overruled.given(connection, act, known, gone)
    changed = consents.withdraw(connection, consent_id, purposes or None, on=on, by=act.by, at=act.at, note=note)
    found = follow(connection, act, known, purposes, phase=note.phase, elsewhere=elsewhere)
    if changed.state is ConsentState.WITHDRAWN:
        ask_no_more(connection, act, changed)
    append(connection, [_event(act, changed, note, found)])
    return Withdrawn(record=changed, consequences=found)


def follow(
    connection: Connection,
    act: Act,
    known: ConsentRecord,
    purposes: Words,
    *,
    phase: WithdrawalPhase,
    elsewhere: Mapping[Copy, str] = NOTHING,
) -> Consequences:
    """Do what follows when ``purposes`` (none: all) are taken from ``known``, as it stood before.

    What was made, filed or released under a consent that it replaced has no other ground left, and follows with it.
    So do the copies ``elsewhere``, under other consents, that nobody would be given any more.
    """
    event = Event(type=Happening.WITHDRAW, phase=phase, purposes=purposes)
    line = consents.line(connection, known)
    rows = {uid: filed for each in line for uid, filed in covered.filed(connection, each).items()}
    left = ledger.copies_of(connection, rows)
    # What is being destroyed may yet be kept: it comes back as it was.
    going = disposals.on_their_way(connection, rows)
    found = [
        _filed(line, event, alike, uids, left)
        for alike, uids in _alike(rows, {uid: each.was(uid) for uid, each in going.items()})
    ]
    held = (held for each in line for held in quarantine.unfiled_under(connection, each.id))
    found += [_unfiled(connection, act, known, event, each) for each in held]
    going_too = withdrawn_now(_before(known, ImageState.DISPOSED, MadeFor.CARE), purposes)
    also = overruled.refused(connection, act, elsewhere)
    after = Consequences.together((*found, also, _beyond(connection, line, going_too)))
    _restrict(connection, after.restricted, going)
    reason = f"withdrawn from consent {known.id}"
    routing.cancel_taken(connection, act, rows, purposes, reason)
    keptcopies.forget(connection, rows)
    recalling.open_(
        connection, act, Cause.WITHDRAWN, known.id, back=after.recalls, lost=after.not_recallable, reason=reason
    )
    kind, subjects = TaskKind.PROPOSE_DISPOSAL, after.proposed
    tasks.open_many(connection, kind=kind, subjects=subjects, reason=reason, at=act.at, ids=act.ids)
    return after


def _beyond(connection: Connection, line: tuple[ConsentRecord, ...], gone: frozenset[Purpose]) -> Consequences:
    """Say what places of deposit have in our stead of what is shut from now on: nobody can have that back."""
    if Purpose.DIRECT_CARE not in gone:
        return Consequences()
    lost = (name for each in line for name in deposited.beyond(connection, each))
    return Consequences(not_recallable=tuple(dict.fromkeys(lost)))


def recall_refused(connection: Connection, act: Act, refused: ConsentRecord) -> Consequences:
    """Recall the copies that left for what is refused, under whatever consent unless that was decided later."""
    event = Event(type=Happening.REFUSE, purposes=tuple(scope.purpose for scope in refused.scopes))
    uids = covered.uids(connection, refused)
    left = ledger.copies_of(connection, uids)
    copies = _refused_copies(connection, refused, left)
    after = outcome(Before(consent=refused.state, copies=copies), event)
    beyond = _beyond(connection, (refused,), withdrawn_now(Before(consent=refused.state), event.purposes))
    reason, lost = f"refused in {refused.id}", after.not_recallable + beyond.not_recallable
    routing.cancel_taken(connection, act, uids, event.purposes, reason)
    keptcopies.forget(connection, uids)
    recalling.open_(connection, act, Cause.REFUSED, refused.id, back=after.recalls, lost=lost, reason=reason)
    return Consequences(recalls=after.recalls, not_recallable=lost)


def _refused_copies(
    connection: Connection, refused: ConsentRecord, left: Mapping[str, Mapping[Copy, frozenset[str]]]
) -> tuple[Copy, ...]:
    """Return the copies that left without a newer word of the patient's."""
    named = {each for copies in left.values() for under in copies.values() for each in under}
    newer = {each for each in named if _later(connection, each, refused)}
    return tuple(
        copy
        for copies in left.values()
        for copy, under in copies.items()
        if (copy.purpose in UP_TO_THE_PATIENT or copy.kind in AT_A_PLACE) and newer.isdisjoint(under)
    )


def _later(connection: Connection, consent_id: str, refused: ConsentRecord) -> bool:
    """Tell whether the consent is a newer word than the refusal; one that is lost or in error is none."""
    if not taken(connection, consent_id):
        return False
    known = consents.current(connection, consent_id)
    return known.state is not ConsentState.ENTERED_IN_ERROR and known.decided_on > refused.decided_on


def ask_no_more(connection: Connection, act: Act, record: ConsentRecord) -> None:
    """Close what would have the patient asked again: they have answered."""
    subjects = (record.id, *covered.uids(connection, record))
    for kind in (Obligation.SEEK_CONSENT, Obligation.SEEK_RECONSENT):
        tasks.close_many(connection, kind=kind, subjects=subjects, by=act.by, at=act.at, note=ANSWERED)


def _before(known: ConsentRecord, image: ImageState, made_for: MadeFor, copies: tuple[Copy, ...] = ()) -> Before:
    purposes = tuple(sorted(consents.still_covered(known)))
    return Before(consent=known.state, purposes=purposes, image=image, made_for=made_for, copies=copies)


def _alike(rows: Mapping[str, Filed], were: Mapping[str, ImageStatus]) -> Iterator[tuple[Filed, tuple[str, ...]]]:
    """Give the pictures of which the same is true; ``were`` is where those stood that are being destroyed."""
    found: defaultdict[Filed, list[str]] = defaultdict(list)
    for uid, filed in rows.items():
        found[filed._replace(status=were.get(uid, filed.status))].append(uid)
    yield from ((filed, tuple(uids)) for filed, uids in found.items())


def _filed(
    line: tuple[ConsentRecord, ...],
    event: Event,
    filed: Filed,
    uids: tuple[str, ...],
    left: Mapping[str, Mapping[Copy, frozenset[str]]],
) -> Consequences:
    """Say which copies of filed pictures are recalled, and whether these are restricted or proposed for disposal."""
    copies = tuple(copy for uid in uids for copy in _copies(line, left.get(uid, {})))
    after = outcome(_before(line[0], ImageState(filed.status), filed.made_for, copies), event)
    restricted = after.image is ImageState.RESTRICTED and filed.status is ImageStatus.ACTIVE
    return Consequences(
        recalls=after.recalls,
        not_recallable=after.not_recallable,
        restricted=uids if restricted else (),
        proposed=uids if any(task.kind is TaskKind.PROPOSE_DISPOSAL for task in after.tasks) else (),
    )


def _restrict(connection: Connection, uids: Sequence[str], going: Mapping[str, disposals.Outcome]) -> None:
    """Keep pictures, restricted because they may no longer be used for care."""
    for uid in uids:
        if uid in going:
            disposals.restrict(connection, going[uid], uid)
    staying = tuple(uid for uid in uids if uid not in going)
    images.change_all(connection, staying, {"status": ImageStatus.RESTRICTED})


def _copies(line: tuple[ConsentRecord, ...], left: Mapping[Copy, frozenset[str]]) -> tuple[Copy, ...]:
    """Return the copies that left under one of these consents, or under none because no rule asked for one then.

    What a place of deposit has is among them: it left by a decision of ours, and is asked for by a letter.
    """
    ids = {each.id for each in line}
    free = (copy for copy, under in left.items() if not under)
    asked = {copy for copy in free if copy.purpose in UP_TO_THE_PATIENT or copy.kind in AT_A_PLACE}
    return tuple(copy for copy, under in left.items() if under & ids or copy in asked)


def _unfiled(connection: Connection, act: Act, known: ConsentRecord, event: Event, held: Held) -> Consequences:
    """Delete a picture that was never filed; that it was taken and deleted is kept, without pixels."""
    found = outcome(_before(known, UNFILED[held.status], MadeFor.CARE), event)
    if found.image is not ImageState.DELETED_NOT_FILED:
        return Consequences()
    gone = deleted(connection, act, held, f"CONSENT_WITHDRAWN_{event.phase}")
    _stop(connection, act, event, held.study_instance_uid)
    if not gone:
        return Consequences(held=(held.sop_instance_uid,))
    return Consequences(deleted=(held.sop_instance_uid,), spool_names=(held.spool_name,))


def _stop(connection: Connection, act: Act, event: Event, study: str) -> None:
    """Have the study take nothing more when the patient says no while it is being made (requirements 002-26a)."""
    if event.phase is WithdrawalPhase.DURING_CAPTURE and study and captures.of_study(connection, study) is None:
        capture.recorded(connection, act, study, StopKind.WITHDRAWN, "consent withdrawn")


def _event(act: Act, changed: ConsentRecord, note: Withdrawal, found: Consequences) -> AuditEvent:
    reasons = (f"phase {note.phase}", *told(found))
    return act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        "WITHDRAWN",
        subject=changed.id,
        reasons=reasons,
        consents=(f"{changed.id} version {changed.version}",),
        detail=consents.seal(changed),
    )


def told(found: Consequences) -> tuple[str, ...]:
    """Return the consequences in the words of the trail."""
    named = (
        ("recalled", found.recalls),
        ("not recallable", found.not_recallable),
        ("restricted", found.restricted),
        ("proposed for disposal", found.proposed),
        ("deleted unfiled", found.deleted),
        ("kept unfiled under a hold", found.held),
    )
    return tuple(f"{words}: {', '.join(ids)}" for words, ids in named if ids)
