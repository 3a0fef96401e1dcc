"""Whatever stands in a case of retention: it is read whole, or every fault is named with its place."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.policy.casefields import CaseError
from orthanc_plugin.policy.expiry import due
from orthanc_plugin.policy.expirycases import DueCase, due_answer, parse_due_case

SAMPLES = json.loads((Path(__file__).parents[1] / "data" / "retention_cases.json").read_text(encoding="utf-8"))
ENGLAND = shipped()
TEXT = st.text(max_size=12) | st.sampled_from(["2026-02-30", "2026-11-20", "9999-12-31", "0001-01-01", "UK_2026"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PLACES = [("inputs", name) for name in SAMPLES[0]["inputs"]] + [
    ("policy", "rounding"),
    ("policy", "child_death_mode"),
    ("policy", "?"),
]


def read(value: object) -> DueCase | tuple[str, ...]:
    """Return the case, or what is wrong with it."""
    try:
        return parse_due_case(value, ENGLAND, "case[0]")
    except CaseError as error:
        return error.problems


def answered(value: object) -> None:
    """Ask about a case; what can't be read names its place."""
    case = read(value)
    if isinstance(case, tuple):
        assert case
        assert all(problem.startswith("case[0]") for problem in case)
        return
    answer = due_answer(case.id, due(case.schedule, case.facts, case.as_of))
    assert json.loads(json.dumps(answer)) == answer
    for name in ("due_date", "proposable_from"):
        assert answer[name] is None or date.fromisoformat(answer[name] or "")


@given(VALUES)
def test_any_json_is_answered_or_refused_with_its_place(value: object) -> None:
    answered(value)


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.sampled_from(PLACES), VALUES), max_size=3), VALUES)
def test_a_case_with_anything_in_its_fields_is_answered_or_refused_with_its_place(
    sample: dict[str, dict[str, object]], changes: list[tuple[tuple[str, str], object]], trial: object
) -> None:
    case = deepcopy(sample)
    for (part, name), value in changes:
        case[part][name] = value
    answered(case)
    case["inputs"]["trial"] = {"concluded": trial, "regime": trial, "ma_open_at_expiry": trial, "ma_granted": trial}
    case["inputs"]["holds"] = [trial, {"kind": "COMPLAINT", "placed_on": trial, "released_on": trial}]
    answered(case)
