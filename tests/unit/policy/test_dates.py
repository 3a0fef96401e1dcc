"""Ages and birthdays."""

from __future__ import annotations

from datetime import date

import pytest

from orthanc_plugin.policy.dates import age_of, age_on, has_died, under_18_when_made
from orthanc_plugin.policy.model import Image, ImageType, Patient


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2008, 11, 20), date(2026, 11, 19), 17),
        (date(2008, 11, 20), date(2026, 11, 20), 18),
        (date(2026, 11, 21), date(2026, 11, 20), -1),
        (date(1, 1, 1), date(9999, 12, 31), 9998),
    ],
)
def test_a_birthday_on_29_february_falls_on_1_march_in_common_years(born: date, on: date, age: int) -> None:
    assert age_on(born, on) == age


def test_nobody_grows_older_after_death() -> None:
    patient = Patient(id="P1", dob=date(2000, 1, 1), death_date=date(2010, 1, 1))
    assert age_of(patient, date(2026, 1, 1)) == 10
    assert age_of(patient, date(2005, 1, 1)) == 5
    assert [has_died(patient, date(year, 1, 1)) for year in (2009, 2010, 2011)] == [False, True, True]


def test_an_unknown_birth_date_gives_no_age() -> None:
    assert age_of(Patient(id="P1", dob=None), date(2026, 1, 1)) is None


@pytest.mark.parametrize(
    ("dob", "made_on", "young"),
    [
        (None, date(2020, 1, 1), None),
        (date(2010, 1, 1), date(2020, 1, 1), True),
        (date(1990, 1, 1), date(2020, 1, 1), False),
        (date(1990, 1, 1), date(2007, 12, 31), True),
        (date(1990, 1, 1), None, None),
        (date(2010, 1, 1), None, True),
    ],
)
def test_the_age_when_made_is_known_or_said_to_be_unknown(
    dob: date | None, made_on: date | None, young: bool | None
) -> None:
    image = Image(id="I", type=ImageType.CLINICAL_PHOTO, made_on=made_on)
    assert under_18_when_made(Patient(id="P1", dob=dob), image, date(2026, 1, 1)) is young
