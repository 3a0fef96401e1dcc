"""A key object that asks for an export: what is queued, what waits for somebody, what can't go and why.

Knows how a request becomes rows of the outbox, and how they stand. Must not know who may ask (``keyobjects`` does). It
opens nothing: what is queued is decided on, picture by picture, when it is sent; what is said before that is what would
be decided now.

Sources: PS3.16 CID 7010; IHE Teaching File and Clinical Trial Export; requirements 2.6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from dicomwrap.keyobjects import KeyObject
from dicomwrap.terms import Form, Purpose
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.bindings import Destination
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.routing import queue_for
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.keyobjects import KeyObjectTask
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, Obligation, Recipient, Request
from orthanc_plugin.policy.reviewing import Under
from orthanc_plugin.policy.routing import Trigger, matching
from orthanc_plugin.registry import facts, images, keyobjects, reviews, routable, tasks
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.keyobjects import Came, Send
from orthanc_plugin.registry.outbox import State
from orthanc_plugin.registry.stored import UnreadableRowError
from orthanc_plugin.registry.trail import append

Profiles = Callable[[str], Under]
PARTLY: Final = "only a part of it was asked for, and pictures leave whole"
GONE: Final = "it is not here any more"
UNSEEN: Final = "somebody must look at it first"


@unique
class Standing(StrEnum):
    """How the request for one picture stands."""

    QUEUED = "queued"
    WAITING = "waiting for review"
    REFUSED = "refused"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    FAILED = "not sent"


RANK: Final = (Standing.QUEUED, Standing.WAITING, Standing.REFUSED)
ENDED: Final = {
    State.DELIVERED: Standing.DELIVERED,
    State.CANCELLED: Standing.CANCELLED,
    State.DEAD: Standing.FAILED,
    State.REFUSED: Standing.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How the request for one picture stands, towards one recipient or none, and why."""

    sop_instance_uid: str
    standing: Standing
    recipient: str = ""
    reason: str = ""


def ask(
    connection: Connection,
    act: Act,
    found: KeyObject,
    rows: Sequence[ImageRow],
    purpose: Purpose,
    sender: str,
    profiles: Profiles,
) -> int:
    """Queue the pictures for the routes of a purpose; return how many rows of the outbox wait that didn't.

    What can't go, or waits for somebody, is put on a list.
    """
    whole = tuple(row for row in rows if row.sop_instance_uid not in found.partial)
    queued = queue_for(connection, act, whole, Trigger.KEY_OBJECT, purpose)
    outlooks = {row.sop_instance_uid: tuple(_outlooks(connection, act, row, purpose, profiles)) for row in whole}
    expected = [_best(of_it, uid) for uid, of_it in outlooks.items()]
    for each in chain.from_iterable(outlooks.values()):
        _note_asker(connection, act, each, sender)
    partly = (Outlook(sop_instance_uid=uid, standing=Standing.REFUSED, reason=PARTLY) for uid in sorted(found.partial))
    told = tuple(_counted((*expected, *partly)))
    if told:
        reason = f"{purpose} was asked for by {sender}: {'; '.join(told)}"
        kind, subject = KeyObjectTask.EXPORT_REQUESTED, found.sop_instance_uid
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=subject, reason=reason, at=act.at)
    return queued


def _counted(expected: Sequence[Outlook]) -> Iterator[str]:
    """Say what won't go by itself, each reason once; nothing of a request that all goes."""
    counts = Counter((each.standing, each.reason) for each in expected)
    if any(standing is not Standing.QUEUED for standing, _ in counts):
        for standing, reason in sorted(counts):
            yield f"{counts[standing, reason]} {standing}{f' ({reason})' if reason else ''}"


def standings(connection: Connection, act: Act, came: Came, profiles: Profiles) -> tuple[Outlook, ...]:
    """Return how the request for each picture stands now: by what was sent, else by what would be decided."""
    purpose, found = Purpose(came.purpose), []
    sends = keyobjects.sends(connection, came.pictures, purpose)
    for uid in came.pictures:
        row = images.get(connection, uid)
        expected = tuple(_outlooks(connection, act, row, purpose, profiles)) if row else ()
        by_recipient = {each.recipient: each for each in expected}
        of_it = [each for each in sends if each.sop_instance_uid == uid]
        found += [_stands(each, by_recipient.get(each.recipient)) for each in of_it] or [
            _best(expected, uid) if row else Outlook(sop_instance_uid=uid, standing=Standing.REFUSED, reason=GONE)
        ]
    return tuple(found)


def _stands(send: Send, expected: Outlook | None) -> Outlook:
    """Return how one row of the outbox stands; what is refused because nobody has looked yet waits."""
    told = Outlook(
        sop_instance_uid=send.sop_instance_uid,
        standing=ENDED.get(send.state, Standing.QUEUED),
        recipient=send.recipient,
        reason=send.reason,
    )
    if expected is not None and told.standing is Standing.QUEUED:  # not sent yet: as it would be decided now
        return expected
    if expected is not None and (told.standing, expected.standing) == (Standing.REFUSED, Standing.WAITING):
        return expected
    return told


def _best(outlooks: Sequence[Outlook], uid: str) -> Outlook:
    """Return the most hopeful of the outlooks of one picture; without a route there is none."""
    none = Outlook(sop_instance_uid=uid, standing=Standing.REFUSED, reason="no route is for it")
    return min(outlooks, key=lambda each: RANK.index(each.standing), default=none)


def _outlooks(
    connection: Connection, act: Act, row: ImageRow, purpose: Purpose, profiles: Profiles
) -> Iterator[Outlook]:
    """Give what would be decided now for each recipient that a route has the picture sent to."""
    for recipient in _recipients(connection, act, row, purpose):
        standing, reason = _outlook(connection, act, row, recipient, profiles)
        yield Outlook(sop_instance_uid=row.sop_instance_uid, standing=standing, recipient=recipient.name, reason=reason)


def _recipients(connection: Connection, act: Act, row: ImageRow, purpose: Purpose) -> Iterator[Destination]:
    for fact in routable.routed(connection, (row,), Trigger.KEY_OBJECT, purpose):
        for each in matching(act.policy.routes, fact, act.at):
            found = act.policy.recipient(each.route.recipient) if each.matches else None
            if found is not None:
                yield found


def _outlook(
    connection: Connection, act: Act, row: ImageRow, recipient: Destination, profiles: Profiles
) -> tuple[Standing, str]:
    if recipient.expired(act.day):
        return Standing.REFUSED, f"the recipient {recipient.name} has expired"
    under = profiles(recipient.profile or "")
    try:
        decision = decide(
            facts.case(
                connection,
                row.sop_instance_uid,
                _wish(act, recipient),
                act.policy.switches,
                row.sop_instance_uid,
                under,
            )
        )
    except UnreadableRowError:
        return Standing.REFUSED, "a fact on record can't be read"
    return _told(connection, row, decision, under)


def _wish(act: Act, recipient: Destination) -> Request:
    to = Recipient(type=recipient.audience, id=recipient.name, verified=True, approved_channel=True)
    identifiable = recipient.form is Form.IDENTIFIABLE
    return Request(as_of=act.day, purpose=recipient.purpose, recipient=to, identifiable=identifiable)


def _told(connection: Connection, row: ImageRow, decision: Decision, under: Under) -> tuple[Standing, str]:
    if decision.effect is Effect.NEEDS_REVIEW:
        return Standing.WAITING, "; ".join(decision.reasons)
    if not decision.permits:
        return Standing.REFUSED, "; ".join(decision.reasons)
    if Obligation.VERIFY_RESIDUAL_ID in decision.obligations:
        verdict = reviews.verdict(connection, row.sop_instance_uid, row.sha256, under)
        if verdict is None or verdict.outcome is not Anonymisable.YES:
            return Standing.WAITING, UNSEEN
    return Standing.QUEUED, ""


def _note_asker(connection: Connection, act: Act, outlook: Outlook, sender: str) -> None:
    """Note who asked for anonymised copies: they don't look at the picture for anybody else."""
    recipient = act.policy.recipient(outlook.recipient)
    if recipient is None or recipient.form is not Form.ANONYMISED:
        return
    profile = recipient.profile or "" if outlook.standing is Standing.WAITING else ""
    who = (sender, recipient.name, recipient.purpose, profile)
    seal = reviews.ask(connection, reviews.Asked(outlook.sop_instance_uid, *who, act.at.isoformat()))
    if seal is not None:
        kind, effect = EventType.APPLICATION_ACTIVITY, "ANONYMISED_COPY_ASKED_FOR"
        append(connection, [act.event(kind, effect, subject=outlook.sop_instance_uid, detail=seal)])
