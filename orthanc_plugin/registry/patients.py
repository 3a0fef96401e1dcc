"""Patients as far as a decision needs them: identity with issuer, birth, death, capacity. No names are kept.

Knows rows, what may be changed in them, and which numbers are one person's. Must not know rules. Pictures and consents
keep the number they came with; a merge only says whose it is, so that it can be undone.

Sources: requirements 2.1 (patient_id and issuer), T-12 (freshness of the feed), G-DM (capacity is presumed).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, select, update

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.model import Capacity, Gillick, Patient
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import day, flag, unreadable, word
from orthanc_plugin.registry.tables import patient_changes, patients

Key = tuple[str, str]  # patient number, issuer
Value = date | Capacity | Gillick | bool | None
FACTS: Final[dict[str, tuple[type, ...]]] = {
    "birth_date": (date,),
    "death_date": (date, type(None)),
    "capacity": (Capacity,),
    "gillick": (Gillick,),
    "national_data_opt_out": (bool,),
}


class _Known(NamedTuple):
    """A patient's row; ``others``: whether somebody was merged into this number."""

    patient_id: str
    issuer: str
    birth_date: str | None
    death_date: str | None
    capacity: object
    gillick: object
    national_data_opt_out: object
    merged_into_id: str | None
    merged_into_issuer: str | None
    fed_at: str | None
    others: object


_merged = patients.alias("merged")
_OTHERS = exists().where(
    _merged.c.merged_into_id == patients.c.patient_id, _merged.c.merged_into_issuer == patients.c.issuer
)
_COLUMNS: Final = (*(patients.c[name] for name in _Known._fields[:-1]), _OTHERS)
# Asked about every picture that comes in.
_ONE: Final = prepared(
    select(*_COLUMNS).where(patients.c.patient_id == bindparam("patient_id"), patients.c.issuer == bindparam("issuer"))
)


def key(patient_id: str, issuer: str | None, default_issuer: str) -> Key:
    """Return the patient's key; a number without issuer is the hospital's own."""
    return patient_id.strip(), (issuer or "").strip() or default_issuer


def _is(who: Key) -> ColumnElement[bool]:
    return and_(patients.c.patient_id == who[0], patients.c.issuer == who[1])


def _of(who: Key) -> ColumnElement[bool]:
    return and_(patients.c.merged_into_id == who[0], patients.c.merged_into_issuer == who[1])


def _row(connection: Connection, who: Key) -> _Known | None:
    return next(map(_Known._make, _ONE.rows(connection, patient_id=who[0], issuer=who[1])), None)


def _expected(connection: Connection, who: Key) -> _Known:
    row = _row(connection, who)
    if row is None:
        raise UnknownRecordError(
            "No such patient is on record.", remedy="Check the number and its issuer; both are needed."
        )
    return row


def _survivor(row: _Known) -> Key | None:
    """Return whom the patient was merged into, None when nobody."""
    return (row.merged_into_id, row.merged_into_issuer or "") if row.merged_into_id is not None else None


def read(
    patient_id: str, birth_date: object, death_date: object, capacity: object, gillick: object, opt_out: object
) -> Patient:
    """Return the patient that these columns tell of.

    Raises:
        UnreadableRowError: a column holds what this version doesn't know.
    """
    return Patient(
        id=patient_id,
        dob=day(birth_date, "patients.birth_date"),
        death_date=day(death_date, "patients.death_date"),
        capacity=word(Capacity, capacity, "patients.capacity"),
        gillick=word(Gillick, gillick, "patients.gillick"),
        national_data_opt_out=flag(opt_out, "patients.national_data_opt_out"),
    )


def _patient(row: _Known) -> Patient:
    return read(row.patient_id, row.birth_date, row.death_date, row.capacity, row.gillick, row.national_data_opt_out)


def merged_into(connection: Connection, survivor: Key) -> dict[Key, Patient]:
    """Return everybody who was merged into ``survivor``, by key, in the order of the keys."""
    query = select(*_COLUMNS).where(_of(survivor)).order_by(patients.c.patient_id, patients.c.issuer)
    rows = map(_Known._make, connection.execute(query))
    return {(row.patient_id, row.issuer): _patient(row) for row in rows}


def combined(survivor: Patient, others: Sequence[Patient]) -> Patient:
    """Return one person's facts: the survivor's; birth and death from elsewhere when the survivor's row lacks them.

    An opt-out under any number is one: a denial counts under whichever number it was said. Whoever was found able to
    decide under any number is asked, and what they refused is kept to: until that is settled, nobody decides for them.
    """
    everybody = (survivor, *others)
    return replace(
        survivor,
        dob=next((each.dob for each in everybody if each.dob is not None), None),
        death_date=next((each.death_date for each in everybody if each.death_date is not None), None),
        national_data_opt_out=any(each.national_data_opt_out for each in everybody),
        capacity=next((each.capacity for each in everybody if each.capacity is Capacity.HAS), survivor.capacity),
        gillick=next((each.gillick for each in everybody if each.gillick is Gillick.COMPETENT), survivor.gillick),
    )


def person(connection: Connection, who: Key) -> tuple[Patient, tuple[Key, ...]]:
    """Return the person behind this number (the survivor's facts after a merge), and all their numbers.

    Raises:
        UnknownRecordError: no such patient.
        UnreadableRowError: a row can't be read, or whom the patient was merged into is missing.
    """
    return _behind(connection, _expected(connection, who))


def _behind(connection: Connection, row: _Known) -> tuple[Patient, tuple[Key, ...]]:
    survivor = _survivor(row)
    kept = row if survivor is None else _row(connection, survivor)
    if kept is None:
        raise unreadable("patients.merged_into_id")
    who = (kept.patient_id, kept.issuer)
    others = merged_into(connection, who) if kept.others else {}
    return combined(_patient(kept), tuple(others.values())), (who, *others)


def alone(connection: Connection, numbers: Collection[Key]) -> dict[Key, Patient]:
    """Return those of many patients, read at once, who have no other number: nobody was merged, neither way."""
    whose = patients.c.patient_id.in_({number for number, _ in numbers})  # both columns at once miss SQLite's index
    rows = map(_Known._make, connection.execute(select(*_COLUMNS).where(whose)).all())
    single = {(row.patient_id, row.issuer): row for row in rows if _survivor(row) is None and not row.others}
    return {who: _patient(single[who]) for who in numbers if who in single}


def find(connection: Connection, patient_id: str, issuer: str) -> Patient | None:
    """Return the person behind this number (the survivor's facts after a merge), None when it isn't on record.

    Raises:
        UnreadableRowError: a row can't be read, or whom the patient was merged into is missing.
    """
    row = _row(connection, (patient_id, issuer))
    return None if row is None else _behind(connection, row)[0]


def numbers(connection: Connection, who: Key) -> tuple[Key, ...]:
    """Return every number of the person behind this one, the one that is kept first; ``who`` when it isn't on record.

    Raises:
        UnreadableRowError: a row can't be read, or whom the patient was merged into is missing.
    """
    row = _row(connection, who)
    return (who,) if row is None else _behind(connection, row)[1]


def ensure(connection: Connection, patient_id: str, issuer: str, birth_date: date | None) -> Patient:
    """Return the patient, recorded now when unknown, with this birth date; what is on record isn't changed.

    Capacity is presumed (GMC Decision making and consent, 2020; Mental Capacity Act 2005 s1).
    """
    known = find(connection, patient_id, issuer)
    if known is None:
        connection.execute(
            patients.insert().values(
                patient_id=patient_id,
                issuer=issuer,
                birth_date=birth_date.isoformat() if birth_date else None,
                capacity=Capacity.HAS,
                gillick=Gillick.NA,
                national_data_opt_out=0,
            )
        )
        return Patient(id=patient_id, dob=birth_date)
    return known


def change(
    connection: Connection, who: Key, fact: str, value: Value, *, reason: str, by: str, at: datetime, change_id: str
) -> bool:
    """Record a fact of the patient, such as ``"capacity"``; False when it was on record already.

    Raises:
        UnknownRecordError: no such patient.
        IllegalTransitionError: no reason, a value that can't be, a merged number, or another birth date on record.
    """
    row = _expected(connection, who)
    if fact == "birth_date" and row.birth_date not in (None, _stored(value)):
        raise IllegalTransitionError(
            "Another birth date is on record.", remedy="Correct it, with a reason, if the one on record is wrong."
        )
    return _set(connection, row, fact, value, reason=reason, by=by, at=at, change_id=change_id)


def correct(
    connection: Connection, who: Key, birth_date: date, *, reason: str, by: str, at: datetime, change_id: str
) -> bool:
    """Replace the birth date on record; ``change`` only fills in one that is missing.

    Raises:
        UnknownRecordError: no such patient.
        IllegalTransitionError: no reason, a date that can't be, or a merged number.
    """
    row = _expected(connection, who)
    return _set(connection, row, "birth_date", birth_date, reason=reason, by=by, at=at, change_id=change_id)


def _set(
    connection: Connection,
    row: _Known,
    fact: str,
    value: Value,
    *,
    reason: str,
    by: str,
    at: datetime,
    change_id: str,
) -> bool:
    if _survivor(row) is not None:
        raise IllegalTransitionError(
            "The patient was merged into another one.", remedy="Record it under the number that was kept."
        )
    if (problem := _problem(row, fact, value, at)) is not None:
        raise IllegalTransitionError(f"{fact}: {problem}.", remedy="Correct the value; nothing was recorded.")
    who, old, new = (row.patient_id, row.issuer), getattr(row, fact), _stored(value)
    if old == new:
        return False
    note(connection, who, fact, old, new, reason=reason, by=by, at=at, change_id=change_id)
    connection.execute(update(patients).where(_is(who)).values({fact: new}))
    return True


def note(
    connection: Connection,
    who: Key,
    fact: str,
    old: object,
    new: object,
    *,
    reason: str,
    by: str,
    at: datetime,
    change_id: str,
    uid: str | None = None,
) -> None:
    """Write down that a fact was changed, by whom and why; ``uid`` names the picture, if it is a picture's.

    Raises:
        IllegalTransitionError: without a reason.
    """
    if not reason.strip():
        raise IllegalTransitionError(
            "A patient's facts aren't changed without a reason.", remedy="Say why, for whoever reads it later."
        )
    connection.execute(
        patient_changes.insert().values(
            change_id=change_id,
            patient_id=who[0],
            issuer=who[1],
            sop_instance_uid=uid,
            field=fact,
            old=None if old is None else str(old),
            new=None if new is None else str(new),
            reason=reason.strip(),
            changed_at=at.isoformat(),
            changed_by=by,
        )
    )


def _stored(value: Value) -> str | int | None:
    if isinstance(value, bool):
        return int(value)
    return value.isoformat() if isinstance(value, date) else value


def _problem(row: _Known, fact: str, value: Value, at: datetime) -> str | None:
    """Tell why the value can't be, None when it can."""
    kinds = FACTS.get(fact)
    if kinds is None:
        return f"is not one of {', '.join(FACTS)}"
    if not isinstance(value, kinds):
        return "is of the wrong kind"
    if isinstance(value, date) and value > hospital_day(at):
        return "lies in the future"
    born = value if fact == "birth_date" else day(row.birth_date, "patients.birth_date")
    died = value if fact == "death_date" else day(row.death_date, "patients.death_date")
    if isinstance(born, date) and isinstance(died, date) and died < born:
        return "the patient would have died before being born"
    return None


def fed(connection: Connection, who: Key, at: datetime) -> None:
    """Remember that a feed told the patient's facts as they were at ``at``.

    Raises:
        UnknownRecordError: no such patient.
        IllegalTransitionError: a newer feed was taken in already, whose facts this one would undo.
    """
    row = _expected(connection, who)
    if row.fed_at is not None and datetime.fromisoformat(row.fed_at) > at:
        raise IllegalTransitionError(
            "A newer feed of this patient's facts was taken in already.", remedy="Leave the older one out."
        )
    connection.execute(update(patients).where(_is(who)).values(fed_at=at.isoformat()))


def changes(connection: Connection, who: Key) -> Iterator[dict[str, object]]:
    """Give what was changed of the patient, oldest first."""
    query = select(patient_changes).where(patient_changes.c.patient_id == who[0], patient_changes.c.issuer == who[1])
    for row in connection.execute(query.order_by(patient_changes.c.changed_at, patient_changes.c.change_id)):
        yield dict(row._mapping)
