"""Ages, as English law counts them.

Knows the calendar. Must not know the present day: every date is an argument.

Source: requirements 2.6 (Birthdays): someone born on 29 February has their birthday on 1 March in common years.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from orthanc_plugin.policy.model import Image, Patient

PRESUMED_CAPABLE: Final = 16
ADULT: Final = 18


def age_on(born: date, on: date) -> int:
    """Return the completed years on the day ``on``; negative before birth.

    Comparing month and day puts a 29 February birthday on 1 March in common years, as requirements 2.6 wants.
    """
    before_birthday = (on.month, on.day) < (born.month, born.day)
    return on.year - born.year - before_birthday


def has_died(patient: Patient, as_of: date) -> bool:
    """Tell whether the patient had died by ``as_of``."""
    return patient.death_date is not None and patient.death_date <= as_of


def age_of(patient: Patient, as_of: date) -> int | None:
    """Return the patient's age at ``as_of``, or at death when that came first; None when the birth date is unknown.

    A child who died stays a child: nobody reaches 16 or 18 after death.
    """
    if patient.dob is None:
        return None
    if patient.death_date is not None and patient.death_date < as_of:
        return age_on(patient.dob, patient.death_date)
    return age_on(patient.dob, as_of)


def under_18_when_made(patient: Patient, image: Image, as_of: date) -> bool | None:
    """Tell whether the patient was under 18 when the picture was made; None when that can't be known.

    Source: requirements 003-62b (MIN-20): the age when made decides, not the age today.
    """
    if patient.dob is None:
        return None
    if image.made_on is not None:
        return age_on(patient.dob, image.made_on) < ADULT
    age_now = age_of(patient, as_of)
    return True if age_now is not None and age_now < ADULT else None
