"""Holds as people place and lift them.

Knows that somebody else lifts a hold than placed it, and which entry of the trail goes with each; that a hold which
would reach nobody by a slip of the pen isn't placed. Must not know how one reaches a record. An entry names the hold,
its kind and how many patients it lists; never who they are.

Sources: the draft rule set's ``holds.release`` (authority, reason, a different person); T-7.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import retaining, scheduling
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import holds, images, patients, retentionschedules
from orthanc_plugin.registry.holds import IncompleteHoldError, Order, Recorded
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.retentiongather import Around, gather
from orthanc_plugin.registry.trail import append


def place(connection: Connection, act: Act, order: Order, *, to_come: bool = False) -> Recorded:
    """Place a hold; it counts from the next time that a record is looked at.

    Args:
        connection: of the write transaction.
        act: who places it.
        order: what it says.
        to_come: numbers that aren't on record are meant.

    Raises:
        IncompleteHoldError: with everything that is missing, or would hold nobody by mistake.
    """
    if problems := (*holds.gaps(order, act.day), *_mistakes(connection, order, to_come=to_come)):
        raise IncompleteHoldError("The hold can't be placed yet.", problems=problems)
    found = holds.place(connection, order, hold_id=act.ids(), by=act.by, at=act.at)
    _tell(connection, act, "HOLD_PLACED", found)
    return found


def lift(connection: Connection, act: Act, hold_id: str, authority: str, reason: str) -> Recorded:
    """Lift a hold; never by who placed it. What it held is looked at anew.

    Raises:
        UnnamedPersonError: policy.toml doesn't know whoever acts.
        UnknownRecordError: there is no such hold.
        IllegalTransitionError: it is lifted already, or the same person placed it.
        IncompleteHoldError: without an authority or a reason.
    """
    if act.policy.one_person(holds.get(connection, hold_id).placed_by, act.by):
        raise IllegalTransitionError(
            "Whoever placed a hold can't lift it.", remedy="Have somebody else look whether it is still needed."
        )
    act.require_named()
    found = holds.lift(connection, hold_id, authority=authority, reason=reason, by=act.by, at=act.at)
    _tell(connection, act, "HOLD_LIFTED", found)
    return found


def reached(connection: Connection, found: Recorded, act: Act) -> tuple[int, int]:
    """Return how many patients and records (studies) a hold is on now."""
    rows = _listed(connection, found.order) if found.order.population.empty else _met(connection, found, act)
    whose, studies = set[Key](), set[str]()
    for row in rows:
        whose.add((row.patient_id, row.issuer))
        studies.add(row.study_instance_uid)
    return len(whose), len(studies)


def _mistakes(connection: Connection, order: Order, *, to_come: bool) -> Iterator[str]:
    """Say where it names patients or categories that nobody knows; never which patients."""
    known = (not who[0] or patients.find(connection, *who) is not None for who in order.patients)
    strange = [str(place) for place, on_record in enumerate(known, 1) if not on_record]
    if strange and not to_come:
        yield (
            f"patients: not on record: number(s) {', '.join(strange)} of those named; look at signs, case and issuer, "
            "or say --not-on-record"
        )
    standing = retentionschedules.active(connection)
    categories = scheduling.in_force(connection).categories if standing else order.population.categories or frozenset()
    words = {word.casefold() for word in categories}
    for word in sorted(order.population.categories or ()):
        if word.casefold() not in words:
            yield f"categories: {word!r} is not in the schedule, which knows {', '.join(sorted(categories))}"


def _listed(connection: Connection, order: Order) -> Iterator[ImageRow]:
    for who in order.patients:
        for number, issuer in patients.person(connection, who)[1] if patients.find(connection, *who) else (who,):
            found = images.find(connection, images.Subject.PATIENT_ID, (number,), issuer=issuer)
            yield from (row for row in found if row.status is not ImageStatus.DISPOSED)


def _met(connection: Connection, found: Recorded, act: Act) -> Iterator[ImageRow]:
    standing = retentionschedules.active(connection)
    schedule = scheduling.in_force(connection) if standing else Schedule(version="", jurisdiction="", rules=())
    shared = Around(day=act.day, schedule=schedule, stale=(), holds=(found,), requests=())
    for _, pictures in retaining.studies(connection):
        yield from (row for row in pictures if gather(connection, row, shared).holds)


def _tell(connection: Connection, act: Act, effect: str, found: Recorded) -> None:
    reached = "a population" if not found.order.population.empty else f"{len(found.order.patients)} patient(s)"
    event = act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        effect,
        subject=found.hold_id,
        reasons=(found.order.kind, reached),
        detail=holds.seal(connection, found.hold_id),
    )
    append(connection, [event])
