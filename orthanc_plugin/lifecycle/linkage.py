"""Linkage: stop anonymised studies of one patient from adding up until somebody has looked, and record that they have.

Knows who has to look, and how it is told. Must not count (``policy.linkage``). The check runs in the transaction that
records the release, so no two releases slip past it together. Source: requirements 002-60.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Audience
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Ids
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import IllegalTransitionError, ReleaseRefusedError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.linkage import TASK, Copy, needs_review, overlap
from orthanc_plugin.registry import linkage, tasks
from orthanc_plugin.registry.linkage import LinkageReview
from orthanc_plugin.registry.trail import append

REASON: Final = "so much of this patient is out in anonymised form that together it could tell who it is"


class LinkageError(ReleaseRefusedError):
    """One study more could tell, together with what is out, who the patient is.

    Args:
        picture: the one that was refused.
    """

    remedy = "Somebody else looks at what is out: 'consentgate task list', then 'consentgate linkage permit'."

    def __init__(self, picture: str) -> None:
        super().__init__(f"{TASK}: {REASON}.")
        self.picture = picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """An anonymised copy that is about to leave: of which picture, under which profile's digest, for whom."""

    picture: str
    profile: str
    audience: Audience


def check(connection: Connection, policy: Policy, leaving: Leaving, at: datetime) -> None:
    """Refuse a copy that would be one too many.

    Raises:
        LinkageError: it would be.
    """
    limit = policy.linkage.limit
    whose, study = linkage.of_whom(connection, leaving.picture)
    audiences, settled = _audiences(policy), linkage.settled_at(connection, whose)
    since = at - limit.window if settled is None else max(at - limit.window, settled)
    same = linkage.left_to(connection, whose, study, leaving.profile, since)
    if same is not None and overlap(audiences.get(same), leaving.audience):  # whoever may see this has seen as much
        return
    left = linkage.left(connection, whose, at - limit.window)
    if len(left) < limit.releases:  # whoever they went to
        return
    released = (
        Copy(
            study=each.study,
            profile=each.profile,
            audience=audiences.get((each.recipient, each.purpose)),
            at=each.at,
        )
        for each in left
    )
    asked = Copy(study=study, profile=leaving.profile, audience=leaving.audience, at=at)
    if needs_review(released, asked, limit, settled):
        raise LinkageError(leaving.picture)


def _audiences(policy: Policy) -> dict[tuple[str, str], Audience]:
    """Return who a recipient of the ledger is, for each purpose that it is bound to by the policy in force."""
    return {(each.name, each.purpose): each.audience for each in policy.bindings}


def ask(connection: Connection, ids: Ids, picture: str, asker: str, recipient: str, at: datetime) -> None:
    """Put the review on somebody's list, once for a patient; nobody who asks meanwhile may settle it."""
    whose, _ = linkage.of_whom(connection, picture)
    task_id = linkage.open_task(connection, whose)
    if task_id is None:
        task_id = ids()
        tasks.open_task(connection, task_id=task_id, kind=TASK, subject=picture, reason=REASON, at=at, not_by=asker)
    seals = linkage.note_refused(connection, task_id, (asker, recipient))
    append(connection, [_refused(ids(), at, asker, picture, seal) for seal in seals])


def _refused(event_id: str, at: datetime, asker: str, picture: str, seal: str) -> AuditEvent:
    return AuditEvent(
        id=event_id,
        at=at,
        event=EventType.APPLICATION_ACTIVITY,
        outcome=Outcome.REFUSED,
        actor=asker,
        door="linkage",
        subject=picture,
        effect=TASK,
        detail=seal,
    )


def permit(connection: Connection, act: Act, task_id: str, note: str) -> LinkageReview:
    """Let as many studies of the patient leave again as the policy says, because somebody has looked.

    Raises:
        UnknownRecordError: there is no such task.
        IllegalTransitionError: it is another kind of task, is closed, has no note, or ``act.by`` was refused.
        UnnamedPersonError: policy.toml doesn't know ``act.by``.
    """
    task = tasks.get(connection, task_id)
    if task["kind"] != TASK:
        raise IllegalTransitionError("The task is no linkage review.", remedy="See 'consentgate linkage list'.")
    if any(act.policy.one_person(name, act.by) for name in linkage.refused(connection, task_id)):
        raise IllegalTransitionError(
            "Whoever asked for the pictures doesn't settle their review.", remedy="Have somebody else look."
        )
    act.require_named()
    tasks.close(connection, task_id, by=act.by, at=act.at, note=note, one_person=act.policy.one_person)
    (kept, *_), _ = linkage.of_whom(connection, str(task["subject"]))
    review = LinkageReview(
        review_id=act.ids(),
        patient_id=kept[0],
        issuer=kept[1],
        note=note.strip(),
        settled_at=act.at,
        settled_by=act.by,
    )
    seal = linkage.record(connection, review)
    told = act.event(EventType.APPLICATION_ACTIVITY, "LINKAGE_PERMITTED", subject=str(task["subject"]), detail=seal)
    append(connection, [told])
    return review
