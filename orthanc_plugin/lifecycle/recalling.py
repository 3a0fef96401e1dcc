"""Recalls as conversations: opened with the event they follow from, told, reminded, acknowledged, refused.

Knows which entry of the trail goes with each step, and that an acknowledged recall is the end of every copy in it. Must
not know how a notice goes out.

Sources: requirements 2.9 (recall until the recipient confirms), G-19, EVT-03, EVT-04.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.config.recalling import method
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.eventmodel import Recall, TaskKind
from orthanc_plugin.policy.recalling import UNANSWERED, Cause, Method, Standing, reminder_due
from orthanc_plugin.registry import ledger, outbox, recalls, tasks
from orthanc_plugin.registry.recalls import Opening, Recalled
from orthanc_plugin.registry.trail import append

SETTLED: Final = "The recall is settled."
PATIENTS: Final = {
    Recall.OPEN: TaskKind.CONFIRM_RECALL,
    Recall.NOT_RECALLABLE: TaskKind.TELL_PATIENT_NOT_RECALLABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """What one recipient has not answered.

    Attributes:
        recalls: how many recalls; ``copies`` of how many copies.
        overdue: how many of the recalls are late.
        days: for how many days the oldest has been open.
        problem: why the newest notice could not go out.
    """

    recipient: str
    recalls: int
    copies: int
    overdue: int
    days: int
    problem: str


def open_(
    connection: Connection,
    act: Act,
    cause: Cause,
    subject: str,
    *,
    back: Sequence[str],
    lost: Sequence[str] = (),
    reason: str,
    by_letter: bool = False,
) -> None:
    """Recall copies from whoever holds them; have the patient told of those ``lost``. Each is a task until it is done.

    Args:
        connection: open write transaction.
        act: whose act it follows from.
        cause: what it follows from.
        subject: the id of that.
        back: ids of the disclosures that are recalled.
        lost: ids of those that can't be had back.
        reason: why, for whoever does the tasks; it names no patient.
        by_letter: a person writes, whatever the recipients can do.
    """
    opening = Opening(
        cause=cause,
        subject=subject,
        by=act.by,
        at=act.at,
        ids=act.ids,
        method=lambda recipient: Method.LETTER if by_letter else method(act.policy, recipient),
    )
    for standing, names in ((Recall.OPEN, back), (Recall.NOT_RECALLABLE, lost)):
        kind = PATIENTS[standing]
        tasks.open_many(connection, kind=kind, subjects=names, reason=reason, at=act.at, ids=act.ids)
    told = recalls.open_(connection, opening, back, lost)
    append(connection, [_event(act, "RECALL_OPENED", *each, cause) for each in told])


def begun(connection: Connection, act: Act, recall_id: str) -> None:
    """Record that a notice is about to go out: it names copies, so it leaves on record like they did."""
    append(connection, [_event(act, "RECALL_NOTICE_BEGUN", recall_id, recalls.seal(connection, recall_id))])


def notified(connection: Connection, act: Act, recall_id: str) -> Recalled:
    """Record that the recipient has been told, once or again.

    Raises:
        UnknownRecordError: there is no such recall.
        IllegalTransitionError: it is settled.
    """
    known = unsettled(connection, recall_id)
    return _changed(connection, act, "RECALL_NOTIFIED", recall_id, **_told(act, known))


def send(connection: Connection, act: Act, recall_id: str, how: str) -> Recalled:
    """Have a notice go out now; or record how a letter went out, which nothing but a person does.

    Raises:
        UnknownRecordError: there is no such recall.
        IllegalTransitionError: it is settled; or it is a letter, and nobody says how it went out.
    """
    known = unsettled(connection, recall_id)
    if known.method is not Method.LETTER:
        return _changed(connection, act, "RECALL_SEND", recall_id, next_try=recalls.AT_ONCE, problem="")
    if not how.strip():
        raise IllegalTransitionError(
            "This recipient is told by a letter.",
            remedy="Write it (consentgate recall letter), post it, then say how with --how.",
        )
    return _changed(connection, act, "RECALL_NOTIFIED", recall_id, **_told(act, known), how=how.strip())


def acknowledge(connection: Connection, act: Act, recall_id: str, how: str, *, refused: bool = False) -> Recalled:
    """Record the recipient's answer and how it is known: every copy is gone, or it won't give them up.

    Raises:
        UnknownRecordError: there is no such recall.
        IllegalTransitionError: it is settled, or nobody says how it is known.
    """
    if not how.strip():
        raise IllegalTransitionError(
            "An answer is known by something.", remedy="Say how, such as 'letter of the publisher, on file'."
        )
    known = get(connection, recall_id)
    if known.standing not in (*UNANSWERED, Standing.REFUSED):
        raise IllegalTransitionError(SETTLED, remedy="See 'consentgate recall show'.")
    if not refused:
        _gone(connection, act, recall_id, how.strip())
    standing = Standing.REFUSED if refused else Standing.ACKNOWLEDGED
    return _settled(connection, act, recall_id, standing, how.strip())


def confirmed(connection: Connection, act: Act, disclosure_ids: Collection[str], how: str) -> None:
    """Record that single copies are gone; the tasks to have that confirmed are done, and they can be sent anew."""
    ledger.set_recalls(connection, disclosure_ids, Recall.CONFIRMED)
    outbox.given_back(connection, disclosure_ids, act.at)
    kind = TaskKind.CONFIRM_RECALL
    tasks.close_many(connection, kind=kind, subjects=disclosure_ids, by=act.by, at=act.at, note=how)


def answered(connection: Connection, act: Act, disclosure_id: str, how: str) -> None:
    """Settle the recall of a copy that is asked for no more, if it was the last."""
    recall_id = recalls.of_copy(connection, disclosure_id)
    if recall_id is None or get(connection, recall_id).standing not in (*UNANSWERED, Standing.REFUSED):
        return
    left = set(recalls.standings(connection, recall_id).values())
    if Recall.OPEN not in left:
        standing = Standing.ACKNOWLEDGED if Recall.CONFIRMED in left else Standing.NOT_RECALLABLE
        _settled(connection, act, recall_id, standing, how)


def remind(connection: Connection, act: Act, recall_id: str) -> Recalled:
    """Record that the recipient is reminded; a notice that goes out by itself goes out again.

    Raises:
        UnknownRecordError: there is no such recall.
        IllegalTransitionError: the recipient has not been told yet, or the recall is settled.
    """
    known = unsettled(connection, recall_id)
    if known.standing is not Standing.NOTIFIED:
        raise IllegalTransitionError(
            "The recipient has not been told yet, so there is nothing to remind of.",
            remedy="See 'consentgate recall send', or write the letter ('consentgate recall letter').",
        )
    values = {"reminders": known.reminders + 1, "reminded_at": act.at.isoformat()}
    again = {} if known.method is Method.LETTER else {"next_try": recalls.AT_ONCE}
    return _changed(connection, act, "RECALL_REMINDED", recall_id, **values, **again)


def by_letter(connection: Connection, act: Act, recall_id: str, problem: str) -> Recalled:
    """Have a letter written where no notice that a machine reads can be made."""
    values = {"method": Method.LETTER, "next_try": None, "problem": problem}
    return _changed(connection, act, "RECALL_BY_LETTER", recall_id, **values)


def to_remind(connection: Connection, at: datetime) -> list[Recalled]:
    """Return the recalls whose recipients are to be reminded."""
    return [each for each in recalls.listed(connection, standings=UNANSWERED) if _late(each, at)]


def _late(recall: Recalled, at: datetime) -> bool:
    reminded = None if recall.reminded_at is None else datetime.fromisoformat(recall.reminded_at)
    return reminder_due(recall.standing, datetime.fromisoformat(recall.due_at), reminded, at)


def unanswered(connection: Connection, at: datetime) -> list[Unanswered]:
    """Return who has not answered, the longest first."""
    found: dict[str, list[Recalled]] = {}
    for each in recalls.listed(connection, standings=(*UNANSWERED, Standing.REFUSED)):
        found.setdefault(each.recipient, []).append(each)
    copies = recalls.counts(connection)
    counted = [_counted(recipient, mine, copies, at) for recipient, mine in found.items()]
    return sorted(counted, key=lambda each: (-each.days, each.recipient))


def _counted(recipient: str, mine: Sequence[Recalled], copies: Mapping[str, int], at: datetime) -> Unanswered:
    opened = min(datetime.fromisoformat(each.opened_at) for each in mine)
    return Unanswered(
        recipient=recipient,
        recalls=len(mine),
        copies=sum(copies[each.recall_id] for each in mine),
        overdue=sum(at >= datetime.fromisoformat(each.due_at) for each in mine),
        days=(at - opened).days,
        problem=next((each.problem for each in reversed(mine) if each.problem), ""),
    )


def get(connection: Connection, recall_id: str) -> Recalled:
    """Return one recall.

    Raises:
        UnknownRecordError: there is none.
    """
    return recalls.get(connection, recall_id)


def unsettled(connection: Connection, recall_id: str) -> Recalled:
    """Return a recall that the recipient has not answered.

    Raises:
        UnknownRecordError: there is no such recall.
        IllegalTransitionError: it is settled.
    """
    known = get(connection, recall_id)
    if known.standing not in UNANSWERED:
        raise IllegalTransitionError(SETTLED, remedy="See 'consentgate recall show'.")
    return known


def _told(act: Act, known: Recalled) -> dict[str, object]:
    """Return what changes when a recipient has been told; the first time counts."""
    at = known.notified_at or act.at.isoformat()
    return {"standing": Standing.NOTIFIED, "notified_at": at, "next_try": None, "problem": "", "attempts": 0}


def _gone(connection: Connection, act: Act, recall_id: str, how: str) -> None:
    asked = [name for name, standing in recalls.standings(connection, recall_id).items() if standing is Recall.OPEN]
    confirmed(connection, act, asked, how)


def _settled(connection: Connection, act: Act, recall_id: str, standing: Standing, how: str) -> Recalled:
    values = {"settled_at": act.at.isoformat(), "settled_by": act.by, "how": how, "next_try": None, "problem": ""}
    return _changed(connection, act, f"RECALL_{standing}", recall_id, standing=standing, **values)


def _changed(connection: Connection, act: Act, effect: str, recall_id: str, **values: object) -> Recalled:
    seal = recalls.change(connection, recall_id, **values)
    append(connection, [_event(act, effect, recall_id, seal)])
    return get(connection, recall_id)


def _event(act: Act, effect: str, recall_id: str, seal: str, *reasons: str) -> AuditEvent:
    event = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED
    return act.event(event, effect, subject=recall_id, reasons=reasons, detail=seal)
