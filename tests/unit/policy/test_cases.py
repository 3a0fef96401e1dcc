"""Cases as JSON."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date
from typing import cast

import pytest

from dicomwrap.terms import Audience, Purpose, PurposeGroup
from orthanc_plugin.policy.casefields import CaseError
from orthanc_plugin.policy.cases import answer, parse_case
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import AuthorityType, BreakGlass, Effect, SecondaryUseRule, WithdrawnPurpose
from tests.unit.policy.building import PASSED, TODAY, gone

Json = dict[str, object]

WRITTEN = """
{"id": "X-1", "description": "ignored", "source": "ignored", "expected": {"decision": "DENY", "obligations": []},
 "patient": {"id": "P1", "dob": "1980-06-15", "death_date": null, "capacity": "LACKS", "gillick": "NA",
             "national_data_opt_out": false},
 "image": {"id": "IMG1", "type": "CLINICAL_PHOTO", "made_on": "2025-03-01", "made_for": "CARE",
           "source": "DEPARTMENT", "shows": ["SKIN_LESION"], "anonymisable": "YES", "intimate": false,
           "covert": false, "familial": false, "legacy": false, "status": "ACTIVE"},
 "consents": [{"id": "C1", "level": "IMAGE", "state": "WITHDRAWN",
               "giver": {"type": "LPA_HW", "id": "lpa-1", "competent_at_decision": "YES"},
               "decided_on": "2025-03-01", "valid_from": "2025-03-01", "valid_to": "2030-01-01",
               "withdrawn_on": "2026-01-01", "withdrawn_purposes": ["PUBLICATION"],
               "purposes": ["TEACHING", "ALL_SECONDARY"], "max_form": "IDENTIFIABLE",
               "audience": ["TRUST_STUDENTS"], "named_recipients": ["x"], "named_publication": "bmj-77",
               "tests": {"necessary": true, "best_interests": true, "no_less_restrictive": true},
               "evidence": "SIGNED_FORM"}],
 "authorities": [{"type": "EXECUTOR", "verified": true, "covers_image": true, "approved_by": null,
                  "requested_by": "r", "notify_prohibited": false}],
 "policy": {"anonymised_secondary_use_of_care_photographs": "GMC17"},
 "request": {"as_of": "2026-11-20", "purpose": "TEACHING",
             "recipient": {"type": "TRUST_STUDENTS", "id": "x", "verified": true, "approved_channel": true},
             "identifiable": true, "content": "PIXELS",
             "break_glass": {"reason": "bleeding", "by_clinician": true}}}
"""


@pytest.fixture
def written() -> Json:
    return cast("Json", json.loads(WRITTEN))


def part(value: Json, *path: str | int) -> Json:
    found: object = value
    for step in path:
        found = found[step]  # type: ignore[index]
    return cast("Json", found)


def test_every_field_is_read(written: Json) -> None:
    case = parse_case(written)
    consent = case.consents[0]
    assert consent.purposes == (Purpose.TEACHING, PurposeGroup.ALL_SECONDARY)
    assert consent.withdrawn == gone(date(2026, 1, 1), Purpose.PUBLICATION)
    assert (consent.tests, consent.named_recipients, consent.named_publication) == (PASSED, ("x",), "bmj-77")
    assert case.authorities[0].type is AuthorityType.EXECUTOR
    assert case.switches.anonymised_secondary_use_of_care_photographs is SecondaryUseRule.GMC17
    assert case.request.break_glass == BreakGlass(reason="bleeding", by_clinician=True)
    assert case.image.shows == ("SKIN_LESION",)


def test_what_may_be_absent_is_written_as_null(written: Json) -> None:
    for name in ("valid_to", "withdrawn_on", "withdrawn_purposes", "named_recipients", "named_publication", "tests"):
        part(written, "consents", 0)[name] = None
    part(written, "patient")["dob"] = part(written, "request")["break_glass"] = None
    case = parse_case(written)
    assert (case.consents[0].tests, case.consents[0].valid_to, case.patient.dob) == (None, None, None)


BOTH = (Purpose.TEACHING, PurposeGroup.ALL_SECONDARY)
WRITTEN_ON = date(2026, 1, 1)
STEPS = [{"purpose": "TEACHING", "on": "2026-02-01"}, {"purpose": "PUBLICATION", "on": "2026-03-01"}]


@pytest.mark.parametrize(
    ("changes", "withdrawn"),
    [
        ({"withdrawn_purposes": None}, gone(WRITTEN_ON, *BOTH)),
        ({"withdrawn_purposes": []}, gone(WRITTEN_ON, *BOTH)),
        ({"withdrawn_purposes": None, "withdrawn_on": None}, gone(TODAY, *BOTH)),
        ({"withdrawn_on": None}, gone(TODAY, Purpose.PUBLICATION)),
        ({"withdrawn_on": None, "state": "SUPERSEDED"}, gone(TODAY, Purpose.PUBLICATION)),
        ({"withdrawn_purposes": None, "state": "SUPERSEDED"}, ()),
        ({"withdrawn_purposes": None, "state": "GIVEN"}, gone(WRITTEN_ON, *BOTH)),
        ({"withdrawn_on": None, "state": "GIVEN"}, ()),
        (
            {"withdrawn": STEPS},
            (*gone(date(2026, 2, 1), Purpose.TEACHING), *gone(date(2026, 3, 1), Purpose.PUBLICATION)),
        ),
        ({"withdrawn": []}, ()),
        ({"withdrawn": None}, gone(WRITTEN_ON, Purpose.PUBLICATION)),
    ],
)
def test_what_is_withdrawn_has_one_day_or_each_use_its_own(
    written: Json, changes: Json, withdrawn: tuple[WithdrawnPurpose, ...]
) -> None:
    part(written, "consents", 0).update(changes)
    assert parse_case(written).consents[0].withdrawn == withdrawn


@pytest.mark.parametrize("purpose", ["AI_TRAINING", ""])
def test_an_unknown_purpose_is_read_and_denied(written: Json, purpose: str) -> None:
    part(written, "request")["purpose"] = purpose
    assert decide(parse_case(written)).rules == ("R0.purpose",)


def test_an_unknown_kind_of_recipient_is_an_unknown_destination(written: Json) -> None:
    part(written, "request", "recipient")["type"] = "FAX"
    case = parse_case(written)
    assert case.request.recipient.type is Audience.UNKNOWN_AE
    assert decide(case).rules == ("R0.destination",)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("consents", 0, "purposes"), ["TEACHING", "AI"], "case.consents[0].purposes: expected purposes, not AI"),
        (("consents", 0, "withdrawn"), "x", "case.consents[0].withdrawn: expected a list"),
        (("consents", 0, "withdrawn"), [{"on": "2026-01-01"}], "case.consents[0].withdrawn[0].purpose: is missing"),
        (
            ("consents", 0, "withdrawn"),
            [{"purpose": "AI", "on": "x"}],
            "case.consents[0].withdrawn[0].purpose: expected a purpose, not AI",
        ),
        (("consents", 0, "audience"), ["FAX"], "case.consents[0].audience: expected audiences, not FAX"),
        (("consents", 0, "giver", "type"), "AUNT", "case.consents[0].giver.type: expected one of PATIENT"),
        (("consents", 0, "decided_on"), "2025-02-30", "case.consents[0].decided_on: expected a date"),
        (("consents", 0, "decided_on"), "20250301", "case.consents[0].decided_on: expected a date"),
        (("consents", 0, "decided_on"), None, "case.consents[0].decided_on: expected a date"),
        (("consents", 0, "tests"), "yes", "case.consents[0].tests: expected an object"),
        (("consents", 0), 7, "case.consents[0]: expected an object"),
        (("consents",), None, "case.consents: expected a list"),
        (("image", "intimate"), 0, "case.image.intimate: expected true or false"),
        (("image", "type"), "PHOTO", "case.image.type: expected one of CLINICAL_PHOTO"),
        (("image", "shows"), [1], "case.image.shows: expected a list of text"),
        (("patient",), None, "case.patient: expected an object"),
        (("patient", "capacity"), True, "case.patient.capacity: expected one of HAS"),
        (("request", "purpose"), None, "case.request.purpose: expected text"),
        (("policy", "anonymised_secondary_use_of_care_photographs"), "", "expected one of REQUIRE_CONSENT, GMC17"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    written: Json, path: tuple[str | int, ...], value: object, problem: str
) -> None:
    holder = part(written, *path[:-1])
    holder[path[-1]] = value  # type: ignore[index]
    with pytest.raises(CaseError) as caught:
        parse_case(written)
    assert any(problem in told for told in caught.value.problems)
    assert caught.value.remedy in str(caught.value)


def test_every_missing_field_is_told_once(written: Json) -> None:
    def names(value: object, place: str) -> list[str]:
        if isinstance(value, dict):
            return [found for name in value for found in [f"{place}.{name}", *names(value[name], f"{place}.{name}")]]
        if isinstance(value, list):
            return [found for number, each in enumerate(value) for found in names(each, f"{place}[{number}]")]
        return []

    ignored = ("case.description", "case.source", "case.expected")
    for name in names(written, "case"):
        if name.startswith(ignored):
            continue
        changed = deepcopy(written)
        steps = name.replace("[0]", ".0").split(".")[1:]
        holder = part(changed, *[int(step) if step.isdigit() else step for step in steps[:-1]])
        del holder[steps[-1]]
        with pytest.raises(CaseError) as caught:
            parse_case(changed)
        assert caught.value.problems == (f"{name}: is missing",)


def test_all_problems_are_told_at_once(written: Json) -> None:
    part(written, "image")["type"] = "PHOTO"
    part(written, "patient")["dob"] = "yesterday"
    with pytest.raises(CaseError) as caught:
        parse_case(written, "cases[3]")
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "cases[3].patient.dob",
        "cases[3].image.type",
    ]


@pytest.mark.parametrize("value", [None, [], "case", 3])
def test_what_is_no_object_is_no_case(value: object) -> None:
    with pytest.raises(CaseError):
        parse_case(value)


def test_the_answer_is_ready_for_json(written: Json) -> None:
    part(written, "request")["break_glass"] = None
    decision = decide(parse_case(written))
    told = answer("X-1", decision)
    assert list(told) == ["id", "decision", "obligations", "reasons", "rules"]
    assert json.loads(json.dumps(told)) == told
    assert told["decision"] == Effect.PERMIT_IDENTIFIABLE
