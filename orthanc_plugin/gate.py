"""The one door: ask, decide, record. Every hook builds an ``AccessRequest``, asks the gate and obeys.

Knows the policy, the registry's facts and the trail. Must not know Orthanc. No record, no release: a decision that
can't be written down is a denial.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Form, Purpose
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome, Stencil, Stencilled
from orthanc_plugin.clock import Clock, Ids, Pulse, Ticks, hospital_day
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import ReleaseRefusedError, UnknownImageError, UnknownRecordError
from orthanc_plugin.policy.asking import AccessRequest as AccessRequest
from orthanc_plugin.policy.asking import Requester as Requester
from orthanc_plugin.policy.casefile import question_as_mapping
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Case, Content, Decision, Effect, Obligation, Request
from orthanc_plugin.policy.reviewing import Review, Under
from orthanc_plugin.registry import breakglass, facts, images, reviews, snapshots, tasks
from orthanc_plugin.registry.breakglass import Grant
from orthanc_plugin.registry.emergencies import Emergency, nameless, overriding, said
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.factversions import Remembered, Shelf
from orthanc_plugin.registry.stored import UnreadableRowError
from orthanc_plugin.registry.trail import append

logger = logging.getLogger(__name__)

Asking = tuple[Requester, str, Content, date]
Permits = Shelf[Asking, "Standing"]
UNTAKEN: Final = "the decision could not be taken or recorded"


@dataclass(slots=True, kw_only=True)
class Standing:
    """A permit that stands for as long as no fact changes; what an entry of the trail says of it is written once."""

    decision: Decision
    case: Case
    sop_class_uid: str
    facts: str = ""  # the digest under which they are kept, once they are
    stencils: dict[str, Stencil] = field(default_factory=dict)  # by door


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The recorded decision on one request; ``decision_id`` finds it again in the trail.

    ``emergency`` is there when the account has a grant for this patient and the ordinary decision keeps the picture in.
    ``case`` is what was decided on; None where nothing could be. ``standing``: the permit, where it may be kept.
    """

    request: AccessRequest
    decision: Decision
    decision_id: str
    emergency: Emergency | None = None
    case: Case | None = None
    standing: Standing | None = None

    @property
    def grant(self) -> Grant | None:
        """Return the grant that opened the picture, if one did."""
        return self.emergency.grant if self.emergency is not None and self.emergency.overrides else None

    @property
    def purpose(self) -> str:
        """Return the purpose that was decided on."""
        return self.request.requester.purpose if self.grant is None else Purpose.EMERGENCY_CARE


class DecisionChangedError(ReleaseRefusedError):
    """A permit no longer holds at the moment in which the release would begin."""

    remedy = "Ask again; the new decision and its reasons are then in the audit trail."


def undecided(reason: str, rule: str = "FAIL_CLOSED") -> Decision:
    """Return the denial for a request that could not be decided at all."""
    return Decision(effect=Effect.DENY, reasons=(reason,), rules=(rule,))


def asked(request: AccessRequest, at: datetime) -> Request:
    """Return the request as the policy reads it; the day is the hospital's, not UTC's."""
    return request.on(hospital_day(at))


class Gate:
    """Decides and records.

    Args:
        database: the registry.
        policy: policy.toml in force.
        clock: gives the present moment.
        ids: gives fresh ids.
        ticks: measures how long the heartbeat is away.
        profiles: gives the profile of a name as it is now.
    """

    def __init__(
        self, database: Database, policy: Policy, clock: Clock, ids: Ids, ticks: Ticks, profiles: Callable[[str], Under]
    ) -> None:
        self.database = database
        self.policy = policy
        self.clock = clock
        self.ids = ids
        self.profiles = profiles
        self.pulse = Pulse(ticks)  # of the thread that watches over the trail and the configuration
        self.permits: Remembered[Asking, Standing] = Remembered(database.undone)
        self._reasons: dict[str, None] = {}

    @property
    def closed(self) -> str | None:
        """Return why every door is shut (the newest reason), or None."""
        unwatched = "the heartbeat has stopped" if self.pulse.stopped else None
        return next(reversed(tuple(self._reasons)), unwatched)

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
            return self.database.write(lambda connection: self.decide(connection, requests))
        except Exception:  # the boundary: whatever failed, the door stays shut
            logger.exception("denied because the decision could not be taken or recorded")
            return tuple(Answer(request=request, decision=undecided(UNTAKEN), decision_id="") for request in requests)

    def decide(
        self, connection: Connection, requests: Sequence[AccessRequest], permits: Permits | None = None
    ) -> tuple[Answer, ...]:
        """Return the decisions, recorded in the write transaction of ``connection``: they count once it is committed.

        ``permits`` is what counts in it, where somebody has looked and no fact was written there since.

        Raises:
            RegistryError: one could not be taken or recorded, so nothing may leave.
        """
        at = self.clock()  # under the lock: what ended while this waited for it has ended
        permits = permits or self.permits.shelf(connection)
        answers = tuple(self.answer(connection, request, at, permits) for request in requests)
        waits = [self._waits(connection, answer) for answer in answers]
        askers = [self._note_asker(connection, *each, at) for each in zip(answers, waits, strict=True)]
        events = [self._entry(connection, answer, at) for answer in answers]
        append(connection, [*chain.from_iterable(askers), *events])
        for each in zip(answers, waits, strict=True):
            self._open_tasks(connection, *each, at)
        return answers

    def confirm(self, connection: Connection, answer: Answer, permits: Permits | None = None) -> Answer:
        """Decide again in the write transaction that records the release, and return what holds now.

        Between a decision and the moment when the copy is ready a withdrawal may have been recorded. ``connection``
        holds the write lock, so none can be from here to the release's own record: a release that is on record before
        a withdrawal began before it, and none begins after.

        Raises:
            DecisionChangedError: it isn't the same permit any more, or it demands more than was met.
        """
        now = self.answer(connection, answer.request, self.clock(), permits)
        demands = set(now.decision.obligations)
        demanded = demands - set(answer.decision.obligations)
        other = Obligation.TAG_PURPOSE in demands and now.decision.consents != answer.decision.consents
        if not now.decision.permits or now.decision.effect is not answer.decision.effect or demanded or other:
            raise DecisionChangedError(f"The decision changed before the release began: {now.decision.effect} now.")
        return replace(now, decision_id=answer.decision_id)

    def refuse(self, requester: Requester, door: str, reason: str, *, rule: str, subject: str = "") -> None:
        """Record a refusal that needed no decision on a picture, such as an unknown route."""
        self.note(self.refusal(requester, door, reason, rule=rule, subject=subject))

    def refusal(self, requester: Requester, door: str, reason: str, *, rule: str, subject: str = "") -> AuditEvent:
        """Return the entry for such a refusal."""
        return AuditEvent(
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

    def note(self, *events: AuditEvent) -> bool:
        """Append ``events`` to the trail; False when that failed, and then nothing may be released."""
        try:
            self.database.write(lambda connection: append(connection, events))
        except Exception:  # the boundary: an unwritten event is a closed door, not a crash
            logger.exception("an event could not be recorded")
            return False
        return True

    def answer(
        self, connection: Connection, request: AccessRequest, at: datetime, permits: Permits | None = None
    ) -> Answer:
        """Return what holds now; nothing is recorded, which is the caller's to do before anything is told."""
        # The same question about the same facts on the same day has the same answer: no permit is worked out again.
        permits = permits or self.permits.shelf(connection)
        key = (request.requester, request.sop_instance_uid, request.content, hospital_day(at))  # whatever the door
        standing = permits.get(key)
        if standing is None or self.closed is not None:
            found = self._answer(connection, request, at)
            if found.standing is not None:
                permits.keep(key, found.standing)
            return found
        decision, case = standing.decision, standing.case
        return Answer(request=request, decision=decision, decision_id=self.ids(), case=case, standing=standing)

    def _answer(self, connection: Connection, request: AccessRequest, at: datetime) -> Answer:
        decision_id, wish = self.ids(), asked(request, at)
        ordinary, case = self._decided(connection, request, wish, decision_id)
        if case is not None and ordinary.effect is Effect.PERMIT_IDENTIFIABLE:
            sop_class_uid, _ = images.stored_as(connection, request.sop_instance_uid) or ("", "")
            standing = Standing(decision=ordinary, case=case, sop_class_uid=sop_class_uid)
            return Answer(request=request, decision=ordinary, decision_id=decision_id, case=case, standing=standing)
        grant = self._grant(connection, request, at)
        if grant is None:
            return Answer(request=request, decision=ordinary, decision_id=decision_id, case=case)
        under_it, emergency_case = self._decided(connection, request, overriding(wish, grant), decision_id)
        emergency = Emergency(grant=grant, under_it=under_it, without=ordinary)
        decision, case = (under_it, emergency_case) if emergency.overrides else (ordinary, case)
        return Answer(request=request, decision=decision, decision_id=decision_id, emergency=emergency, case=case)

    def _grant(self, connection: Connection, request: AccessRequest, at: datetime) -> Grant | None:
        """Return the grant of emergency access that the account has for the picture's patient at this very moment."""
        if not request.requester.signed_in:
            return None
        try:
            row, who = images.get(connection, request.sop_instance_uid), request.requester.actor
            return breakglass.live(connection, who, (row.patient_id, row.issuer), at) if row else None
        except (UnknownRecordError, UnreadableRowError):
            return None  # nobody can tell whose it is, so no grant is for it; the denial is still on record

    def _decided(
        self, connection: Connection, request: AccessRequest, wish: Request, decision_id: str
    ) -> tuple[Decision, Case | None]:
        if self.closed is not None:
            return undecided(f"the gate is closed: {self.closed}", rule="GATE_CLOSED"), None
        try:
            uid, under = request.sop_instance_uid, self.profiles(request.requester.profile)
            case = facts.case(connection, uid, wish, self.policy.switches, decision_id, under)
        except UnknownImageError:
            return undecided("the image is not known to the registry", rule="UNKNOWN_IMAGE"), None
        except UnreadableRowError:
            return undecided("a fact on record can't be read", rule="UNREADABLE"), None
        return decide(case), case

    def _entry(self, connection: Connection, answer: Answer, at: datetime) -> AuditEvent | Stencilled:
        """Return the decision's entry, and keep the facts that it rests on, so that it can be taken again."""
        standing = answer.standing
        if standing is None:
            return self._event(answer, at, snapshots.keep(connection, answer.case) if answer.case else "")
        if standing.facts == "":  # were the transaction undone, the permit would stand no more
            standing.facts = snapshots.keep(connection, standing.case)
        if answer.request.door not in standing.stencils:
            standing.stencils[answer.request.door] = self._event(answer, at, standing.facts).stencil()
        return standing.stencils[answer.request.door].entry(answer.decision_id, at)

    def _event(self, answer: Answer, at: datetime, kept: str) -> AuditEvent:
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
            purpose=answer.purpose,
            effect=decision.effect,
            rules=decision.rules,
            reasons=decision.reasons,
            obligations=tuple(decision.obligations),
            citations=decision.citations,
            consents=decision.consents,
            policy=self.policy.sha256,
            detail=f"recipient {request.requester.recipient} ({request.requester.audience}){said(answer.emergency)}",
            facts=kept,
            request=question_as_mapping(nameless(answer.case, answer.grant)) if answer.case else {},
        )

    def _open_tasks(self, connection: Connection, answer: Answer, waits: bool, at: datetime) -> None:
        """Put what people must do on their lists; for emergency access once, not for each picture."""
        kinds = tasks.DEMANDED & set(answer.decision.obligations)
        if not waits:
            kinds -= {Obligation.VERIFY_RESIDUAL_ID}
        for obligation in sorted(kinds):
            tasks.open_task(
                connection,
                task_id=self.ids(),
                kind=obligation,
                subject=answer.grant.grant_id if answer.grant else answer.request.sop_instance_uid,
                reason="; ".join(answer.decision.reasons),
                at=at,
                not_by=answer.grant.account if answer.grant else None,
            )

    def _waits(self, connection: Connection, answer: Answer) -> bool:
        """Tell whether somebody else must look; that it was exactly these pixels is for the release to check."""
        if Obligation.VERIFY_RESIDUAL_ID not in answer.decision.obligations:
            return False
        if answer.decision.effect is not Effect.PERMIT_ANONYMISED:
            return True
        uid, asker = answer.request.sop_instance_uid, answer.request.requester
        _, sha256 = images.stored_as(connection, uid) or ("", "")
        found = reviews.verdict(connection, uid, sha256, self.profiles(asker.profile))
        return found is None or self.is_own(found, asker)

    def is_own(self, found: Review, asker: Requester) -> bool:
        """Tell whether whoever asks has looked at the picture themselves, where somebody else must have."""
        by_them = (self.policy.one_person(found.reviewer, each) for each in (asker.actor, asker.recipient))
        return self.policy.review.second_person and any(by_them)

    def _note_asker(self, connection: Connection, answer: Answer, waits: bool, at: datetime) -> Iterator[AuditEvent]:
        """Note who asked for an anonymised copy, whatever was decided: they don't look at it for anybody else."""
        request, asker = answer.request, answer.request.requester
        wanted = asker.form is Form.ANONYMISED or answer.decision.effect is Effect.PERMIT_ANONYMISED
        if waits or (wanted and request.content is Content.PIXELS):
            who = (asker.actor, asker.recipient, asker.purpose, asker.profile if waits else "")
            seal = reviews.ask(connection, reviews.Asked(request.sop_instance_uid, *who, at.isoformat()))
            if seal is not None:
                told = self.refusal(asker, request.door, "", rule="", subject=request.sop_instance_uid)
                event, asked_for = EventType.APPLICATION_ACTIVITY, "ANONYMISED_COPY_ASKED_FOR"
                told = replace(told, event=event, effect=asked_for, outcome=Outcome.SUCCESS, rules=(), reasons=())
                yield replace(told, detail=seal)
