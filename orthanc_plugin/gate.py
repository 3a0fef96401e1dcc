"""The one door: ask, decide, record. Every hook builds an ``AccessRequest``, asks the gate and obeys.

Knows the policy, the registry's facts and the trail. Must not know Orthanc. No record, no release: a decision that
can't be written down is a denial.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from dicomwrap.terms import Audience, Form
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Clock, Ids, hospital_day
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Content, Decision, Effect, Obligation, Recipient, Request
from orthanc_plugin.registry import facts, ledger
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.trail import append

logger = logging.getLogger(__name__)

# Obligations that put work on somebody's list when a decision names them.
TASKS = frozenset(
    {
        Obligation.VERIFY_RESIDUAL_ID,
        Obligation.SEEK_CONSENT,
        Obligation.SEEK_RECONSENT,
        Obligation.ASSESS_COMPETENCE,
        Obligation.NOTIFY_IG,
        Obligation.IG_REVIEW,
        Obligation.LEGAL_REVIEW,
        Obligation.CALDICOTT_REVIEW,
        Obligation.SAFEGUARDING_REVIEW,
        Obligation.CONSULT_FAMILY,
        Obligation.CONSIDER_FAMILY,
        Obligation.RECONCILE_IDENTITY,
        Obligation.RETROSPECTIVE_REVIEW,
        Obligation.NOTIFY_PATIENT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks and who would receive, as policy.toml binds them; nothing here was said by the request itself.

    Attributes:
        actor: account or AE title that asks.
        recipient: binding that would receive.
        address: network address, when known.
    """

    actor: str
    recipient: str
    purpose: str
    audience: Audience
    form: Form
    verified: bool = True
    approved_channel: bool = True
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """One picture, asked for once, at one door."""

    requester: Requester
    sop_instance_uid: str
    door: str
    content: Content = Content.PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The recorded decision on one request; ``decision_id`` finds it again in the trail."""

    request: AccessRequest
    decision: Decision
    decision_id: str


def undecided(reason: str, rule: str = "FAIL_CLOSED") -> Decision:
    """Return the denial for a request that could not be decided at all."""
    return Decision(effect=Effect.DENY, reasons=(reason,), rules=(rule,))


def asked(request: AccessRequest, at: datetime) -> Request:
    """Return the request as the policy reads it; the day is the hospital's, not UTC's."""
    requester = request.requester
    return Request(
        as_of=hospital_day(at),
        purpose=requester.purpose,
        recipient=Recipient(
            type=requester.audience,
            id=requester.recipient,
            verified=requester.verified,
            approved_channel=requester.approved_channel,
        ),
        identifiable=requester.form is Form.IDENTIFIABLE,
        content=request.content,
    )


class Gate:
    """Decides and records.

    Args:
        database: the registry.
        policy: policy.toml in force.
        clock: gives the present moment.
        ids: gives fresh ids.
    """

    def __init__(self, database: Database, policy: Policy, clock: Clock, ids: Ids) -> None:
        self.database = database
        self.policy = policy
        self.clock = clock
        self.ids = ids
        self._reasons: dict[str, None] = {}

    @property
    def closed(self) -> str | None:
        """Return why every door is shut (the newest reason), or None."""
        return next(reversed(tuple(self._reasons)), None)

    def close(self, reason: str) -> None:
        """Shut every door, because ``reason``."""
        self._reasons[reason] = None

    def open(self, reason: str) -> None:
        """Take ``reason`` away; the doors open once none is left."""
        self._reasons.pop(reason, None)

    def authorize(self, request: AccessRequest) -> Answer:
        """Return the recorded decision; denial when anything at all went wrong."""
        return self.authorize_all((request,))[0]

    def authorize_all(self, requests: Sequence[AccessRequest]) -> tuple[Answer, ...]:
        """Return the recorded decisions, one a request, taken and written in one transaction."""
        try:
            at = self.clock()
            with self.database.writing() as connection:
                answers = tuple(self._answer(connection, request, at) for request in requests)
                append(connection, [self._event(answer, at) for answer in answers])
                for answer in answers:
                    self._open_tasks(connection, answer, at)
        except Exception:  # the boundary: whatever failed, the door stays shut
            logger.exception("denied because the decision could not be taken or recorded")
            reason = "the decision could not be taken or recorded"
            return tuple(Answer(request=request, decision=undecided(reason), decision_id="") for request in requests)
        return answers

    def refuse(self, requester: Requester, door: str, reason: str, *, rule: str, subject: str = "") -> None:
        """Record a refusal that needed no decision on a picture, such as an unknown route."""
        self.note(
            AuditEvent(
                id=self.ids(),
                at=self.clock(),
                event=EventType.ACCESS_CONTROL_DECISION,
                outcome=Outcome.REFUSED,
                actor=requester.actor,
                address=requester.address,
                door=door,
                subject=subject,
                purpose=requester.purpose,
                effect=Effect.DENY,
                rules=(rule,),
                reasons=(reason,),
                policy=self.policy.sha256,
            )
        )

    def note(self, *events: AuditEvent) -> bool:
        """Append ``events`` to the trail; False when that failed, and then nothing may be released."""
        try:
            with self.database.writing() as connection:
                append(connection, events)
        except Exception:  # the boundary: an unwritten event is a closed door, not a crash
            logger.exception("an event could not be recorded")
            return False
        return True

    def _answer(self, connection: Connection, request: AccessRequest, at: datetime) -> Answer:
        decision_id = self.ids()
        return Answer(
            request=request, decision=self._decided(connection, request, at, decision_id), decision_id=decision_id
        )

    def _decided(self, connection: Connection, request: AccessRequest, at: datetime, decision_id: str) -> Decision:
        if self.closed is not None:
            return undecided(f"the gate is closed: {self.closed}", rule="GATE_CLOSED")
        try:
            case = facts.case(
                connection, request.sop_instance_uid, asked(request, at), self.policy.switches, decision_id
            )
        except UnknownImageError:
            return undecided("the image is not known to the registry", rule="UNKNOWN_IMAGE")
        return decide(case)

    def _event(self, answer: Answer, at: datetime) -> AuditEvent:
        request, decision = answer.request, answer.decision
        return AuditEvent(
            id=answer.decision_id,
            at=at,
            event=EventType.ACCESS_CONTROL_DECISION,
            outcome=Outcome.SUCCESS if decision.permits else Outcome.REFUSED,
            actor=request.requester.actor,
            address=request.requester.address,
            door=request.door,
            subject=request.sop_instance_uid,
            purpose=request.requester.purpose,
            effect=decision.effect,
            rules=decision.rules,
            reasons=decision.reasons,
            obligations=tuple(decision.obligations),
            citations=decision.citations,
            consents=decision.consents,
            policy=self.policy.sha256,
            detail=f"recipient {request.requester.recipient} ({request.requester.audience})",
        )

    def _open_tasks(self, connection: Connection, answer: Answer, at: datetime) -> None:
        if answer.decision.effect is Effect.PERMIT_ANONYMISED:
            return  # what it obliges is met, or refused, by the release itself
        for obligation in TASKS & set(answer.decision.obligations):
            ledger.open_task(
                connection,
                task_id=self.ids(),
                kind=obligation,
                subject=answer.request.sop_instance_uid,
                reason="; ".join(answer.decision.reasons),
                at=at,
            )
