"""Decisions in plain English."""

from __future__ import annotations

import pytest

from dicomwrap.terms import Audience, Purpose
from orthanc_plugin.policy.citations import CITATIONS, Rule
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.explain import ANSWER_WORDS, NEXT_WORDS, OBLIGATION_WORDS, explain
from orthanc_plugin.policy.model import Case, Decision, Effect, Obligation
from orthanc_plugin.policy.words import AUDIENCE_WORDS, PURPOSE_WORDS
from tests.unit.policy.building import case, consent, request


def test_there_are_words_for_everything() -> None:
    assert set(OBLIGATION_WORDS) == set(Obligation)
    assert set(ANSWER_WORDS) == set(NEXT_WORDS) == set(Effect)
    assert set(AUDIENCE_WORDS) == set(Audience)
    assert set(PURPOSE_WORDS) == set(Purpose)
    assert set(CITATIONS) == set(Rule)
    assert all(CITATIONS.values())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            case(),
            ("students in the trust asked for the picture for teaching", "No:", "MDU 2013 item 2", "Ask the patient"),
        ),
        (case(consent()), ("Yes: the picture may be given", "R9.e (GMC recordings 8, 24", "Records that counted: C1.")),
        (case(asked=request("AI")), ('for "AI"', "not one that pictures are released for", "Caldicott principle 1")),
        (case(asked=request(Purpose.DIRECT_CARE)), ("Not yet:", "What would settle it:", "Ask the patient")),
        (case(consent(), asked=request(anonymised=True)), ("anonymised.", "Yes, but only anonymised", "named person")),
    ],
)
def test_a_decision_is_told_with_its_reason_its_guidance_and_what_next(asked: Case, told: tuple[str, ...]) -> None:
    text = explain(decide(asked), asked)
    for words in told:
        assert words in text


def test_a_decision_that_cites_nothing_is_told_too() -> None:
    bare = Decision(effect=Effect.DENY, reasons=("The gate is closed.",), rules=("GATE_CLOSED",))
    text = explain(bare, case())
    assert text.endswith("Rules: GATE_CLOSED.")


def test_no_patient_is_named() -> None:
    asked = case()
    assert asked.patient.id not in explain(decide(asked), asked)
