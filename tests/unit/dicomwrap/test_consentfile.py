"""Consent files: read whole or refused with every fault and its place."""

from __future__ import annotations

import json
from datetime import date

import pytest

from dicomwrap.consentfile import as_mapping, consent_json, read_consent
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import Audience, Competence, Form, Purpose, WithdrawnPurpose
from tests.unit.dicomwrap.objects import CONSENT

FLAT = json.loads(CONSENT)
SCOPE = {"purpose": "TEACHING", "max_form": "ANONYMISED", "audience": ["TRUST_STUDENTS"]}
SCOPED = {
    **{key: value for key, value in FLAT.items() if key not in ("purposes", "max_form", "audience")},
    "scopes": [SCOPE],
}


def with_changes(base: dict[str, object], **changes: object) -> str:
    return json.dumps({key: value for key, value in {**base, **changes}.items() if value is not ...})


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConsentFileError) as caught:
        read_consent(text)
    return caught.value.problems


def test_a_flat_file_gives_one_scope_for_each_purpose() -> None:
    record = read_consent(CONSENT)
    assert [scope.purpose for scope in record.scopes] == [Purpose.DIRECT_CARE, Purpose.TEACHING]
    assert {scope.max_form for scope in record.scopes} == {Form.IDENTIFIABLE}
    assert record.scopes[0].audience == (Audience.CARE_TEAM, Audience.TRUST_STUDENTS)
    assert record.scopes[0].valid_from == record.decided_on == date(2025, 3, 1)
    assert (record.version, record.patient_id, record.giver.competent_at_decision) == (3, "P1", Competence.YES)


def test_scopes_may_differ_in_form_audience_and_time() -> None:
    second = {"purposes": ["RESEARCH", "LOCAL_AUDIT"], "max_form": "IDENTIFIABLE", "audience": ["RESEARCH_TEAM"]}
    record = read_consent(with_changes(SCOPED, scopes=[SCOPE, {**second, "valid_to": "2030-01-01"}]))
    assert [scope.purpose for scope in record.scopes] == [Purpose.TEACHING, Purpose.RESEARCH, Purpose.LOCAL_AUDIT]
    assert [scope.valid_to for scope in record.scopes] == [None, date(2030, 1, 1), date(2030, 1, 1)]


@pytest.mark.parametrize("text", [CONSENT, with_changes(SCOPED), with_changes(FLAT, named_recipients=["dr-q"])])
def test_what_is_written_is_read_back(text: str) -> None:
    record = read_consent(text)
    assert read_consent(consent_json(record)) == record
    assert read_consent(json.dumps(as_mapping(record))) == record


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"id": ...}, "id: is missing"),
        ({"id": ""}, "id: must not be empty"),
        ({"id": 7}, "id: must be text"),
        ({"id": "a\ud800"}, "id: must not hold control"),
        ({"version": 0}, "version: "),
        ({"version": True}, "version: "),
        ({"state": ...}, "state: is missing"),
        ({"state": "SORT_OF"}, "state: 'SORT_OF' is unknown; allowed are PROPOSED, GIVEN"),
        ({"giver": ...}, "giver: is missing"),
        ({"giver": "PATIENT"}, "giver: must be an object"),
        ({"giver": {"id": "x"}}, "giver.type: is missing"),
        ({"giver": {"type": "PATIENT", "mood": "good"}}, "giver.mood: is not known"),
        ({"decided_on": ...}, "decided_on: is missing"),
        ({"decided_on": "01.03.2025"}, "decided_on: must be a date"),
        ({"decided_on": "2025-02-29"}, "decided_on: must be a date"),
        ({"purposes": ...}, "purposes: is missing"),
        ({"purposes": []}, "purposes: must name"),
        ({"purposes": "TEACHING"}, "purposes: must be a list"),
        ({"purposes": ["DIRECT_CARE", "WALLPAPER"]}, "purposes[1]: 'WALLPAPER' is unknown; allowed are DIRECT_CARE, "),
        ({"purposes": ["DIRECT_CARE", "DIRECT_CARE"]}, "purposes: names a word twice"),
        ({"purposes": [["DIRECT_CARE"]]}, "purposes[0]: must be text"),
        ({"max_form": ...}, "max_form: is missing"),
        ({"audience": []}, "audience: must name"),
        ({"audience": [None]}, "audience[0]: must be text"),
        ({"valid_to": "2025-02-28"}, "valid_to: must not be before valid_from"),
        ({"withdrawn_on": "2025-06-01"}, "withdrawn_on: needs state WITHDRAWN"),
        ({"state": "WITHDRAWN"}, "withdrawn_on: is missing"),
        ({"state": "WITHDRAWN", "withdrawn_on": "2025-02-01"}, "withdrawn_on: must not be before decided_on"),
        ({"withdrawn_purposes": ["TEACHING"]}, "withdrawn_on: is missing"),
        ({"state": "WITHDRAWN", "withdrawn": []}, "withdrawn_on: is missing"),
        ({"withdrawn": "TEACHING"}, "withdrawn: must be a list"),
        ({"withdrawn": ["TEACHING"]}, "withdrawn[0]: must be an object"),
        ({"withdrawn": [{"purpose": "TEACHING"}]}, "withdrawn[0].on: is missing"),
        ({"withdrawn": [{"on": "2025-06-01"}]}, "withdrawn[0].purpose: is missing"),
        ({"withdrawn": [{"purpose": "FUN", "on": "2025-06-01"}]}, "withdrawn[0].purpose: 'FUN' is unknown"),
        ({"withdrawn": [{"purpose": "TEACHING", "on": "2025-06-01", "by": "P1"}]}, "withdrawn[0].by: is not known"),
        ({"withdrawn": [{"purpose": "TEACHING", "on": "2025-02-01"}]}, "withdrawn: must not be before decided_on"),
        ({"withdrawn": [{"purpose": "TEACHING", "on": "2025-06-01"}] * 2}, "withdrawn: names a purpose twice"),
        (
            {"withdrawn": [{"purpose": "TEACHING", "on": "2025-06-01"}], "withdrawn_on": "2025-06-01"},
            "withdrawn_on: must not stand beside withdrawn",
        ),
        (
            {"withdrawn": [], "withdrawn_purposes": ["TEACHING"]},
            "withdrawn_purposes: must not stand beside withdrawn",
        ),
        ({"tests": {"necessary": "yes"}}, "tests.necessary: must be true or false"),
        ({"evidence": "IMPLIED"}, "evidence: 'IMPLIED' is unknown"),
        ({"discussion": {"note": "told"}}, "discussion.author: is missing"),
        ({"targets": ["1.2.3"]}, "targets: must be empty when the level is PATIENT"),
        ({"level": "IMAGE", "targets": ["1.2.x"]}, "targets[0]: must be a DICOM UID"),
        ({"named_recipients": [None]}, "named_recipients[0]: is missing"),
        ({"colour": "blue"}, "colour: is not known here"),
        ({"scopes": [SCOPE]}, "purposes: must not stand beside scopes"),
    ],
)
def test_a_fault_is_told_with_its_place(changes: dict[str, object], place: str) -> None:
    assert any(problem.startswith(place) for problem in problems(with_changes(FLAT, **changes)))


@pytest.mark.parametrize(
    ("scopes", "place"),
    [
        ([], "scopes: must be a list of at least one"),
        ({}, "scopes: must be a list of at least one"),
        ([SCOPE, {**SCOPE, "purpose": "FUN"}], "scopes[1].purpose: 'FUN' is unknown"),
        ([SCOPE, {**SCOPE, "purposes": ["TEACHING"]}], "scopes[1].purpose: write either"),
        ([{"max_form": "ANONYMISED", "audience": ["JOURNAL"]}], "scopes[0].purpose: write either"),
        ([{"purpose": "TEACHING"}], "scopes[0].audience: is missing"),
        ([{**SCOPE, "colour": 1}], "scopes[0].colour: is not known"),
        (["TEACHING"], "scopes[0]: must be an object"),
        ([{**SCOPE, "purpose": None, "purposes": []}], "scopes[0].purposes: must name"),
    ],
)
def test_a_fault_within_a_scope_is_told_with_its_place(scopes: object, place: str) -> None:
    assert any(problem.startswith(place) for problem in problems(with_changes(SCOPED, scopes=scopes)))


def test_all_faults_are_told_at_once() -> None:
    assert len(problems(with_changes(FLAT, state="X", decided_on="X", purposes=["X"], max_form="X", extra=1))) >= 5


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, "9" * 5000, "{'id': 1}"])
def test_what_is_no_object_is_refused(text: str) -> None:
    assert problems(text)


def test_a_key_written_twice_is_refused() -> None:
    assert problems(CONSENT.replace('"version": 3', '"version": 3, "version": 4')) == ("'version': is written twice",)


def test_a_partial_withdrawal_keeps_its_purposes() -> None:
    record = read_consent(with_changes(FLAT, withdrawn_on="2025-06-01", withdrawn_purposes=["TEACHING"]))
    assert record.withdrawn == (WithdrawnPurpose(purpose=Purpose.TEACHING, on=date(2025, 6, 1)),)


STEPS = [{"purpose": "TEACHING", "on": "2025-06-01"}, {"purpose": "DIRECT_CARE", "on": "2025-07-01"}]


def test_each_purpose_may_be_withdrawn_on_a_day_of_its_own() -> None:
    record = read_consent(with_changes(FLAT, state="WITHDRAWN", withdrawn=STEPS))
    assert [
        record.withdrawn_since(purpose) for purpose in (Purpose.DIRECT_CARE, Purpose.TEACHING, Purpose.RESEARCH)
    ] == [
        date(2025, 7, 1),
        date(2025, 6, 1),
        None,
    ]
    assert as_mapping(record)["withdrawn"] == STEPS
    assert {"withdrawn_on", "withdrawn_purposes"}.isdisjoint(as_mapping(record))


@pytest.mark.parametrize("purposes", [None, []])
def test_a_withdrawal_that_names_no_purpose_takes_back_all(purposes: list[str] | None) -> None:
    record = read_consent(with_changes(FLAT, state="WITHDRAWN", withdrawn_on="2025-06-01", withdrawn_purposes=purposes))
    assert record.withdrawn_purposes == {Purpose.DIRECT_CARE, Purpose.TEACHING}
    assert (as_mapping(record)["withdrawn_on"], as_mapping(record)["withdrawn_purposes"]) == ("2025-06-01", None)


def test_purposes_that_were_withdrawn_on_the_same_day_are_written_with_one() -> None:
    same = [{**step, "on": "2025-06-01"} for step in STEPS]
    mapping = as_mapping(read_consent(with_changes(FLAT, withdrawn=same)))
    assert (mapping["withdrawn_on"], mapping["withdrawn_purposes"]) == ("2025-06-01", ["TEACHING", "DIRECT_CARE"])
