"""Events as JSON."""

from __future__ import annotations

import pytest

from dicomwrap.terms import ConsentState, Form, GiverType, Purpose, PurposeGroup, WithdrawalPhase
from orthanc_plugin.policy.casefields import CaseError
from orthanc_plugin.policy.eventcases import (
    OTHER_WORDS,
    SYNONYMS,
    event_answer,
    parse_event_case,
    readable,
    takes_back,
)
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
    assert event_answer(case, outcome(case.before, case.event)) == {
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
        (written({"consent": {"state": "GIVEN"}}), "case.before.consent: expected one of"),
        (written({"image": {"id": "IMG1"}}), "case.before.image: expected text"),
        (written({"giver": "FRIEND"}), "case.before.giver: expected one of"),
        (written({"giver": {"id": "mother"}}), "case.before.giver.type: is missing"),
        (written({"made_for": 1}), "case.before.made_for: expected one of CARE, SECONDARY"),
        (written({"made_for": "RECORDS_MANAGEMENT"}), "case.before.made_for: expected one of CARE, SECONDARY"),
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
        (written(event={"purpose": ["TEACHING"]}), "case.event.purpose: expected one of DIRECT_CARE"),
        (written(event={"purpose": "FUN"}), "case.event.purpose: expected one of DIRECT_CARE"),
        (written(event={"withdrawn_purposes": ["FUN"]}), "case.event.withdrawn_purposes: expected purposes, not FUN"),
        (written(event={"consent": 1}), "case.event.consent: expected text"),
        (written(event={"type": "BIRTHDAY"}), "case.event.age: is missing"),
        (written(event={"type": "BIRTHDAY", "age": 17}), "case.event.age: expected 16 or 18"),
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
        parse_event_case(written({"consent": "MAYBE", "image": 3}, {"type": "EARTHQUAKE"}))
    assert len(caught.value.problems) == 3


def answered(case: Json) -> Json:
    read = parse_event_case(case)
    return dict(event_answer(read, outcome(read.before, read.event)))


@pytest.mark.parametrize(("word", "meant"), SYNONYMS.items())
def test_an_event_may_be_called_by_another_word(word: str, meant: Happening) -> None:
    named = {"disclosure": "D1"}
    case = written({"disclosures": [{"id": "D1"}]}, {"type": word, **named})
    assert parse_event_case(case).event.type is meant


def test_no_word_stands_for_two_events() -> None:
    assert sum(map(len, OTHER_WORDS.values())) == len(SYNONYMS)
    assert not set(SYNONYMS) & set(Happening)


@pytest.mark.parametrize(("age", "meant"), [(16, Happening.BIRTHDAY_16), (18, Happening.BIRTHDAY_18)])
def test_a_birthday_is_told_by_its_age(age: int, meant: Happening) -> None:
    assert parse_event_case(written(event={"type": "BIRTHDAY", "age": age})).event.type is meant


@pytest.mark.parametrize("consent", [None, "NONE"])
def test_copies_are_recalled_where_no_consent_is_on_record(consent: str | None) -> None:
    found = answered(written({"consent": consent, "disclosures": [{"id": "D1"}]}))
    assert (found["consent"], found["recalls"]) == (consent, ["D1"])


@pytest.mark.parametrize(
    ("image", "event", "after"),
    [
        ("LOST", "WITHDRAW", "LOST"),
        ("LOST", "DIGEST_MISMATCH", "LOST"),
        ("FILED", "EXPIRY", "FILED"),
        ("FILED", "DIGEST_MISMATCH", "QUARANTINED"),
        ("AWAITING_APPROVAL", "APPROVED", "ACTIVE"),
        (None, "DIGEST_MISMATCH", None),
    ],
)
def test_a_picture_keeps_the_word_it_was_told_by_unless_something_happens_to_it(
    image: str | None, event: str, after: str | None
) -> None:
    assert answered(written({"image": image}, {"type": event}))["image"] == after


@pytest.mark.parametrize(
    ("word", "made_for"),
    [
        ("TEACHING", MadeFor.SECONDARY),
        ("ALL_SECONDARY", MadeFor.SECONDARY),
        ("DIRECT_CARE", MadeFor.CARE),
        ("SECOND_OPINION", MadeFor.CARE),
    ],
)
def test_a_picture_may_be_said_to_be_made_for_a_purpose(word: str, made_for: MadeFor) -> None:
    assert parse_event_case(written({"made_for": word})).before.made_for is made_for


@pytest.mark.parametrize(
    "narrow", [{"purpose": "TEACHING"}, {"purposes": ["TEACHING"]}, {"withdrawn_purposes": ["TEACHING"]}]
)
def test_a_withdrawal_takes_only_the_purposes_that_it_names(narrow: Json) -> None:
    found = answered(written({"purposes": ["DIRECT_CARE", "TEACHING"]}, narrow))
    assert (found["consent"], found["image"]) == ("GIVEN", "ACTIVE")


@pytest.mark.parametrize(
    ("before", "event", "recalled"),
    [
        ({}, {}, ["D1", "D0"]),
        ({"consent_id": "C2"}, {}, ["D2", "D0"]),
        ({}, {"consent": "C2"}, ["D2", "D0"]),
        ({"consent_id": "C1"}, {"consent": "C2"}, ["D1", "D0"]),
    ],
)
def test_only_copies_under_the_consent_are_recalled(before: Json, event: Json, recalled: list[str]) -> None:
    copies = [{"id": "D1", "under": "C1"}, {"id": "D2", "under": "C2"}, {"id": "D0"}]
    assert answered(written({**before, "disclosures": copies}, event))["recalls"] == recalled


def test_copies_under_any_consent_are_recalled_where_none_is_the_one_of_the_case() -> None:
    copies = [{"id": "D2", "under": "C2"}, {"id": "D3", "under": "C3"}]
    assert answered(written({"disclosures": copies}))["recalls"] == ["D2", "D3"]


@pytest.mark.parametrize(
    ("value", "id_", "consent", "image"),
    [
        (written(event={"type": "EARTHQUAKE"}), "X-1", "GIVEN", "ACTIVE"),
        (written({"consent": "MAYBE", "image": 3}), "X-1", "MAYBE", None),
        ({"id": 7, "before": {"consent": ["GIVEN"], "image": "LOST"}}, None, None, "LOST"),
        ({"id": "X"}, "X", None, None),
        ({"id": "X", "before": "GIVEN"}, "X", None, None),
        ([], None, None, None),
        (None, None, None, None),
    ],
)
def test_what_can_be_named_is_named_though_the_rest_can_t_be_read(
    value: object, id_: str | None, consent: str | None, image: str | None
) -> None:
    case = readable(value)
    assert (case.id or None, case.consent, case.image) == (id_, consent, image)


@pytest.mark.parametrize(
    ("before", "event"),
    [
        ({"queue": [{"id": "JOB1"}]}, {}),
        ({"giver": "FRIEND", "made_for": "FUN"}, {}),
        ({"purposes": ["FUN"]}, {}),
        ({}, {"phase": "SOON"}),
        ({}, {"purpose": "FUN"}),
        ({}, {"purposes": ["RESEARCH", "FUN"]}),
        ({}, {"withdrawn_purposes": "RESEARCH"}),
        ({}, {"disclosure": "D9"}),
        ({"disclosures": [{"id": "D1", "form": "PSEUDONYMISED", "purpose": "FUN", "recall": "REQUESTED"}, {}, 3]}, {}),
    ],
)
def test_a_detail_that_can_t_be_read_is_left_out_so_that_more_is_done(before: Json, event: Json) -> None:
    value = written({"disclosures": [{"id": "D1"}], **before}, event)
    with pytest.raises(CaseError):
        parse_event_case(value)
    case = readable(value)
    found = outcome(case.before, case.event)
    assert (found.consent, found.recalls) == (ConsentState.WITHDRAWN, ("D1",))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("WITHDRAW", True),
        ("CHILD_OBJECTS", True),
        ("REFUSED", True),
        ("EXPIRY", False),
        ("EARTHQUAKE", False),
        (3, False),
    ],
)
def test_only_a_word_that_is_taken_back_counts_whatever_else_there_is(word: object, expected: bool) -> None:
    assert takes_back({"event": {"type": word}}) is expected
    assert not takes_back({"event": word})
