"""The list of what is held in the quarantine spool, and why.

Knows rows. The bytes are in ``registry.spool``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final, Never, cast

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, update

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import flag
from orthanc_plugin.registry.tables import quarantine


@unique
class Status(StrEnum):
    """Where a held object stands.

    HELD: something stands against it. AWAITING_PATIENT_APPROVAL: nothing but the patient's word is missing. APPROVED:
    it may be filed, and nothing has been done about it yet. FILING: intake has accepted it, so it is past calling back.
    RELEASED: the archive has it. DELETED: the patient took it back; the row stays, the picture is gone.
    KEPT_UNDER_HOLD: the patient took it back, and a hold forbids its deletion until it is lifted; it is never filed.
    """

    HELD = "HELD"
    AWAITING_PATIENT_APPROVAL = "AWAITING_PATIENT_APPROVAL"
    APPROVED = "APPROVED"
    FILING = "FILING"
    RELEASED = "RELEASED"
    DELETED = "DELETED"
    KEPT_UNDER_HOLD = "KEPT_UNDER_HOLD"


# The archive has none of these yet, so they can still be deleted.
UNFILED: Final = (Status.HELD, Status.AWAITING_PATIENT_APPROVAL, Status.APPROVED)
TO_FILE: Final = (Status.APPROVED, Status.FILING)
SETTLED: Final = (Status.RELEASED, Status.DELETED)
REFUSED: Final = (Status.DELETED, Status.KEPT_UNDER_HOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One object in quarantine.

    Attributes:
        size: in bytes.
        consent_id: a consent that an officer linked to it.
        approve_by: until when the patient's approval is waited for.
        refers_to: the consent that the object itself names.
        account: who sent it, by HTTP; '' when that isn't known.
        patient_supplied: an officer has confirmed that the patient supplied it.
    """

    quarantine_id: str
    sop_instance_uid: str
    sha256: str
    size: int
    spool_name: str
    reasons: tuple[str, ...]
    origin: str
    received_at: str
    status: Status = Status.HELD
    consent_id: str | None = None
    settled_at: str | None = None
    settled_by: str | None = None
    approve_by: str | None = None
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    patient_id: str = ""
    issuer: str = ""
    refers_to: str = ""
    device_id: str | None = None
    device_serial: str | None = None
    device_station: str | None = None
    account: str = ""
    patient_supplied: bool = False

    @property
    def leftover(self) -> tuple[str, ...]:
        """Return the spool's file of what is deleted, which is to be dropped."""
        return (self.spool_name,) if self.status is Status.DELETED else ()


COLUMNS: Final = tuple(column.name for column in quarantine.c)
# Asked about every picture that comes in.
SAME: Final = prepared(
    select(*quarantine.c).where(
        quarantine.c.sop_instance_uid == bindparam("sop_instance_uid"), quarantine.c.sha256 == bindparam("sha256")
    )
)
OF_PICTURE: Final = prepared(
    select(quarantine.c.quarantine_id).where(quarantine.c.sop_instance_uid == bindparam("sop_instance_uid"))
)
TAKEN_BACK: Final = prepared(
    select(quarantine.c.quarantine_id).where(
        quarantine.c.sop_instance_uid == bindparam("sop_instance_uid"),
        or_(*(quarantine.c.status == each.value for each in REFUSED)),
    )
)


def _held(row: Sequence[object]) -> Held:
    values: dict[str, object] = dict(zip(COLUMNS, row, strict=True))
    values["reasons"] = tuple(json.loads(str(values["reasons"])))
    values["status"] = Status(str(values["status"]))
    values["patient_supplied"] = flag(values["patient_supplied"], "quarantine.patient_supplied")
    return Held(**cast("dict[str, Never]", values))


def same(connection: Connection, sop_instance_uid: str, sha256: str) -> Held | None:
    """Return the row of exactly this object, so that a sender's retry makes no second one."""
    rows = SAME.rows(connection, sop_instance_uid=sop_instance_uid, sha256=sha256)
    return _held(rows[0]) if rows else None


def knows(connection: Connection, sop_instance_uid: str) -> bool:
    """Tell whether it has, or had, any object of this picture."""
    return bool(OF_PICTURE.rows(connection, sop_instance_uid=sop_instance_uid))


def taken_back(connection: Connection, sop_instance_uid: str) -> bool:
    """Tell whether the patient took this picture back, whatever bytes it had when it came."""
    return bool(TAKEN_BACK.rows(connection, sop_instance_uid=sop_instance_uid))


def unfiled_of(connection: Connection, held: Held) -> list[Held]:
    """Return the patient's objects of the same picture that the archive doesn't have yet, ``held`` among them."""
    same_picture = quarantine.c.sop_instance_uid == held.sop_instance_uid
    theirs = (quarantine.c.patient_id == held.patient_id) & (quarantine.c.issuer == held.issuer)
    return _among(connection, same_picture, theirs, quarantine.c.status.in_(UNFILED))


def hold(connection: Connection, held: Held) -> None:
    """Record that the object is held, or held again after an earlier release."""
    known = same(connection, held.sop_instance_uid, held.sha256)
    values = {name: _fitting(name, value) for name, value in asdict(held).items()}
    values["reasons"] = json.dumps(held.reasons)
    if known is None:
        connection.execute(quarantine.insert().values(values))
    else:
        del values["quarantine_id"]
        kept = {"consent_id": known.consent_id, "patient_supplied": int(known.patient_supplied)}
        _change(connection, known.quarantine_id, **{**values, **kept})


def _fitting(name: str, value: object) -> object:
    """Cut text to what its column has room for: what it says is held, and is whole in the spool."""
    if isinstance(value, bool):
        return int(value)
    room = getattr(quarantine.c[name].type, "length", None)
    return value[:room] if isinstance(value, str) else value


def listed(connection: Connection, status: Status | None = Status.HELD) -> list[Held]:
    """Return what is held (or all that ever was, with ``status`` None), oldest first."""
    return _among(connection, *(() if status is None else (quarantine.c.status == status,)))


def open_(connection: Connection) -> list[Held]:
    """Return everything that is not settled, oldest first."""
    return _among(connection, quarantine.c.status.not_in(SETTLED))


def get(connection: Connection, quarantine_id: str) -> Held:
    """Return one row.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(quarantine).where(quarantine.c.quarantine_id == quarantine_id)).first()
    if row is None:
        raise UnknownRecordError("Nothing in quarantine has this id.", remedy="See 'consentgate quarantine list'.")
    return _held(row)


def to_file(connection: Connection) -> list[Held]:
    """Return what may go into the archive and isn't known to be there, oldest first."""
    return _among(connection, quarantine.c.status.in_(TO_FILE))


def overdue(connection: Connection, at: datetime) -> list[Held]:
    """Return what has waited for the patient's approval until its window ended, oldest first."""
    waiting = _among(connection, quarantine.c.status == Status.AWAITING_PATIENT_APPROVAL)
    return [held for held in waiting if held.approve_by and datetime.fromisoformat(held.approve_by) <= at]


def unfiled(connection: Connection, study_instance_uid: str) -> list[Held]:
    """Return a study's objects that the archive doesn't have yet, oldest first."""
    return _among(connection, quarantine.c.study_instance_uid == study_instance_uid, quarantine.c.status.in_(UNFILED))


def open_of(connection: Connection, studies: Sequence[str], uids: Sequence[str]) -> list[Held]:
    """Return what isn't settled of studies, by their UIDs or by those of their pictures, oldest first."""
    theirs = or_(quarantine.c.study_instance_uid.in_(studies), quarantine.c.sop_instance_uid.in_(uids))
    return _among(connection, theirs, quarantine.c.status.not_in(SETTLED))


def unfiled_under(connection: Connection, consent_id: str) -> list[Held]:
    """Return the objects that name a consent, or are linked to it, and that the archive doesn't have yet."""
    named = or_(quarantine.c.consent_id == consent_id, quarantine.c.refers_to == consent_id)
    return _among(connection, named, quarantine.c.status.in_(UNFILED))


def settled_names(connection: Connection) -> frozenset[str]:
    """Return the spool's names of what is settled; a file of such a name is left over."""
    query = select(quarantine.c.spool_name).where(quarantine.c.status.in_(SETTLED))
    return frozenset(connection.execute(query).scalars())


def link(connection: Connection, quarantine_id: str, consent_id: str) -> None:
    """Record the consent that an officer says covers the object."""
    _change(connection, quarantine_id, consent_id=consent_id)


def confirm(connection: Connection, quarantine_id: str) -> None:
    """Record that an officer says that the patient supplied the object."""
    _change(connection, quarantine_id, patient_supplied=1)


def approve(connection: Connection, held: Held, reason: str) -> None:
    """Record that the object may be filed, and on whose word."""
    _change(connection, held.quarantine_id, status=Status.APPROVED, reasons=json.dumps((*held.reasons, reason)))


def filing(connection: Connection, held: Held) -> None:
    """Record that intake has accepted the object: from here on it can't be called back."""
    _change(connection, held.quarantine_id, status=Status.FILING)


def settle(connection: Connection, quarantine_id: str, *, by: str, at: datetime) -> None:
    """Record that the object has left quarantine for the archive."""
    _change(connection, quarantine_id, status=Status.RELEASED, settled_at=at.isoformat(), settled_by=by)


def keep(connection: Connection, held: Held, reason: str) -> None:
    """Record that a picture that was taken back is kept, shut, because a hold forbids its deletion."""
    _change(connection, held.quarantine_id, status=Status.KEPT_UNDER_HOLD, reasons=json.dumps((*held.reasons, reason)))


def delete(connection: Connection, held: Held, *, by: str, at: datetime, reason: str) -> None:
    """Record that the picture is deleted unfiled; the spool's file is dropped once this is committed.

    Raises:
        IllegalTransitionError: it is in the archive already, or on its way there, or deleted.
    """
    if held.status not in (*UNFILED, Status.KEPT_UNDER_HOLD):
        raise IllegalTransitionError(
            f"An object in state {held.status} can't be deleted from quarantine.",
            remedy="What is filed is part of the record: withdraw the consent instead.",
        )
    reasons = json.dumps((*held.reasons, reason))
    _change(
        connection,
        held.quarantine_id,
        status=Status.DELETED,
        settled_at=at.isoformat(),
        settled_by=by,
        reasons=reasons,
    )


def _change(connection: Connection, quarantine_id: str, **values: object) -> None:
    connection.execute(update(quarantine).where(quarantine.c.quarantine_id == quarantine_id).values(values))


def _among(connection: Connection, *conditions: ColumnElement[bool]) -> list[Held]:
    query = select(quarantine).where(*conditions).order_by(quarantine.c.received_at, quarantine.c.quarantine_id)
    return [_held(row) for row in connection.execute(query)]
