"""Emergency access ("break-glass"): one clinician, one patient, a short while, a reason, and somebody else looks after.

Knows who may be granted it, and how it is told and reviewed. Must not decide on pictures: the gate asks the policy of
each (R7) while a grant is live. A grant ends by the clock; ending it sooner is an act of its own.

Sources: requirements 2.6 R7, 2.9 (break-glass); IHE PCF (break-glass); PS3.16 CID 401 (emergency override).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Purpose
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.bindings import Role, User
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import BreakGlass, Decision, Obligation, Recipient, Request
from orthanc_plugin.registry import breakglass, facts, images, patients, tasks
from orthanc_plugin.registry.breakglass import Grant
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.trail import append

LEAST_REASON: Final = 12  # letters and digits: "emergency" alone is none


class EmergencyRefusedError(ConsentgateError):
    """Emergency access is not granted, not ended or not reviewed."""

    remedy = "Ask information governance; ordinary access with the patient's consent is not affected."


def grant(connection: Connection, act: Act, account: str, whose: Key, *, minutes: int | None, reason: str) -> Grant:
    """Open the patient's pictures to ``account`` for ``minutes`` (None: as long as the policy says).

    ``whose`` is any of the patient's numbers, with its issuer.

    Raises:
        EmergencyRefusedError: there is no good reason, no such role, no such patient, or nothing that it could open.
    """
    user = _clinician(act, account)
    length = _length(act, minutes)
    _good_reason(reason)
    _known_and_alive(connection, act, whose)
    if breakglass.live(connection, account, whose, act.at) is not None:
        raise EmergencyRefusedError("This account has emergency access to this patient already.", remedy="Use it.")
    _opens_something(connection, act, user, whose, reason)
    given = Grant(
        grant_id=act.ids(),
        patient_id=whose[0],
        issuer=whose[1],
        account=account,
        reason=reason.strip(),
        granted_at=act.at,
        ends_at=act.at + timedelta(minutes=length),
        granted_by=act.by,
    )
    breakglass.record(connection, given)
    _put_on_lists(connection, act, given)
    return _told(connection, act, EventType.EMERGENCY_OVERRIDE_STARTED, "GRANTED", given)


def end(connection: Connection, act: Act, grant_id: str) -> Grant:
    """Shut the pictures again before the time is up.

    Raises:
        UnknownRecordError: there is no such grant.
        EmergencyRefusedError: it has ended.
    """
    given = breakglass.get(connection, grant_id)
    if not given.live(act.at):
        raise EmergencyRefusedError("This emergency access has ended already.", remedy="There is nothing to end.")
    breakglass.end(connection, grant_id, act.at)
    ended = breakglass.get(connection, grant_id)
    return _told(connection, act, EventType.EMERGENCY_OVERRIDE_STOPPED, "ENDED", ended)


def review(connection: Connection, act: Act, grant_id: str, finding: str) -> Grant:
    """Record what was found when somebody else looked at how the access was used.

    Raises:
        UnknownRecordError: there is no such grant.
        EmergencyRefusedError: it is live, was reviewed, nothing was found to say, or it is one's own.
    """
    given = breakglass.get(connection, grant_id)
    for wrong, remedy in _objections(given, act, finding):
        raise EmergencyRefusedError(wrong, remedy=remedy)
    breakglass.reviewed(connection, grant_id, by=act.by, at=act.at, finding=finding.strip())
    tasks.close_tasks(connection, kind=Obligation.RETROSPECTIVE_REVIEW, subject=grant_id, by=act.by, at=act.at)
    found = breakglass.get(connection, grant_id)
    return _told(connection, act, EventType.EMERGENCY_OVERRIDE_STOPPED, "REVIEWED", found)


def _told(connection: Connection, act: Act, event: EventType, effect: str, grant: Grant) -> Grant:
    append(connection, [act.event(event, effect, subject=grant.grant_id, detail=breakglass.seal(grant))])
    return grant


def _objections(given: Grant, act: Act, finding: str) -> Iterator[tuple[str, str]]:
    if given.live(act.at):
        yield "This emergency access is still open.", "End it, or wait until it has ended, then review it."
    if given.reviewed_at is not None:
        yield "This emergency access has been reviewed.", "See 'consentgate break-glass list --all'."
    if any(act.policy.one_person(act.by, each) for each in (given.account, given.granted_by)):
        yield "Nobody reviews their own emergency access, nor what they granted.", "Have somebody else review it."
    if not finding.strip():
        yield "The review says nothing.", "Say what was found, such as 'justified: seen in the emergency department'."


def _clinician(act: Act, account: str) -> User:
    bound = act.policy.user(account)
    user = next((use for use in bound.uses() if Role.BREAK_GLASS in use.roles), None) if bound else None
    if user is None:
        raise EmergencyRefusedError(
            "The account does not have the role 'break-glass'.",
            remedy="Use an account that has it; the data protection officer gives it in policy.toml.",
        )
    return user


def _length(act: Act, minutes: int | None) -> int:
    most = act.policy.break_glass.minutes
    length = most if minutes is None else minutes
    if not 1 <= length <= most:
        raise EmergencyRefusedError(f"Emergency access lasts from 1 to {most} minutes.", remedy="Ask for less.")
    return length


def _good_reason(reason: str) -> None:
    if sum(letter.isalnum() for letter in reason) < LEAST_REASON:
        raise EmergencyRefusedError(
            "Emergency access needs a reason in words.", remedy="Say why the pictures are needed at once."
        )


def _known_and_alive(connection: Connection, act: Act, whose: Key) -> None:
    patient = patients.find(connection, *whose)
    if patient is None:
        raise EmergencyRefusedError(
            "No such patient is on record.", remedy="Check the number, and whose number it is (the issuer)."
        )
    if patient.death_date is not None and patient.death_date <= act.day:
        raise EmergencyRefusedError("The patient has died, so there is no emergency care to give.")


def _opens_something(connection: Connection, act: Act, user: User, whose: Key, reason: str) -> None:
    """Refuse a grant under which the policy would open no picture, as when a capable patient said no to care (R7)."""
    decision = None
    for decision in _decisions(connection, act, user, whose, reason):
        if decision.permits:
            return
    if decision is None:
        raise EmergencyRefusedError("The archive has no picture of this patient.", remedy="There is nothing to open.")
    raise EmergencyRefusedError(f"Emergency access would open no picture: {' '.join(decision.reasons)}")


def _decisions(connection: Connection, act: Act, user: User, whose: Key, reason: str) -> Iterator[Decision]:
    """Give what would be decided on each of the patient's pictures, until the caller has seen enough."""
    wish = Request(
        as_of=act.day,
        purpose=Purpose.EMERGENCY_CARE,
        recipient=Recipient(type=user.audience, id=user.name, verified=True, approved_channel=True),
        identifiable=True,
        break_glass=BreakGlass(reason=reason, by_clinician=True),
    )
    for number, issuer in breakglass.numbers(connection, whose):
        for row in images.find(connection, Subject.PATIENT_ID, (number,), issuer=issuer):
            yield decide(facts.case(connection, row.sop_instance_uid, wish, act.policy.switches, row.sop_instance_uid))


def _put_on_lists(connection: Connection, act: Act, given: Grant) -> None:
    for kind in (Obligation.NOTIFY_IG, Obligation.NOTIFY_PATIENT, Obligation.RETROSPECTIVE_REVIEW):
        reviewing = kind is Obligation.RETROSPECTIVE_REVIEW
        tasks.open_task(
            connection,
            task_id=act.ids(),
            kind=kind,
            subject=given.grant_id,
            reason=f"{given.account} was given emergency access to a patient's pictures",
            at=act.at,
            not_by=given.account if reviewing else None,
        )
