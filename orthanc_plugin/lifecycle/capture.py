"""A capture that is stopped: nothing of it is filed from then on, and the patient's refusal is on record.

Knows what becomes of the study's pictures: unfiled ones are deleted and their events kept, later ones are refused at
intake, filed ones stay, because they are part of the record, and information governance is asked about them.

Sources: requirements 000-34e (distress or objection), 002-26a (withdrawal while the picture is being taken), 2.3; GMC
recordings 34.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError
from orthanc_plugin.lifecycle import refusal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.unfiled import deleted
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import captures, images, patients, quarantine, tasks
from orthanc_plugin.registry.captures import Stop, StopKind
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.quarantine import Held
from orthanc_plugin.registry.trail import append


class UnknownPatientError(ConsentgateError):
    """It can't be told whose refusal it is."""

    remedy = "Give the patient's number and its issuer (--patient-id, --issuer); nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What a stop came to: ``spool_names`` are dropped once the transaction is committed."""

    stop: Stop
    consent_id: str
    deleted: tuple[str, ...]
    filed: tuple[str, ...]
    spool_names: tuple[str, ...]


def stop(
    connection: Connection,
    act: Act,
    study_instance_uid: str,
    kind: StopKind,
    reason: str,
    *,
    patient: tuple[str, str] | None = None,
) -> Stopped:
    """Stop the capture of a study; ``patient`` (number and issuer) is needed when nothing of it has arrived yet.

    Raises:
        IllegalTransitionError: no reason is given, or the capture was stopped for the same before.
        UnknownPatientError: it can't be told whose refusal it is, or ``patient`` isn't whose the objects are.
    """
    if not reason.strip():
        raise IllegalTransitionError("A capture is stopped with a reason.", remedy="Say what happened.")
    if captures.was_stopped_for(connection, study_instance_uid, kind):
        raise IllegalTransitionError(
            "The capture of this study was stopped for this before.", remedy="Nothing more is needed."
        )
    filed = images.find(connection, Subject.STUDY_INSTANCE_UID, (study_instance_uid,))
    unfiled = quarantine.unfiled(connection, study_instance_uid)
    refused_by = _patient(connection, filed, unfiled, patient)
    made = recorded(connection, act, study_instance_uid, kind, reason)
    gone = [held for held in unfiled if deleted(connection, act, held, f"CAPTURE_STOPPED: {kind}")]
    refusal_record = refusal.of_study(connection, act, refused_by, study_instance_uid)
    if filed:
        _refuse_filed(connection, act, filed)
        _ask_about(connection, act, study_instance_uid, len(filed))
    in_archive = [row.sop_instance_uid for row in filed]
    return Stopped(
        stop=made,
        consent_id=refusal_record.id,
        deleted=tuple(held.sop_instance_uid for held in gone if held.sop_instance_uid not in in_archive),
        filed=tuple(in_archive),
        spool_names=tuple(held.spool_name for held in gone),
    )


def _refuse_filed(connection: Connection, act: Act, filed: list[ImageRow]) -> None:
    """Refuse what is filed picture by picture, under the number that each bears.

    The study's refusal alone would be outranked by a consent to one picture or series of it (R6).
    """
    for patient in sorted(_named(filed)):  # what names nobody is shut anyway
        uids = tuple(row.sop_instance_uid for row in filed if (row.patient_id, row.issuer) == patient)
        refusal.of_pictures(connection, act, patient, uids)


def _named(objects: Sequence[ImageRow | Held]) -> set[tuple[str, str]]:
    """Return whose the objects say they are; one that names nobody says nothing."""
    return {(each.patient_id, each.issuer) for each in objects if each.patient_id and each.issuer}


def _patient(
    connection: Connection, filed: list[ImageRow], unfiled: list[Held], told: tuple[str, str] | None
) -> tuple[str, str]:
    """Return whose study it is: as all its objects say in one voice, or as was ``told``, if none contradicts."""
    named = _named(filed) or _named(unfiled)
    if told is not None:
        if named and named.isdisjoint(patients.numbers(connection, told)):
            raise UnknownPatientError(
                "The objects of this study are another patient's.", remedy="Give the number that they bear."
            )
        return told
    if len(named) != 1:
        raise UnknownPatientError("The objects of this study don't say whose it is.")
    return named.pop()


def recorded(connection: Connection, act: Act, study_instance_uid: str, kind: StopKind, reason: str) -> Stop:
    """Record that the study takes nothing more; what has arrived is the caller's to deal with."""
    made = Stop(
        stop_id=act.ids(),
        study_instance_uid=study_instance_uid,
        kind=kind,
        reason=reason.strip(),
        stopped_at=act.at,
        stopped_by=act.by,
    )
    seal = captures.record(connection, made)
    event = act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        "CAPTURE_STOPPED",
        subject=study_instance_uid,
        reasons=(kind,),
        detail=seal,
    )
    append(connection, [event])
    return made


def _ask_about(connection: Connection, act: Act, study_instance_uid: str, count: int) -> None:
    tasks.open_task(
        connection,
        task_id=act.ids(),
        kind=Obligation.IG_REVIEW,
        subject=study_instance_uid,
        reason=f"the capture was stopped when {count} picture(s) of it had been filed",
        at=act.at,
    )
