"""Events as JSON."""

from __future__ import annotations

import pytest

from dicomwrap.terms import ConsentState, Form, GiverType, Purpose, PurposeGroup, WithdrawalPhase
from orthanc_plugin.policy.cases import CaseError
from orthanc_plugin.policy.eventcases import event_answer, parse_event_case
from orthanc_plugin.policy.eventmodel import Before, Copy, Event, Happening, ImageState, Recall
from orthanc_plugin.policy.events import outcome
from orthanc_plugin.policy.model import MadeFor

Json = dict[str, object]


def written(before: Json | None = None, event: Json | None = None, **changes: object) -> Json:
    return {
        "id": "X-1",
        "before": {
            "consent": "GIVEN",
            "image": "ACTIVE",
            "purposes": ["TEACHING"],
            "disclosures": [],
            **(before or {}),
        },
        "event": {"type": "WITHDRAW", **(event or {})},
        **changes,
    }


def test_every_field_is_read() -> None:
    copy = {
        "id": "D1",
        "to": "JOURNAL",
        "kind": "PUBLISHED",
        "form": "ANONYMISED",
        "image": "IMG1",
        "under": "C1",
        "purpose": "TEACHING",
        "key_destroyed": True,
        "recall": "OPEN",
    }
    whole = written(
        {"consent_id": "C1", "giver": "PR_HOLDER", "made_for": "SECONDARY", "disclosures": [copy], "queue": ["J1:AE"]},
        {"phase": "DURING_CAPTURE", "purposes": ["ALL_SECONDARY"], "disclosure": "D1", "widens": False},
        expected={"consent": "ignored"},
    )
    case = parse_event_case(whole)
    assert case.before == Before(
        consent=ConsentState.GIVEN,
        consent_id="C1",
        giver=GiverType.PR_HOLDER,
        purposes=(Purpose.TEACHING,),
        image=ImageState.ACTIVE,
        made_for=MadeFor.SECONDARY,
        copies=(
            Copy(
                id="D1",
                kind="PUBLISHED",
                form=Form.ANONYMISED,
                key_destroyed=True,
                under="C1",
                purpose=Purpose.TEACHING,
                recall=Recall.OPEN,
            ),
        ),
        jobs=("J1",),
    )
    assert case.event == Event(
        type=Happening.WITHDRAW,
        phase=WithdrawalPhase.DURING_CAPTURE,
        purposes=(PurposeGroup.ALL_SECONDARY,),
        copy="D1",
        widens=False,
    )


def test_what_is_left_out_asks_for_more_to_be_done() -> None:
    case = parse_event_case({"id": "X", "before": {"consent": "GIVEN"}, "event": {"type": "WITHDRAW"}})
    assert case.before == Before(consent=ConsentState.GIVEN)
    assert case.before.purposes == (PurposeGroup.ALL,)
    assert case.event == Event(type=Happening.WITHDRAW)


def test_a_giver_may_be_written_as_in_a_case_of_a_decision() -> None:
    case = parse_event_case(written({"giver": {"type": "PR_HOLDER", "id": "mother"}}))
    assert case.before.giver is GiverType.PR_HOLDER


def test_an_answer_has_these_keys_and_no_others() -> None:
    case = parse_event_case(written({"disclosures": [{"id": "D1"}]}))
    assert event_answer(case.id, outcome(case.before, case.event)) == {
        "id": "X-1",
        "consent": "WITHDRAWN",
        "image": "ACTIVE",
        "recalls": ["D1"],
        "not_recallable": [],
        "tasks": ["CONFIRM_RECALL:D1"],
    }


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "case: expected an object"),
        (written(id=None), "case.id: expected text"),
        ({"id": "X", "event": {"type": "WITHDRAW"}}, "case.before: is missing"),
        ({"id": "X", "before": {"consent": "GIVEN"}}, "case.event: is missing"),
        ({**written(), "before": 3}, "case.before: expected an object"),
        (written({"consent": "MAYBE"}), "case.before.consent: expected one of PROPOSED, GIVEN"),
        (written({"consent": None}), "case.before.consent: expected one of"),
        (written({"image": "LOST"}), "case.before.image: expected one of CAPTURING"),
        (written({"giver": "FRIEND"}), "case.before.giver: expected one of"),
        (written({"giver": {"id": "mother"}}), "case.before.giver.type: is missing"),
        (written({"made_for": 1}), "case.before.made_for: expected one of CARE, SECONDARY"),
        (written({"purposes": ["FUN"]}), "case.before.purposes: expected purposes, not FUN"),
        (written({"purposes": [["FUN"]]}), "case.before.purposes: expected purposes, not ['FUN']"),
        (written({"purposes": "TEACHING"}), "case.before.purposes: expected a list"),
        (written({"queue": [1]}), "case.before.queue: expected a list of text"),
        (written({"disclosures": ["D1"]}), "case.before.disclosures[0]: expected an object"),
        (written({"disclosures": [{}]}), "case.before.disclosures[0].id: is missing"),
        (written({"disclosures": [{"id": "D1", "kind": 1}]}), "case.before.disclosures[0].kind: expected text"),
        (written({"disclosures": [{"id": "D1", "form": "RAW"}]}), "case.before.disclosures[0].form: expected one of"),
        (written({"disclosures": [{"id": "D1", "key_destroyed": "no"}]}), "key_destroyed: expected true or false"),
        (written({"disclosures": [{"id": "D1", "purpose": "ALL"}]}), "disclosures[0].purpose: expected one of"),
        (written({"disclosures": [{"id": "D1", "recall": "SOON"}]}), "disclosures[0].recall: expected one of NONE"),
        (written(event={"type": "EARTHQUAKE"}), "case.event.type: expected one of WITHDRAW, REFUSE"),
        (written(event={"phase": "NEVER"}), "case.event.phase: expected one of DURING_CAPTURE"),
        (written(event={"purposes": ["FUN"]}), "case.event.purposes: expected purposes, not FUN"),
        (written(event={"widens": 1}), "case.event.widens: expected true or false"),
        (written(event={"type": "RECALL_CONFIRMED"}), "case.event.disclosure: is missing"),
        (written(event={"disclosure": "D9"}), "case.event.disclosure: expected the id of one of before.disclosures"),
    ],
)
def test_a_case_that_can_t_be_read_names_the_field(value: object, problem: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse_event_case(value)
    assert any(problem in each for each in caught.value.problems), caught.value.problems


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(CaseError) as caught:
        parse_event_case(written({"consent": "MAYBE", "image": "LOST"}, {"type": "EARTHQUAKE"}))
    assert len(caught.value.problems) == 3
