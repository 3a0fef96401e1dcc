"""What is told of pictures that a request named and that don't leave: how many, why, and by which decisions.

Knows resources and refusals. Names nothing but what the request named. Where that can be made up from a patient's
number and nothing of it leaves, the answer is the same whether or not there is such a patient: that somebody was
photographed here is itself confidential.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.enforcement.reply import FORBIDDEN, CallError, Reply
from orthanc_plugin.enforcement.resources import Named
from orthanc_plugin.enforcement.visible import MOST_GUESSED, Viewer, may_leave, without_key_objects
from orthanc_plugin.gate import AccessRequest
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.sending.packing import Refusal
from orthanc_plugin.services import Services

MOST_NAMES: Final = 100
NOTHING: Final = "nothing of it is known here, or nothing of it may leave for this purpose"
REMEDY: Final = "Ask for what the patient has consented to; the decisions are explained by 'consentgate explain'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """What stays of one named resource; ``pictures`` is None where not even their number is told."""

    named: Named
    pictures: int | None
    decisions: tuple[str, ...]
    reasons: tuple[str, ...]

    def told(self) -> dict[str, object]:
        """Return it by the resource's place among those named."""
        number = {} if self.pictures is None else {"pictures": self.pictures}
        why = {"reasons": list(self.reasons), "decisions": list(self.decisions)}
        return {"named": self.named.position, **number, **why}

    def told_by_name(self) -> dict[str, object]:
        """Return it by the resource's name: for whoever named it, not for what travels on with the pictures."""
        return {"resource": self.named.resource, **self.told()}


def remaining(services: Services, viewer: Viewer, resources: Iterable[Named]) -> tuple[Named, ...]:
    """Return the resources without key objects that the viewer may not have, unless they are named themselves.

    One that has nothing else is like one that nobody knows.
    """
    return tuple(
        named if named.subject is Subject.INSTANCE else _without_key_objects(services, viewer, named)
        for named in resources
    )


def _without_key_objects(services: Services, viewer: Viewer, named: Named) -> Named:
    rows = without_key_objects(services, viewer, named.rows)
    return replace(named, rows=rows, subject=named.subject if rows or not named.rows else None)


def kept_whole(services: Services, viewer: Viewer, resources: Iterable[Named]) -> dict[str, Refusal]:
    """Return, by name, a refusal for each that can be made up from a patient's number and of which nothing may leave.

    Each is on record by one decision, on the first of its pictures if it has any, so that it takes no longer for many.

    Raises:
        CallError: too many such names to answer them in the same time whoever is a patient.
        RegistryError: nothing can be decided now.
    """
    guessable = [named for named in resources if named.guessable and (named.rows or named.subject is None)]
    if len(guessable) > MOST_NAMES:
        raise CallError(
            f"More than {MOST_NAMES} patients, or unknown resources, are named.", remedy="Name their studies."
        )
    with services.database.reading() as connection:
        staying = list(_staying(services, connection, viewer, guessable))
    refusals = _on_record(services, viewer, [each.rows[0].sop_instance_uid if each.rows else "" for each in staying])
    return dict(zip((named.resource for named in staying), refusals, strict=True))


def _staying(services: Services, connection: Connection, viewer: Viewer, guessable: Iterable[Named]) -> Iterator[Named]:
    left = MOST_GUESSED
    for named in guessable:
        rows, left = named.rows[:left], max(left - len(named.rows), 0)
        if not any(may_leave(services, connection, viewer, row.sop_instance_uid) for row in rows):
            yield named


def _on_record(services: Services, viewer: Viewer, names: Sequence[str]) -> Iterator[Refusal]:
    """Record the decision on each picture; '' is one that the registry doesn't know.

    A permit can be among them, whose obligations can't be met.
    """
    requester, door, gate = viewer.requester, viewer.door, services.gate
    requests = [AccessRequest(requester=requester, sop_instance_uid=name, door=door) for name in names]
    for answer in gate.authorize_all(requests) if requests else ():
        if answer.decision.permits:
            gate.refuse(requester, door, NOTHING, rule="OBLIGATION_UNMET", subject=answer.request.sop_instance_uid)
        yield Refusal(decision_id=answer.decision_id, reasons=(NOTHING,))


def withheld(named: Named, refusals: Sequence[Refusal], *, left: int) -> Withheld | None:
    """Return what is told of the refused pictures behind ``named``; None when there are none.

    Args:
        named: the resource.
        refusals: the pictures that stay.
        left: how many pictures of it have left.
    """
    if not refusals:
        return None
    decisions = tuple(each.decision_id for each in refusals)
    if named.guessable and not left:
        return Withheld(named=named, pictures=None, decisions=decisions[:1], reasons=(NOTHING,))
    reasons = dict.fromkeys(reason for each in refusals for reason in each.reasons)
    return Withheld(named=named, pictures=len(refusals), decisions=decisions, reasons=tuple(reasons))


def nothing_leaves(stays: Iterable[Withheld], message: str) -> Reply:
    """Return the answer when all that was named stays."""
    payload = {"error": message, "refused": [each.told_by_name() for each in stays], "remedy": REMEDY}
    return Reply(status=FORBIDDEN, payload=payload)
