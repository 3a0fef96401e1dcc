"""What is typed about a patient: accepted in DICOM's form, or refused all at once."""

from __future__ import annotations

from datetime import date

import pytest

from dicomwrap.errors import PatientDetailsError
from dicomwrap.subject import Patient, patient_from_text

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Doe^Jane", "Doe^Jane"),
        ("Doe", "Doe^"),
        ("Doe, Jane", "Doe, Jane^"),
        ("", ""),
        ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=山田^太郎"),
        ("Mc Doe^Jane^^Dr^", "Mc Doe^Jane^^Dr^"),
    ],
)
def test_a_name_is_written_as_typed_or_as_a_family_name(typed: str, written: str) -> None:
    assert patient_from_text(name=typed, today=TODAY).name == written


@pytest.mark.parametrize("typed", ["1980-06-15", "19800615", " 1980-06-15 "])
def test_a_birth_date_may_be_typed_with_or_without_hyphens(typed: str) -> None:
    assert patient_from_text(birth_date=typed, today=TODAY).birth_date == date(1980, 6, 15)


@pytest.mark.parametrize(("typed", "term"), [("f", "F"), ("Male", "M"), ("O", "O"), ("other", "O"), ("", "")])
def test_a_sex_may_be_a_letter_or_a_word(typed: str, term: str) -> None:
    assert patient_from_text(sex=typed, today=TODAY).sex == term


@pytest.mark.parametrize(
    ("option", "typed"),
    [
        ("patient_id", "a\\b"), ("patient_id", "x" * 65), ("patient_id", "a\nb"), ("patient_id", "a\ud800"),
        ("issuer", "x" * 65), ("name", "x" * 64), ("name", "a^b^c^d^e^f"), ("name", "a=b=c=d"), ("name", "a\\b"),
        ("name", "a\x1bb"), ("birth_date", "15/06/1980"), ("birth_date", "1980-02-30"), ("birth_date", "2026-11-23"),
        ("birth_date", "1874-12-31"), ("birth_date", "\u0661\u0669\u0668\u0660-06-15"), ("sex", "X"),
    ],
)  # fmt: skip
def test_a_wrong_detail_is_refused_without_repeating_it(option: str, typed: str) -> None:
    with pytest.raises(PatientDetailsError) as caught:
        patient_from_text(**{option: typed}, today=TODAY)
    (problem,) = caught.value.problems
    assert problem.startswith(f"--{option.replace('_', '-')}" if option != "name" else "--patient-name")
    assert typed not in str(caught.value) or typed == "X"


def test_all_wrong_details_are_told_at_once() -> None:
    with pytest.raises(PatientDetailsError) as caught:
        patient_from_text(patient_id="\\", issuer="\\", name="\\", birth_date="never", sex="?", today=TODAY)
    assert len(caught.value.problems) == 5


def test_nothing_typed_is_nothing_known() -> None:
    assert patient_from_text(today=TODAY) == Patient()
