"""Facts that contradict themselves give no date: somebody finds out which is wrong, and is told which they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orthanc_plugin.policy.expirydoubts import doubts
from orthanc_plugin.policy.expirymodel import Hold, HoldKind, Kept, RetentionFacts, RetentionTask, Status
from orthanc_plugin.policy.model import MadeFor
from tests.unit.policy.retaining import ADULT, AS_OF, asked, trial

Facts = dict[str, object]
LONG_TERM = frozenset({"LONG_TERM"})
BEFORE_BIRTH: Facts = {"contacts": (date(1965, 6, 1),)}

# What is told, and the words that a person reads of it.
CONTRADICTORY: list[tuple[str, Facts, str, str]] = [
    ("seen before the birth alone", BEFORE_BIRTH, "contacts", "the birth or the contact before it"),
    ("before the birth too", {"contacts": (date(1965, 6, 1), date(2015, 3, 10))}, "contacts", "the contact before it"),
    ("dead before the birth", {"death_date": date(1969, 1, 1)}, "death_date", "the birth or the death before it"),
    (
        "cancer before the birth",
        {"categories": frozenset({"CANCER"}), "cancer_diagnosis": date(1965, 1, 1)},
        "cancer_diagnosis",
        "the birth or the cancer's diagnosis before it",
    ),
]


@pytest.mark.parametrize(
    ("changes", "field", "words"), [row[1:] for row in CONTRADICTORY], ids=[row[0] for row in CONTRADICTORY]
)
@pytest.mark.parametrize("kept", [Kept.IMAGE, Kept.CONSENT_RECORD])
def test_facts_that_contradict_themselves_give_no_date_but_a_task_in_words(
    changes: Facts, field: str, words: str, kept: Kept
) -> None:
    found = asked(ADULT, kept=kept, **changes)
    assert (found.status, found.due_date, found.proposable_from) == (Status.UNRESOLVED, None, None)
    assert RetentionTask.COMPLETE_RETENTION_FACTS in found.tasks
    assert any(words in each for each in found.missing)
    assert words in found.words[-1]
    assert field in [each.field for each in doubts(replace(ADULT, **changes))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "rule", "day"),
    [
        ({"death_date": date(2015, 3, 1)}, "ADULT_GENERAL", "2023-03-10"),
        ({"death_date": date(2014, 3, 10), "categories": LONG_TERM}, "LONG_TERM", "2024-03-10"),
        ({"death_date": date(2000, 1, 1)}, "ADULT_GENERAL", "2023-03-10"),
        ({"contacts": (date(1970, 3, 3),)}, "CHILD", "1995-03-03"),
        ({"contacts": (AS_OF,)}, "ADULT_GENERAL", "2034-11-20"),
        ({"dob": AS_OF, "contacts": (AS_OF,), "death_date": AS_OF}, "CHILD", "2051-11-20"),
    ],
    ids=["days after the death", "a year, by its rule", "15 years", "born there", "today", "all in a day"],
)
def test_a_contact_after_the_death_or_on_the_day_of_birth_contradicts_nothing(
    changes: Facts, rule: str, day: str
) -> None:
    found = asked(ADULT, **changes)
    assert (found.governing_rule, found.due_date) == (rule, date.fromisoformat(day))


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (RetentionFacts(made_for=MadeFor.SECONDARY, promised_end=date(2020, 1, 1)), "SECONDARY_ONLY"),
        (RetentionFacts(filed=False, withdrawn_on=AS_OF), "UNFILED_CAPTURE"),
        (RetentionFacts(kept=Kept.STUB, created=date(2000, 1, 1)), "DISPOSITION_EVIDENCE"),
        (RetentionFacts(made_for=MadeFor.SECONDARY, trials=(trial(date(2010, 5, 1)),)), "TRIAL_CTIMP"),
    ],
    ids=["promise", "never filed", "stub", "trial"],
)
def test_what_rests_on_no_day_of_the_patient_s_life_has_its_date_whatever_these_say(
    facts: RetentionFacts, rule: str
) -> None:
    promised = facts.promised_end or date(2020, 1, 1)
    found = asked(facts, dob=date(1970, 3, 3), death_date=date(1960, 1, 1), promised_end=promised, **BEFORE_BIRTH)
    assert (found.governing_rule, found.due_date is None) == (rule, False)


def test_a_record_in_use_stays_open_and_a_hold_is_shown_whatever_contradicts_itself() -> None:
    hold = Hold(kind=HoldKind.CORONER, placed_on=date(2020, 1, 1))
    assert asked(ADULT, open_episode=True, **BEFORE_BIRTH).status is Status.OPEN
    found = asked(ADULT, holds=(hold,), **BEFORE_BIRTH)
    assert (found.status, found.holds) == (Status.UNRESOLVED, (hold,))


def test_the_days_themselves_are_in_no_task() -> None:
    for _, changes, _, _ in CONTRADICTORY:
        assert not any(sign.isdigit() for each in asked(ADULT, **changes).missing for sign in each)
