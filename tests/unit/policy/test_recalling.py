"""When a recall is late, when a recipient is reminded, when a notice is tried again, and what a letter says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dicomwrap.iod.keyobject import PATIENT_SAFETY, RETENTION_EXPIRED
from dicomwrap.terms import Form, Purpose
from orthanc_plugin.policy.eventmodel import DEPOSITED, PUBLISHED, Copy, Recall
from orthanc_plugin.policy.recalling import (
    ANSWER_WITHIN,
    CAUSE_WORDS,
    LONGEST_WAIT,
    REMIND_EVERY,
    TITLES,
    Cause,
    Standing,
    answer_due,
    bears_identity,
    ends_with_the_original,
    next_try,
    reminder_due,
    told,
)
from orthanc_plugin.policy.recallletter import Letter, Listed, as_html, as_text

OPENED = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DUE = answer_due(OPENED)
MOMENT = timedelta(seconds=1)
LISTED = Listed(
    reference="R1",
    cause=Cause.WITHDRAWN,
    left_on=date(2026, 11, 3),
    purpose="TEACHING",
    released_uid="2.25.77",
    sha256="ab" * 32,
    identifiable=False,
)
LETTER = Letter(
    addressee="Dean of the school",
    recipient="teaching-archive",
    organisation="The hospital",
    reply_to="governance@hospital.example",
    written=date(2026, 11, 22),
    due=date(2026, 12, 6),
    copies=(LISTED,),
)


@pytest.mark.parametrize(
    ("standing", "at", "word"),
    [
        (Standing.OPEN, DUE - MOMENT, "OPEN"),
        (Standing.OPEN, DUE, "OVERDUE"),
        (Standing.NOTIFIED, DUE - MOMENT, "NOTIFIED"),
        (Standing.NOTIFIED, DUE, "OVERDUE"),
        (Standing.ACKNOWLEDGED, DUE + ANSWER_WITHIN, "ACKNOWLEDGED"),
        (Standing.REFUSED, DUE + ANSWER_WITHIN, "REFUSED"),
        (Standing.NOT_RECALLABLE, DUE + ANSWER_WITHIN, "NOT_RECALLABLE"),
    ],
)
def test_what_is_not_answered_in_time_is_overdue(standing: Standing, at: datetime, word: str) -> None:
    assert told(standing, DUE, at) == word


@pytest.mark.parametrize(
    ("standing", "reminded", "at", "due"),
    [
        (Standing.NOTIFIED, None, DUE - MOMENT, False),
        (Standing.NOTIFIED, None, DUE, True),
        (Standing.NOTIFIED, DUE, DUE + REMIND_EVERY - MOMENT, False),
        (Standing.NOTIFIED, DUE, DUE + REMIND_EVERY, True),
        (Standing.NOTIFIED, OPENED, DUE - MOMENT, False),
        (Standing.OPEN, None, DUE, False),
        (Standing.ACKNOWLEDGED, None, DUE, False),
        (Standing.REFUSED, None, DUE, False),
    ],
)
def test_who_was_told_and_does_not_answer_is_reminded(
    standing: Standing,
    reminded: datetime | None,
    at: datetime,
    due: bool,
) -> None:
    assert reminder_due(standing, DUE, reminded, at) is due


def test_a_notice_that_fails_is_tried_later_and_later_and_for_ever() -> None:
    waits = [next_try(attempts, OPENED) - OPENED for attempts in (1, 2, 3, 10, 20, 100_000)]
    assert waits == sorted(waits)
    assert waits[0] < timedelta(minutes=5)
    assert waits[-1] == LONGEST_WAIT


def test_every_cause_has_words_and_one_of_the_standard_s_titles() -> None:
    assert set(CAUSE_WORDS) == set(TITLES) == set(Cause)
    assert set(TITLES.values()) == {PATIENT_SAFETY.value, RETENTION_EXPIRED.value}


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, True),
        ({"form": Form.ANONYMISED}, True),
        ({"purpose": Purpose.DIRECT_CARE}, True),
        ({"kind": "VIEW"}, False),
        ({"kind": PUBLISHED}, False),
        ({"kind": DEPOSITED}, False),
        ({"form": Form.ANONYMISED, "key_destroyed": True}, False),
        ({"recall": Recall.OPEN}, False),
        ({"recall": Recall.CONFIRMED}, False),
        ({"purpose": Purpose.SUBJECT_ACCESS}, False),
        ({"purpose": Purpose.LEGAL_DISCLOSURE}, False),
        ({"purpose": Purpose.PUBLIC_INTEREST}, False),
    ],
)
def test_a_copy_is_asked_for_when_the_original_ends_unless_it_is_somebody_s_own(
    changes: dict[str, object],
    asked: bool,
) -> None:
    copy = replace(Copy(id="D1", purpose=Purpose.TEACHING), **changes)  # type: ignore[arg-type]
    assert ends_with_the_original(copy) is asked


@pytest.mark.parametrize("write", [as_text, as_html])
def test_a_letter_says_what_is_asked_for_why_and_how_to_answer(write: Callable[[Letter], str]) -> None:
    said = write(LETTER)
    for words in (
        "Dean of the school (teaching-archive)",
        "The hospital",
        "destroy them, or give them back",
        "3 November 2026 for teaching",
        "2.25.77",
        "ab" * 32,
        "Reference: R1",
        "Please answer by 6 December 2026 to governance@hospital.example.",
    ):
        assert words in said
    assert "reminder" not in said
    assert "reminder" in write(replace(LETTER, reminder=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "without the patient's identity."),
        ({"identifiable": True}, "with the patient's identity."),
        ({"identifiable": True, "patient": "P1 (HOSP)"}, "with the patient's identity, patient number P1 (HOSP)."),
        ({"needed": True}, "for another use that still stands"),
    ],
)
def test_a_copy_is_named_as_far_as_its_recipient_knows_it(changes: dict[str, object], words: str) -> None:
    listed = replace(LISTED, **changes)  # type: ignore[arg-type]
    assert words in as_text(replace(LETTER, copies=(listed,)))


def test_what_people_wrote_steers_nothing_on_a_page() -> None:
    said = as_html(replace(LETTER, addressee="<b>Dean</b>\n\x1b[31m", reply_to="a & b"))
    assert "&lt;b&gt;Dean&lt;/b&gt;" in said
    assert "\x1b" not in said
    assert "a &amp; b" in said


def test_a_place_of_deposit_is_told_that_a_copy_names_the_wrong_patient() -> None:
    copy = Copy(id="D1", kind=DEPOSITED, purpose=Purpose.RECORDS_MANAGEMENT)
    assert (ends_with_the_original(copy), bears_identity(copy)) == (False, True)
