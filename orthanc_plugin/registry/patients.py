"""Patients as far as a decision needs them: identity with issuer, birth, death, capacity. No names are kept.

Knows rows. Must not know rules.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, and_, select, update

from orthanc_plugin.policy.model import Capacity, Gillick, Patient
from orthanc_plugin.registry.tables import patients


def _key(patient_id: str, issuer: str) -> object:
    return and_(patients.c.patient_id == patient_id, patients.c.issuer == issuer)


def find(connection: Connection, patient_id: str, issuer: str) -> Patient | None:
    """Return the patient, or None when the registry doesn't know them."""
    row = connection.execute(select(patients).where(_key(patient_id, issuer))).first()  # type: ignore[arg-type]
    if row is None:
        return None
    return Patient(
        id=row.patient_id,
        dob=date.fromisoformat(row.birth_date) if row.birth_date else None,
        death_date=date.fromisoformat(row.death_date) if row.death_date else None,
        capacity=Capacity(row.capacity),
        gillick=Gillick(row.gillick),
        national_data_opt_out=bool(row.national_data_opt_out),
    )


def ensure(connection: Connection, patient_id: str, issuer: str, birth_date: date | None) -> Patient:
    """Return the patient, recorded now when unknown; a birth date not known before is filled in, never changed.

    Capacity is presumed (GMC Decision making and consent, 2020; Mental Capacity Act 2005 s1).
    """
    known = find(connection, patient_id, issuer)
    text = birth_date.isoformat() if birth_date else None
    if known is None:
        connection.execute(
            patients.insert().values(
                patient_id=patient_id,
                issuer=issuer,
                birth_date=text,
                capacity=Capacity.HAS,
                gillick=Gillick.NA,
                national_data_opt_out=0,
            )
        )
    elif known.dob is None and text:
        connection.execute(
            update(patients).where(_key(patient_id, issuer)).values(birth_date=text)  # type: ignore[arg-type]
        )
    else:
        return known
    found = find(connection, patient_id, issuer)
    assert found is not None  # noqa: S101 - just written in this transaction
    return found
