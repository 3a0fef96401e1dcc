"""Copies that left: recalled, confirmed as destroyed, sent to the wrong recipient, published, cut off from the patient.

Knows disclosures and the tasks about them. Must not know how a recipient is reached: a person does that.

Sources: requirements 2.9 (recall, wrong recipient), 001-10b, 003-101b; UK GDPR 19 and 33.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import ConsentState, Form
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import recalling
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.duties import open_tasks
from orthanc_plugin.policy.eventmodel import Before, Copy, Event, Happening, Outcome, Recall, TaskKind
from orthanc_plugin.policy.events import outcome
from orthanc_plugin.policy.recalling import KEY_DESTROYED, PUBLISHED, Cause
from orthanc_plugin.registry import ledger, outbox, tasks
from orthanc_plugin.registry.trail import append

NOTHING_TO_CONFIRM = "No recall of this disclosure is open."
WRONG: Final = "the recipient should not have had it"
LOST: Final = {Happening.PUBLISHED: PUBLISHED, Happening.KEY_DESTROYED: KEY_DESTROYED}


def confirm(connection: Connection, act: Act, disclosure_id: str, how: str) -> None:
    """Record that the recipient has destroyed or returned the copy, and how that is known.

    Raises:
        UnknownRecordError: there is no such disclosure.
        IllegalTransitionError: it isn't being recalled, or nobody says how it is known.
    """
    copy = ledger.copy_of(ledger.get(connection, disclosure_id))
    if copy.recall is not Recall.OPEN:
        raise IllegalTransitionError(NOTHING_TO_CONFIRM, remedy="See 'consentgate disclosure list --recall OPEN'.")
    if not how.strip():
        raise IllegalTransitionError(
            "A recall is confirmed by something.", remedy="Say how, such as 'letter of the publisher, on file'."
        )
    recalling.confirmed(connection, act, (disclosure_id,), how.strip())
    _tell(connection, act, "RECALL_CONFIRMED", disclosure_id)
    recalling.answered(connection, act, disclosure_id, how.strip())


def wrong_recipient(connection: Connection, act: Act, disclosure_id: str, reason: str) -> Outcome:
    """Recall what went to the wrong recipient, and send it nothing more; have the breach assessed within 72 hours.

    Raises:
        UnknownRecordError: there is no such disclosure.
    """
    row = ledger.get(connection, disclosure_id)
    found = _outcome(ledger.copy_of(row), Happening.WRONG_RECIPIENT)
    picture, recipient = str(row["sop_instance_uid"]), str(row["recipient"])
    outbox.cancel(connection, WRONG, act.at, pictures=(picture,), recipient=recipient)
    back, lost = found.recalls, found.not_recallable
    recalling.open_(connection, act, Cause.WRONG_RECIPIENT, disclosure_id, back=back, lost=lost, reason=reason)
    open_tasks(connection, act, found.tasks, subject=disclosure_id, reason=reason)
    _tell(connection, act, "WRONG_RECIPIENT", disclosure_id, EventType.SECURITY_ALERT)
    return found


def published(connection: Connection, act: Act, disclosure_id: str) -> Outcome:
    """Record that the copy was published: from now on it can't be had back.

    Raises:
        UnknownRecordError: there is no such disclosure.
    """
    copy = ledger.copy_of(ledger.get(connection, disclosure_id))
    seal = ledger.publish(connection, disclosure_id)
    return _beyond_recall(connection, act, copy, Happening.PUBLISHED, seal)


def key_destroyed(connection: Connection, act: Act, disclosure_id: str) -> Outcome:
    """Record that nobody can tie the anonymised copy to the patient any more.

    Raises:
        UnknownRecordError: there is no such disclosure.
        IllegalTransitionError: the copy shows who the patient is.
    """
    copy = ledger.copy_of(ledger.get(connection, disclosure_id))
    if copy.form is not Form.ANONYMISED:
        raise IllegalTransitionError(
            "An identifiable copy has no key that could be destroyed.", remedy="Recall the copy instead."
        )
    seal = ledger.destroy_key(connection, disclosure_id)
    return _beyond_recall(connection, act, copy, Happening.KEY_DESTROYED, seal)


def _beyond_recall(connection: Connection, act: Act, copy: Copy, happening: Happening, seal: str) -> Outcome:
    """Give up a recall that is open, and have the patient told."""
    found = _outcome(copy, happening)
    ledger.set_recalls(connection, found.not_recallable, Recall.NOT_RECALLABLE)
    for each in found.not_recallable:
        _done(connection, act, each, f"not recallable any more: {happening}")
    open_tasks(connection, act, found.tasks, subject=copy.id, reason=f"the copy can't be had back: {happening}")
    _tell(connection, act, happening, copy.id, seal=seal)
    if found.not_recallable:
        recalling.answered(connection, act, copy.id, LOST[happening])
    return found


def _outcome(copy: Copy, happening: Happening) -> Outcome:
    """Ask the policy; the consent's own state plays no part in what becomes of one copy."""
    before = Before(consent=ConsentState.GIVEN, copies=(copy,))
    return outcome(before, Event(type=happening, copy=copy.id))


def _done(connection: Connection, act: Act, disclosure_id: str, note: str) -> None:
    kind = TaskKind.CONFIRM_RECALL
    tasks.close_tasks(connection, kind=kind, subject=disclosure_id, by=act.by, at=act.at, note=note)


def _tell(
    connection: Connection,
    act: Act,
    effect: str,
    disclosure_id: str,
    event: EventType = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
    seal: str = "",
) -> None:
    append(connection, [act.event(event, effect, subject=disclosure_id, detail=seal)])
