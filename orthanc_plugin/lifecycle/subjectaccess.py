"""A request for a copy of one's own pictures: opened, checked by named persons, closed.

Knows which checks there must be, and that whoever makes the copy has not done the serious harm check alone. Must not
know how the copy is made, and decides on no picture: the gate does (R3).

Sources: requirements 2.6 R3; UK GDPR 12(3), 12(6), 15(4); Data Protection Act 2018 schedule 3 part 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Audience
from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.clock import LONDON
from orthanc_plugin.errors import ConsentgateError, UnknownImageError, UnknownRecordError
from orthanc_plugin.lifecycle.accounts import pictures
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.people import key
from orthanc_plugin.policy.access import (
    ASKERS,
    EACH_PICTURE,
    SECURE,
    AccessTask,
    CheckKind,
    Finding,
    Handover,
    due,
)
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import access, ledger, patients, tasks
from orthanc_plugin.registry.access import AccessRequest, Check
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.trail import append

# Of these nothing is given, whatever is checked.
NOT_GIVEN: Final = frozenset({ImageStatus.QUARANTINED, ImageStatus.REJECTED, ImageStatus.DISPOSED})
# The encapsulated documents (PS3.4 B.5), such as signed consent forms; they may name others, as pictures show them.
DOCUMENTS: Final = "1.2.840.10008.5.1.4.1.1.104."
KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"  # name pictures, and show nothing


class AccessRefusedError(ConsentgateError):
    """A request for subject access can't go on."""

    remedy = "Record what is missing with 'consentgate subject-access check'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request as it came.

    Attributes:
        who: any of the patient's numbers, with its issuer.
        audience: as whom they ask.
        handover: how the copy will be handed over.
        received_on: the day it came; the month runs from it.
        note: how it came, and what was asked for.
    """

    who: Key
    audience: Audience
    handover: Handover
    received_on: date
    note: str


def open_(connection: Connection, act: Act, asking: Asking) -> AccessRequest:
    """Put a request on record, and its deadline on the records officer's list.

    Raises:
        AccessRefusedError: nobody of that name may ask, or what the request says can't be.
    """
    _possible(connection, act, asking)
    request = AccessRequest(
        request_id=act.ids(),
        patient_id=asking.who[0],
        issuer=asking.who[1],
        audience=asking.audience,
        handover=asking.handover,
        received_on=asking.received_on,
        note=asking.note.strip(),
        opened_at=act.at.isoformat(),
        opened_by=act.by,
    )
    append(connection, [_told(act, "SUBJECT_ACCESS_OPENED", request.request_id, access.open_(connection, request))])
    tasks.open_task(
        connection,
        task_id=act.ids(),
        kind=AccessTask.SUBJECT_ACCESS,
        subject=request.request_id,
        reason="somebody asked for a copy of their own pictures; it is due within one month (UK GDPR 12(3))",
        at=act.at,
        due_at=_end_of(due(asking.received_on)),
    )
    return request


def _possible(connection: Connection, act: Act, asking: Asking) -> None:
    if asking.audience not in ASKERS:
        raise AccessRefusedError(
            "Only the patient, a holder of parental responsibility or the executor may ask.",
            remedy=f"Say as whom: {', '.join(ASKERS)}.",
        )
    if asking.audience is not Audience.PATIENT and asking.handover not in SECURE:
        raise AccessRefusedError(
            "By ordinary mail a copy goes to the patient alone.", remedy=f"Choose one of {', '.join(sorted(SECURE))}."
        )
    if not asking.note.strip() or asking.received_on > act.day:
        raise AccessRefusedError(
            "The request needs the day it came, today or before, and a note of how it came.",
            remedy="Give --received and --note.",
        )
    if patients.find(connection, *asking.who) is None and not pictures(connection, asking.who):
        raise AccessRefusedError(
            "No such patient is on record.", remedy="Check the number and its issuer; both are needed."
        )


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, LONDON).astimezone(UTC)


def check_identity(connection: Connection, act: Act, request_id: str, finding: Finding, reason: str) -> Check:
    """Record whether whoever asks has proven who they are, and by what.

    Raises:
        AccessRefusedError: no reason is given.
        IllegalTransitionError: the request is closed.
    """
    access.pending(connection, request_id)
    return _checked(connection, act, request_id, CheckKind.IDENTITY, finding, reason)


def check_pictures(
    connection: Connection,
    act: Act,
    request_id: str,
    kind: CheckKind,
    uids: Sequence[str],
    finding: Finding,
    reason: str,
) -> tuple[Check, ...]:
    """Record what a named person found in these pictures of the patient's; none named: in all of them.

    Raises:
        AccessRefusedError: no reason is given, or somebody else found that it might harm.
        IllegalTransitionError: the request is closed.
        UnknownImageError: a picture isn't the patient's.
        UnnamedPersonError: policy.toml doesn't know who did the serious harm check.
    """
    if kind is CheckKind.SERIOUS_HARM:
        act.require_named()  # somebody else makes the copy
    request = access.pending(connection, request_id)
    rows = {row.sop_instance_uid: row for row in pictures(connection, request.who) if to_check(row)}
    if unknown := set(uids) - set(rows):
        raise UnknownImageError(
            f"{len(unknown)} of the pictures named are no pictures of this patient that could be given.",
            remedy="See 'consentgate subject-access show'.",
        )
    chosen = [rows[uid] for uid in uids] if uids else list(rows.values())
    if kind is CheckKind.SERIOUS_HARM and finding is Finding.CLEAR:
        _require_not_found_by_another(connection, act, request_id, chosen)
    return tuple(_checked(connection, act, request_id, kind, finding, reason, row) for row in chosen)


def _require_not_found_by_another(connection: Connection, act: Act, request_id: str, rows: Sequence[ImageRow]) -> None:
    """Refuse to call harmless what somebody else found harmful: they alone can change their opinion.

    Raises:
        AccessRefusedError: somebody has.
    """
    newest = {
        (each.sop_instance_uid, each.sha256): each
        for each in access.checks(connection, request_id)
        if each.kind is CheckKind.SERIOUS_HARM
    }
    found = [newest[key] for row in rows if (key := (row.sop_instance_uid, row.sha256)) in newest]
    others = [
        each
        for each in found
        if each.finding is Finding.NOT_CLEAR and not act.policy.one_person(each.checked_by, act.by)
    ]
    if others:
        raise AccessRefusedError(
            f"Somebody else found that seeing {len(others)} of these pictures might do serious harm.",
            remedy="Ask whoever found that to look again, or name the other pictures with --image.",
        )


def _checked(
    connection: Connection,
    act: Act,
    request_id: str,
    kind: CheckKind,
    finding: Finding,
    reason: str,
    row: ImageRow | None = None,
) -> Check:
    if not reason.strip():
        raise AccessRefusedError("A check is recorded with a reason.", remedy="Say what was seen, in --reason.")
    found = Check(
        check_id=act.ids(),
        request_id=request_id,
        kind=kind,
        sop_instance_uid=row.sop_instance_uid if row else "",
        sha256=row.sha256 if row else "",
        finding=finding,
        reason=reason.strip(),
        checked_at=act.at.isoformat(),
        checked_by=act.by,
    )
    subject = found.sop_instance_uid or request_id
    append(connection, [_told(act, f"CHECKED_{kind}_{finding}", subject, access.check(connection, found))])
    return found


def to_check(row: ImageRow) -> bool:
    """Tell whether a picture or a form could be given, so that somebody must look at it first."""
    return row.status not in NOT_GIVEN and row.sop_class_uid != KEY_OBJECTS


def named(connection: Connection, act: Act, name: str, issuer: str | None) -> str:
    """Return the id of the request that is named by its id, or by a number of the patient who has just one open.

    Raises:
        AccessRefusedError: there is none, or there are several.
    """
    if issuer is None:
        with suppress(UnknownRecordError):
            return access.get(connection, name).request_id
    numbers = patients.numbers(connection, key(act, name, issuer))
    found = [each.request_id for each in access.listed(connection) if each.who in numbers]
    if len(found) > 1:
        raise AccessRefusedError(
            f"The patient has {len(found)} open requests: {', '.join(found)}.", remedy="Give the id of one of them."
        )
    if not found:
        raise AccessRefusedError(
            "No request has this id, and no patient of this number has an open one.",
            remedy="See 'consentgate subject-access list'; a number needs its --issuer, where it isn't the hospital's.",
        )
    return found[0]


def ready(connection: Connection, act: Act, request_id: str) -> AccessRequest:
    """Return the request of which ``act`` may make the copy.

    Raises:
        AccessRefusedError: a check is missing, found against it, or was made by the wrong person.
        IllegalTransitionError: the request is closed.
        UnnamedPersonError: policy.toml doesn't know ``act.by``.
    """
    act.require_named()
    request = access.pending(connection, request_id)
    if lacking := tuple(lacks(connection, request)):
        raise AccessRefusedError(f"The copy can't be made yet: {'; '.join(lacking)}.")
    harm = (each for each in access.checks(connection, request_id) if each.kind is CheckKind.SERIOUS_HARM)
    if any(act.policy.one_person(each.checked_by, act.by) for each in harm):
        raise AccessRefusedError(
            "Whoever makes the copy has made the serious harm check.", remedy="Have somebody else make the copy."
        )
    return request


def lacks(connection: Connection, request: AccessRequest) -> Iterator[str]:
    """Say what must still be recorded before the copy can be made."""
    found = access.checks(connection, request.request_id)
    if access.newest(found).get(CheckKind.IDENTITY) is not Finding.CLEAR:
        yield "nobody has recorded that whoever asks has proven who they are (IDENTITY)"
    rows = [row for row in pictures(connection, request.who) if to_check(row)]
    done = {(each.kind, each.sop_instance_uid, each.sha256) for each in found}
    for kind in EACH_PICTURE:
        missing = sum((kind, row.sop_instance_uid, row.sha256) not in done for row in rows)
        if missing:
            yield f"{missing} picture(s) have not been looked at ({kind})"


def close(connection: Connection, act: Act, request_id: str, *, given: bool, outcome: str) -> AccessRequest:
    """Close a request: the copy was handed over, or it was not; what was released for it ends with that.

    Raises:
        AccessRefusedError: nobody says how it ended.
        IllegalTransitionError: the request is closed already.
    """
    if not outcome.strip():
        raise AccessRefusedError("A request is closed with a note.", remedy="Say how it ended.")
    request, delivery = access.pending(connection, request_id), Delivery.DELIVERED if given else Delivery.FAILED
    begun = ledger.begun(connection, request.recipient)
    ends = [ledger.deliver(connection, disclosure, delivery) for disclosure in begun]
    closed = access.close(connection, request_id, by=act.by, at=act.at, outcome=outcome.strip())
    seal = "\n".join((closed, *ends))
    append(connection, [_told(act, "SUBJECT_ACCESS_GIVEN" if given else "SUBJECT_ACCESS_NOT_GIVEN", request_id, seal)])
    kind = AccessTask.SUBJECT_ACCESS
    tasks.close_tasks(connection, kind=kind, subject=request_id, by=act.by, at=act.at, note=outcome.strip())
    return access.get(connection, request_id)


def _told(act: Act, effect: str, subject: str, seal: str) -> AuditEvent:
    return act.event(EventType.PATIENT_RECORD, effect, subject=subject, detail=seal)
