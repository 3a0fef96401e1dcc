"""Subject access: by when, which checks count, and what the patient is told of what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.policy.access import CheckKind, Finding, LeftOut, due, left_out, met, nobody_else
from orthanc_plugin.policy.model import ImageStatus, Obligation
from orthanc_plugin.policy.reviewing import Shown

BOTH = {CheckKind.THIRD_PARTIES: Finding.CLEAR, CheckKind.SERIOUS_HARM: Finding.CLEAR}
REDACT, HARM = Obligation.REDACT_THIRD_PARTIES, Obligation.SERIOUS_HARM_CHECK


@pytest.mark.parametrize(
    ("received", "last"),
    [
        (date(2026, 11, 22), date(2026, 12, 22)),
        (date(2026, 12, 31), date(2027, 1, 31)),
        (date(2027, 1, 31), date(2027, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2028, 2, 29), date(2028, 3, 29)),
        (date(2026, 8, 31), date(2026, 9, 30)),
    ],
)
def test_a_request_is_due_on_the_same_day_of_the_next_month_or_its_last(received: date, last: date) -> None:
    assert due(received) == last


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(9999, 11, 30)))
def test_a_month_is_never_longer_than_31_days_nor_shorter_than_28(received: date) -> None:
    assert 28 <= (due(received) - received).days <= 31
    assert due(received).month == received.month % 12 + 1


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ({}, set()),
        (BOTH, {REDACT, HARM}),
        ({**BOTH, CheckKind.SERIOUS_HARM: Finding.NOT_CLEAR}, {REDACT}),
        ({CheckKind.SERIOUS_HARM: Finding.CLEAR}, {HARM}),
        ({CheckKind.IDENTITY: Finding.CLEAR}, set()),
    ],
)
def test_only_a_clear_finding_meets_an_obligation(
    findings: Mapping[CheckKind, Finding], expected: set[Obligation]
) -> None:
    assert met(findings) == expected


@pytest.mark.parametrize(
    ("checked", "shown", "alone"),
    [
        (None, None, False),
        (None, Shown.NOT_SHOWN, True),
        (None, Shown.IDENTIFIES, False),
        (frozenset({REDACT}), None, True),
        (frozenset({REDACT}), Shown.NOT_SHOWN, True),
        (frozenset({REDACT}), Shown.IDENTIFIES, False),
        (frozenset({REDACT}), Shown.COVERED, False),
        (frozenset({HARM}), Shown.NOT_SHOWN, False),
        (frozenset(), None, False),
    ],
)
def test_who_else_is_shown_is_what_the_stricter_of_check_and_review_says(
    checked: frozenset[Obligation] | None, shown: Shown | None, alone: bool
) -> None:
    assert nobody_else(checked, shown) is alone


@pytest.mark.parametrize(
    ("status", "findings", "form", "reason"),
    [
        (ImageStatus.DISPOSED, BOTH, False, LeftOut.DISPOSED),
        (ImageStatus.QUARANTINED, BOTH, False, LeftOut.NOT_SURE),
        (ImageStatus.ACTIVE, BOTH, True, LeftOut.FORM),
        (ImageStatus.ACTIVE, {CheckKind.THIRD_PARTIES: Finding.NOT_CLEAR}, False, LeftOut.OTHERS),
        (ImageStatus.ACTIVE, {**BOTH, CheckKind.SERIOUS_HARM: Finding.NOT_CLEAR}, False, LeftOut.NOT_NOW),
        (ImageStatus.ACTIVE, BOTH, False, LeftOut.NOT_NOW),
    ],
)
def test_what_is_left_out_is_told_without_what_might_harm(
    status: ImageStatus, findings: Mapping[CheckKind, Finding], form: bool, reason: LeftOut
) -> None:
    assert left_out(status, findings, form=form) is reason
    assert "harm" not in reason.lower()
