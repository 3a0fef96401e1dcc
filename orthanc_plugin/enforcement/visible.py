"""Which pictures a requester may be told of: those whose original could be released to them as they ask.

Knows the gate's decisions and the obligations. Must not know how a query is put or answered. The pictures are decided
on in one transaction and only counts are written to the trail, in one entry, before anything is told. Nobody is told of
a picture of which they may only have an anonymised copy, because its names would identify the patient.

Sources: requirements 2.6 (no door without a decision); PS3.15 A.5.3.10 (Query).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Purpose
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.gate import AccessRequest, Requester
from orthanc_plugin.policy.model import Content, Effect, ImageType
from orthanc_plugin.registry import trail
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.listed import Listed
from orthanc_plugin.release import DOCUMENTS, unmet
from orthanc_plugin.services import Services

MOST: Final = 10_000  # pictures decided on for one query
MOST_GUESSED: Final = 1_000  # of which one may be seen, where a patient's number names them: well under ``pace.FLOOR``
ATTEMPTS: Final = 3
# Entries of the trail that change nothing of what was decided on; after any other the query is decided on again.
HARMLESS: Final = frozenset(
    {
        EventType.ACCESS_CONTROL_DECISION,
        EventType.APPLICATION_ACTIVITY,
        EventType.IMPORT,
        EventType.INSTANCES_ACCESSED,
        EventType.INSTANCES_TRANSFERRED,
        EventType.QUERY,
        EventType.TRANSFER_BEGUN,
    }
)


class QueryRefusedError(ConsentgateError):
    """A query is not answered."""

    remedy = "The reason is in the audit trail: consentgate audit tail."

    def __init__(self, message: str, *, status: int, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, as bound, and through which door.

    Attributes:
        undescribed: nothing is told but how a picture is encoded that was named by its UID; so nothing is disclosed.
    """

    requester: Requester
    binding: Binding
    door: str
    undescribed: bool = False


Pictures = Callable[[Connection], Iterable[Listed]]


def visible(services: Services, viewer: Viewer, pictures: Pictures, *, guessed: bool = False) -> tuple[Listed, ...]:
    """Return those of ``pictures`` that the viewer may be told of.

    A withdrawal that is recorded before the query's own entry counts. Where they were ``guessed``, which is named in a
    way that can be made up from one patient's number, whoever may see none is told of none, however many there are.

    Raises:
        QueryRefusedError: the doors are shut, there are too many, or what is on record keeps changing.
        RegistryError: the decisions could not be taken or the query not be recorded, so nothing may be told.
    """
    for _ in range(ATTEMPTS):
        if services.gate.closed is not None:
            raise refused(services, viewer, f"the gate is closed: {services.gate.closed}", "GATE_CLOSED")
        with services.database.reading() as connection:
            decided_at = trail.length(connection)
            considered = tuple(pictures(connection))
            if guessed and not any(_may_see(services, connection, viewer, row) for row in considered[:MOST_GUESSED]):
                shown: tuple[Listed, ...] = ()
            elif len(considered) > MOST:
                raise too_many(services, viewer)
            else:
                shown = tuple(row for row in considered if _may_see(services, connection, viewer, row))
        with services.database.writing() as connection:
            if HARMLESS.issuperset(trail.events_after(connection, decided_at)):
                trail.append(connection, [_event(services, viewer, len(shown), len(considered) - len(shown))])
                return shown
    raise refused(services, viewer, "what is on record changed while the query was decided on", "DECISION_CHANGED")


def too_many(services: Services, viewer: Viewer) -> QueryRefusedError:
    """Record that a query would take in more pictures than are decided on at once, and return the error."""
    services.gate.refuse(viewer.requester, viewer.door, f"more than {MOST} pictures match", rule="TOO_MANY")
    return QueryRefusedError(
        f"More than {MOST} pictures would have to be decided on.", status=413, remedy="Narrow the query."
    )


def refused(services: Services, viewer: Viewer, reason: str, rule: str) -> QueryRefusedError:
    """Record why a query can't be answered now, and return the error."""
    services.gate.refuse(viewer.requester, viewer.door, reason, rule=rule)
    return QueryRefusedError("The query can't be answered now.", status=503)


def _may_see(services: Services, connection: Connection, viewer: Viewer, row: Listed) -> bool:
    """Tell whether the original could be released, with nothing on record but this query.

    It keeps counts, so it is no record of a disclosure.
    """
    of_records = viewer.requester.purpose == Purpose.RECORDS_MANAGEMENT  # R4: what is kept, never the picture
    request = AccessRequest(
        requester=viewer.requester,
        sop_instance_uid=row.sop_instance_uid,
        door=viewer.door,
        content=Content.METADATA if of_records else Content.PIXELS,
    )
    answer = services.gate.answer(connection, request, services.clock())
    if answer.decision.effect is not Effect.PERMIT_IDENTIFIABLE:
        return False
    if not answer.decision.obligations and not row.sop_class_uid.startswith(DOCUMENTS):
        return True
    context = services.context_in(connection, answer, viewer.binding)
    told = replace(context, recordable=viewer.undescribed, as_stored=True, undepicted=of_records)
    if context.others is not None:  # a list shows nobody; the picture is there to be asked for as a copy
        told = replace(told, alone=True, others=None)
    return not unmet(answer.decision, told)


def may_leave(services: Services, connection: Connection, viewer: Viewer, sop_instance_uid: str) -> bool:
    """Tell whether a picture could be released in whatever form; nothing is recorded, so nothing may leave by this."""
    request = AccessRequest(requester=viewer.requester, sop_instance_uid=sop_instance_uid, door=viewer.door)
    answer = services.gate.answer(connection, request, services.clock())
    permits = answer.decision.permits
    return permits and not unmet(answer.decision, services.context_in(connection, answer, viewer.binding))


def without_key_objects(services: Services, viewer: Viewer, rows: Sequence[ImageRow]) -> tuple[ImageRow, ...]:
    """Return what a patient, study or series has for the viewer: all of it but key objects that they may not have.

    Any workstation can add a key object, which is no part of what was photographed. Everything else stays, refused or
    not: nobody is given half of a study unasked.
    """
    with services.database.reading() as connection:
        return tuple(
            row
            for row in rows
            if row.image_type is not ImageType.KEY_OBJECT
            or may_leave(services, connection, viewer, row.sop_instance_uid)
        )


def _event(services: Services, viewer: Viewer, shown: int, withheld: int) -> AuditEvent:
    requester = viewer.requester
    return AuditEvent(
        id=services.ids(),
        at=services.clock(),
        event=EventType.QUERY,
        outcome=Outcome.SUCCESS,
        actor=requester.actor,
        address=requester.address,
        door=viewer.door,
        purpose=requester.purpose,
        policy=services.policy.sha256,
        detail=f"{shown} pictures shown, {withheld} withheld",
    )
