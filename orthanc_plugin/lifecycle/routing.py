"""What happens to pictures, told to the routes: what they match is queued, and what mustn't be sent is cancelled.

Knows which pictures an event concerns, and that a queued row is only a wish: whether a picture may leave is decided
when it is sent. Must not know how anything is sent. All of it is done in the transaction of the event.

A picture counts as stable once its series is. What was on its way to that when the archive stopped is looked at again
at the next start: everything that came since a day before the last look, and no more, so that a new route does not send
what the archive has had for years.

Sources: architecture 4 (triggers, outbox); enforcement 3.6 (a crash loses the changes that nobody has seen);
requirements 2.9 (what is queued is cancelled with the consent).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, select

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import ConsentState, Purpose, purposes_named
from orthanc_plugin.lifecycle import covered
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Anonymisable, ImageStatus
from orthanc_plugin.policy.reviewing import Review
from orthanc_plugin.policy.routing import Matched, Trigger, matching
from orthanc_plugin.registry import images, keyobjects, marks, outbox, patients, routable
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.marks import STABLE
from orthanc_plugin.registry.outbox import Queued
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.tables import images as table

# A person's new word, or their request, asks again even for what was cancelled.
REVIVING: Final = frozenset({Trigger.CONSENT, Trigger.KEY_OBJECT})
# What a key object asked for once may now go, though its route looks at nothing but key objects.
ANSWERS: Final = frozenset({Trigger.CONSENT, Trigger.REVIEW, Trigger.RELEASED})
LOOK_BACK: Final = timedelta(days=1)  # longer than a series takes to become stable


def queue_for(
    connection: Connection, act: Act, pictures: Sequence[ImageRow], trigger: Trigger, purpose: Purpose | None = None
) -> int:
    """Queue pictures for every route that matches; return how many rows wait that didn't.

    Args:
        connection: open write transaction.
        act: what happened, when, under which policy.
        pictures: the registry's rows; those that aren't active are left out.
        trigger: what happened.
        purpose: what a key object asks for.
    """
    if not act.policy.routed:
        return 0
    active = tuple(row for row in pictures if row.status is ImageStatus.ACTIVE)
    facts, routes = routable.routed(connection, active, trigger, purpose), act.policy.routes
    wanted = (
        each
        for row, fact in zip(active, facts, strict=True)
        for each in _wanted(row, trigger, matching(routes, fact, act.at))
    )
    queued = outbox.queue(connection, wanted, act.at, revive=trigger in REVIVING)
    if trigger not in ANSWERS:
        return queued
    return queued + keyobjects.rearm(connection, [row.sop_instance_uid for row in active], act.at)


def _wanted(row: ImageRow, trigger: Trigger, found: Sequence[Matched]) -> Iterator[Queued]:
    for each in found:
        if each.matches:
            yield Queued(
                route=each.route.name,
                recipient=each.route.recipient,
                purpose=each.route.purpose,
                sop_instance_uid=row.sop_instance_uid,
                study_instance_uid=row.study_instance_uid,
                priority=each.route.priority,
                cause=trigger,
            )


def queue_stable(connection: Connection, act: Act, orthanc_series: str) -> int:
    """Queue the pictures of a series that has become stable."""
    if not act.policy.routed:
        return 0
    marks.mark(connection, STABLE, act.at)
    return queue_for(connection, act, images.find(connection, Subject.SERIES, (orthanc_series,)), Trigger.STABLE)


def catch_up(connection: Connection, act: Act) -> int:
    """Queue what may have become stable while nobody looked; the first look of all queues nothing."""
    if not act.policy.routed:
        return 0
    last = marks.marked(connection, STABLE)
    marks.mark(connection, STABLE, act.at)
    if last is None:
        return 0
    since = select(table.c.sop_instance_uid).where(table.c.received_at >= (last - LOOK_BACK).isoformat())
    names = tuple(connection.execute(since).scalars())
    found = (images.find(connection, Subject.SOP_INSTANCE_UID, each) for each in pieces(names))
    return sum(queue_for(connection, act, rows, Trigger.STABLE) for rows in found)


def queue_given(connection: Connection, act: Act, record: ConsentRecord) -> int:
    """Queue what a consent covers that is in force from now on."""
    if record.state is not ConsentState.GIVEN or not act.policy.routed:
        return 0
    return queue_for(connection, act, covered.pictures(connection, record), Trigger.CONSENT)


def queue_picture(connection: Connection, act: Act, sop_instance_uid: str, trigger: Trigger) -> int:
    """Queue one picture."""
    return queue_for(connection, act, images.find(connection, Subject.SOP_INSTANCE_UID, (sop_instance_uid,)), trigger)


def queue_reviewed(connection: Connection, act: Act, review: Review) -> int:
    """Queue a picture that somebody confirmed may leave without the patient's identity."""
    if review.outcome is not Anonymisable.YES:
        return 0
    return queue_picture(connection, act, review.sop_instance_uid, Trigger.REVIEW)


def cancel_taken(
    connection: Connection, act: Act, pictures: Collection[str], purposes: Collection[str], reason: str
) -> int:
    """Cancel what is queued of these pictures for purposes (none: all) that the patient no longer agrees to."""
    named = purposes_named(frozenset(purposes)) if purposes else None
    return outbox.cancel(connection, reason, act.at, pictures=pictures, purposes=named)


def cancel_patients(connection: Connection, act: Act, reason: str, *patient: Key) -> int:
    """Cancel what is queued of patients, under every number they are known by: it isn't sure any more who they are."""
    keys = {number for each in patient for number in (each, *patients.numbers(connection, each))}
    return sum(outbox.cancel(connection, reason, act.at, patient=each) for each in sorted(keys))
