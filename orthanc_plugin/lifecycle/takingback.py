"""What a source takes back of what it told: nothing is due sooner by it until somebody else has looked.

Knows what may be taken back, and that a record has no date while nobody has agreed. Must not know rules, nor how facts
come. Of what other sources tell nothing changes; what no source tells any more is unknown. A birth date isn't taken
back but corrected, with all that follows from it.

Source: requirements T-3 (no due date and a task, never a guess), T-12.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.lifecycle import duties, retaining, scheduling
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.csvfile import Fault
from orthanc_plugin.policy.expirymodel import RetentionTask
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import images, patients, retentionfacts, retentionschedules, tasks
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.patients import Key, Value
from orthanc_plugin.registry.retentionfacts import Recorded
from orthanc_plugin.registry.trail import append

KIND: Final = RetentionTask.COMPLETE_RETENTION_FACTS
DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What is taken back: of the source's own facts, and what becomes of those that are kept with the patient."""

    names: tuple[str, ...]
    on_patient: dict[str, Value] = field(default_factory=dict)


def faults(cells: Mapping[str, str], words: Sequence[str], known: Collection[str]) -> Iterator[Fault]:
    """Say what of it can't be taken back, or is told in the same line."""
    if "birth_date" in words:
        yield Fault(field="taken_back", remedy="birth_date: correct it: consentgate patient set --correct")
    if strange := [word for word in words if word not in (*known, "birth_date")]:
        yield Fault(field="taken_back", remedy=f"{', '.join(strange)}: may be {', '.join(known)}")
    if both := [word for word in words if word in cells]:
        yield Fault(field="taken_back", remedy=f"{', '.join(both)}: told in the same line; leave one of the two out")


def told_before(connection: Connection, who: Key, words: Sequence[str], reason: str) -> Back:
    """Return what is taken back of a patient.

    A death is only where the one on record is this source's word, which it gave for ``reason``; of the source's own
    facts, ``retentionfacts`` knows which it ever told.
    """
    if "death_date" not in words:
        return Back(names=tuple(words))
    last = [each for each in patients.changes(connection, who) if each["field"] == "death_date"][-1:]
    if last and last[0]["new"] is not None and last[0]["reason"] == reason:
        return Back(names=tuple(words), on_patient={"death_date": None})
    return Back(names=tuple(word for word in words if word != "death_date"))


def ask(connection: Connection, act: Act, who: Key, fact_id: str) -> None:
    """Have somebody look, for each record of the patient, at what a source has taken back and nobody has agreed to."""
    found = next((each for each in retentionfacts.of(connection, (who,)) if each.fact_id == fact_id), None)
    if found is None or not found.doubtful:
        return
    reason = f"{found.by.source} took back {', '.join(found.doubtful)}: no retention date until somebody agrees"
    for study in _records(connection, who):
        tasks.open_task(connection, task_id=act.ids(), kind=KIND, subject=study, reason=reason, at=act.at)


def in_doubt(told: Iterable[Recorded], source: str) -> str:
    """Return a digest of all that a source has taken back of a person and that nobody has agreed to; '' of nothing.

    Whoever agrees says by it what they looked at: it is another when anything has come since.
    """
    its = [each for each in told if each.by.source == source]
    doubts = sorted((each.fact_id, name, *each.taken_back[name]) for each in its for name in each.doubtful)
    return hashlib.sha256(json.dumps(doubts).encode()).hexdigest()[:DIGITS] if doubts else ""


def agree(connection: Connection, act: Act, who: Key, source: str, reason: str, seen: str) -> tuple[Recorded, ...]:
    """Agree to what a source has taken back of a patient; return it. Dates are worked out by what others tell.

    Args:
        connection: open write transaction.
        act: whose act it is.
        who: the patient.
        source: what has taken it back.
        reason: how they know that it was right to.
        seen: what they looked at, as ``in_doubt`` gave it.

    Raises:
        IllegalTransitionError: it has taken nothing back, or something else than what was seen, no reason is given, or
            the same person took it in.
        UnnamedPersonError: policy.toml doesn't know whoever acts.
        UnknownRecordError: no such patient.
    """
    if not reason.strip():
        raise IllegalTransitionError("Nobody agrees without a reason.", remedy="Say what was looked at.")
    act.require_named()
    if patients.find(connection, *who) is None:
        raise UnknownRecordError("No such patient is on record.", remedy="Check the number and its issuer.")
    told = retentionfacts.of(connection, patients.numbers(connection, who))
    found = tuple(each for each in told if each.by.source == source and each.doubtful)
    if not found:
        raise IllegalTransitionError(
            "This source has taken nothing back that waits for somebody to agree.",
            remedy="See 'consentgate retention facts show'.",
        )
    if seen != in_doubt(found, source):
        raise IllegalTransitionError(
            "What waits for somebody to agree isn't what was seen, or something has come in since.",
            remedy="Look at 'consentgate retention facts show' again, and give what it then says under 'seen'.",
        )
    for each in found:
        if any(act.policy.one_person(each.taken_back[name].by, act.by) for name in each.doubtful):
            raise IllegalTransitionError(
                "Whoever took it in can't agree to it.", remedy="Have somebody else ask the source."
            )
    for each in found:
        retentionfacts.agree(connection, each.fact_id, by=act.by, at=act.at)
        seal = retentionfacts.seal(connection, each.fact_id)
        said = (f"source {source}", *(f"rightly took back {name}" for name in each.doubtful), reason.strip())
        told_so = act.event(
            EventType.PATIENT_RECORD, "TAKING_BACK_AGREED", subject=each.fact_id, reasons=said, detail=seal
        )
        append(connection, [told_so])
    _close(connection, act, who)
    return found


def _close(connection: Connection, act: Act, who: Key) -> None:
    """Close the tasks of records that have their date by now, or lack nothing for one."""
    schedule = scheduling.in_force(connection)
    waiting = {str(task["subject"]): str(task["task_id"]) for task in tasks.open_tasks(connection, KIND)}
    for study, pictures in _records(connection, who).items():
        if study in waiting and KIND not in retaining.of_study(connection, schedule, pictures, act.at).tasks:
            duties.close(connection, act, waiting[study], "somebody has agreed to what was taken back")


def _records(connection: Connection, who: Key) -> dict[str, list[ImageRow]]:
    """Return the pictures of each record of a person, under whatever number; none before a schedule is in force."""
    found: dict[str, list[ImageRow]] = {}
    if retentionschedules.active(connection):
        for number, issuer in patients.numbers(connection, who):
            for row in images.find(connection, Subject.PATIENT_ID, (number,), issuer=issuer):
                if row.status is not ImageStatus.DISPOSED:
                    found.setdefault(row.study_instance_uid, []).append(row)
    return found
