"""The parts of a consent file that are objects of their own: read whole or refused, left out when they say nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from dicomwrap.consentdetails import purposes_digest
from dicomwrap.consentfile import as_mapping, consent_json, read_consent
from dicomwrap.consentrecord import EvidenceDocument, Giver, RetentionTold, Support, Withdrawal
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import CapacityResult, GiverType, Purpose, PurposeGroup, WithdrawalPhase
from tests.unit.dicomwrap.objects import CONSENT

FLAT = json.loads(CONSENT)
FINDING = {"result": "LACKS", "decision": "photographs of the wound", "assessor": "dr-c", "on": "2025-02-28"}
DIGEST = "0123456789abcdef" * 4
WHOLE = {
    "giver": {
        "type": "LPA_HW",
        "id": "att-1",
        "competent_at_decision": "NA",
        "relationship": "daughter",
        "authority_document": "LPA register copy",
        "competence_assessor": "dr-c",
        "has_pr": False,
    },
    "tests": {
        "necessary": True,
        "best_interests": True,
        "no_less_restrictive": False,
        "consulted": ["the son", "the ward sister"],
    },
    "discussion": {"note": "Told.\nAsked.", "author": "dr-c", "role": "registrar", "at": "2025-03-01T14:30:00+01:00"},
    "capacity": {**FINDING, "method": "asked twice"},
    "document": {
        "object_uid": "1.2.3",
        "sha256": DIGEST,
        "form_id": "IMI-3",
        "form_version": "2019",
        "purposes_sha256": DIGEST,
        "witness": "sister on duty",
    },
    "retention_told": {"text": "ten years", "until": "2035-03-01"},
    "support": {
        "interpreter": "phone line",
        "language": "cy",
        "easy_read": True,
        "carer": "key worker",
        "aids": ["picture cards"],
    },
    "withdrawal": {"by": "att-1", "phase": "IMMEDIATELY_AFTER", "reason": "no", "how_received": "by phone"},
    "withdrawn_on": "2025-03-02",
    "withdrawn_purposes": ["TEACHING"],
    "conditions": ["not my face", 'signed "\\o/"'],
    "legal_basis": ["6(1)(e)", "9(2)(h)"],
    "previous_id": "urn:x:0",
    "source_system": "epr",
    "state_reason": "as the form says",
}
# What version 1 wrote for ``CONSENT``; its bytes are sealed in trails.
AS_WRITTEN_BEFORE = {
    "id": "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "version": 3,
    "patient_id": "P1",
    "issuer": "HOSP",
    "level": "PATIENT",
    "targets": [],
    "state": "GIVEN",
    "giver": {"type": "PATIENT", "id": "P1", "competent_at_decision": "YES"},
    "decided_on": "2025-03-01",
    "withdrawn_on": None,
    "withdrawn_purposes": None,
    "tests": None,
    "evidence": "SIGNED_FORM",
    "explained": [],
    "discussion": None,
    "purposes": ["DIRECT_CARE", "TEACHING"],
    "max_form": "IDENTIFIABLE",
    "audience": ["CARE_TEAM", "TRUST_STUDENTS"],
    "named_recipients": [],
    "named_publication": None,
    "valid_from": "2025-03-01",
    "valid_to": None,
}
# What was written of withdrawals when a record had one day for all of them.
WITHDRAWN_BEFORE = [
    {"state": "WITHDRAWN", "withdrawn_on": "2025-04-01", "withdrawn_purposes": None},
    {"state": "ENTERED_IN_ERROR", "withdrawn_on": "2025-04-01", "withdrawn_purposes": None},
    {"state": "GIVEN", "withdrawn_on": "2025-04-01", "withdrawn_purposes": ["TEACHING"]},
    {"state": "WITHDRAWN", "withdrawn_on": "2025-04-01", "withdrawn_purposes": ["TEACHING"]},
    {"state": "EXPIRED", "withdrawn_on": "2025-04-01", "withdrawn_purposes": ["ALL_SECONDARY"]},
    {"state": "SUPERSEDED", "withdrawn_on": "2025-04-01", "withdrawn_purposes": ["DIRECT_CARE", "TEACHING"]},
]


def text(**changes: object) -> str:
    return json.dumps({**FLAT, **changes})


def problems(**changes: object) -> tuple[str, ...]:
    with pytest.raises(ConsentFileError) as caught:
        read_consent(text(**changes))
    return caught.value.problems


def test_every_key_is_read_and_written_as_it_was() -> None:
    mapping = as_mapping(read_consent(text(**WHOLE)))
    assert {key: mapping[key] for key in WHOLE} == WHOLE


def test_the_values_read_are_those_of_the_file() -> None:
    record = read_consent(text(**WHOLE))
    assert (record.giver.type, record.giver.has_pr) == (GiverType.LPA_HW, False)
    assert record.tests is not None
    assert record.tests.consulted == ("the son", "the ward sister")
    assert record.discussion is not None
    assert record.discussion.at == datetime(2025, 3, 1, 13, 30, tzinfo=UTC)
    assert record.capacity is not None
    assert record.capacity.result is CapacityResult.LACKS
    assert record.retention_told == RetentionTold(text="ten years", until=date(2035, 3, 1))
    assert record.withdrawal is not None
    assert record.withdrawal.phase is WithdrawalPhase.IMMEDIATELY_AFTER
    assert [scope.legal_basis for scope in record.scopes] == [("6(1)(e)", "9(2)(h)")] * 2


def test_a_record_from_before_is_written_byte_for_byte_as_it_was() -> None:
    assert consent_json(read_consent(CONSENT)) == json.dumps(AS_WRITTEN_BEFORE, ensure_ascii=False, indent=1)


@pytest.mark.parametrize("withdrawn", WITHDRAWN_BEFORE)
@pytest.mark.parametrize("note", [{}, {"withdrawal": {"by": "P1", "phase": "LATER", "how_received": "by phone"}}])
def test_what_was_withdrawn_on_one_day_is_written_byte_for_byte_as_it_was(
    withdrawn: dict[str, object], note: dict[str, object]
) -> None:
    before = {**AS_WRITTEN_BEFORE, **withdrawn}
    places = list(before)
    at = places.index("purposes")  # the note stands before the scopes
    stored = {key: before[key] for key in places[:at]} | note | {key: before[key] for key in places[at:]}
    written = json.dumps(stored, ensure_ascii=False, indent=1)
    assert consent_json(read_consent(written)) == written


def test_scopes_may_differ_in_conditions() -> None:
    scope = {"purpose": "TEACHING", "max_form": "ANONYMISED", "audience": ["TRUST_STUDENTS"]}
    rest = {key: value for key, value in FLAT.items() if key not in ("purposes", "max_form", "audience")}
    scopes = [{**scope, "conditions": ["not my face"]}, {**scope, "purpose": "LOCAL_AUDIT"}]
    record = read_consent(json.dumps({**rest, "scopes": scopes}))
    assert [each.conditions for each in record.scopes] == [("not my face",), ()]
    assert read_consent(consent_json(record)) == record


def test_an_empty_part_is_there_and_says_nothing() -> None:
    record = replace(read_consent(CONSENT), document=EvidenceDocument(), support=Support())
    assert (as_mapping(record)["document"], as_mapping(record)["support"]) == ({}, {"easy_read": False})
    assert read_consent(consent_json(record)) == record


def test_what_is_left_out_has_its_default() -> None:
    record = read_consent(text(withdrawn_on="2025-03-02", withdrawn_purposes=["TEACHING"], withdrawal={}))
    assert record.withdrawal == Withdrawal()
    assert record.giver == Giver(type=GiverType.PATIENT, id="P1")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"giver": {"type": "PATIENT", "has_pr": "yes"}}, "giver.has_pr: must be true or false"),
        ({"giver": {"type": "PATIENT", "relationship": "x" * 65}}, "giver.relationship: "),
        ({"giver": {"type": "PATIENT", "authority_document": "x" * 257}}, "giver.authority_document: "),
        ({"tests": {"necessary": True, "consulted": "son"}}, "tests.consulted: must be a list"),
        ({"tests": {"necessary": True, "consulted": ["son", ""]}}, "tests.consulted[1]: must be text of at most 1000"),
        ({"tests": {"necessary": True, "consulted": ["x"] * 101}}, "tests.consulted: must list at most 100"),
        ({"tests": {"necessary": True, "consulted": [None]}}, "tests.consulted[0]: is missing"),
        ({"discussion": {"note": "n", "author": "a", "at": "2025-03-01"}}, "discussion.at: must be a moment"),
        ({"discussion": {"note": "n", "author": "a", "at": "2025-03-01T10:00:00"}}, "discussion.at: must be a moment"),
        ({"discussion": {"note": "n", "author": "a", "at": "2025-02-29T10:00:00Z"}}, "discussion.at: must be a"),
        ({"discussion": {"note": "n", "author": "a", "at": "0001-01-01T00:00:00+01:00"}}, "discussion.at: must be a"),
        ({"discussion": {"note": "n", "author": "a", "at": 7}}, "discussion.at: must be a moment"),
        ({"capacity": {}}, "capacity.result: is missing"),
        ({"capacity": {**FINDING, "result": "MAYBE"}}, "capacity.result: 'MAYBE' is unknown; allowed are HAS, LACKS"),
        ({"capacity": {**FINDING, "on": "soon"}}, "capacity.on: must be a date"),
        ({"capacity": {**FINDING, "mood": "low"}}, "capacity.mood: is not known here"),
        ({"capacity": "LACKS"}, "capacity: must be an object"),
        ({"document": {"object_uid": "one"}}, "document.object_uid: must be a DICOM UID"),
        ({"document": {"sha256": DIGEST.upper()}}, "document.sha256: must be a SHA-256"),
        ({"document": {"purposes_sha256": "ab"}}, "document.purposes_sha256: must be a SHA-256"),
        ({"retention_told": {"until": "2035-01-01"}}, "retention_told.text: is missing"),
        ({"support": {"easy_read": 1}}, "support.easy_read: must be true or false"),
        ({"support": {"aids": [7]}}, "support.aids[0]: must be text"),
        ({"withdrawal": {"by": "P1"}}, "withdrawal: needs withdrawn_on"),
        (
            {"withdrawal": {"phase": "SOON"}, "withdrawn_on": "2025-03-02", "state": "WITHDRAWN"},
            "withdrawal.phase: 'SOON' is unknown; allowed are DURING_CAPTURE",
        ),
        ({"conditions": "not my face"}, "conditions: must be a list"),
        ({"legal_basis": ["x" * 1001]}, "legal_basis[0]: must be text of at most 1000"),
        ({"previous_id": ""}, "previous_id: must not be empty"),
        ({"previous_id": "x" * 257}, "previous_id: "),
        ({"source_system": 5}, "source_system: must be text"),
        ({"state_reason": "x" * 1001}, "state_reason: must be text of at most 1000"),
    ],
)
def test_a_fault_in_a_part_is_told_with_its_place(changes: dict[str, object], place: str) -> None:
    assert any(problem.startswith(place) for problem in problems(**changes))


def test_a_record_entered_in_error_keeps_the_day_of_its_withdrawal() -> None:
    record = read_consent(text(state="ENTERED_IN_ERROR", withdrawn_on="2025-03-02", withdrawal={"by": "P1"}))
    assert {each.on for each in record.withdrawn} == {date(2025, 3, 2)}


def test_the_digest_of_purposes_does_not_depend_on_their_order() -> None:
    words = (Purpose.TEACHING, PurposeGroup.ALL, Purpose.TEACHING)
    assert purposes_digest(words) == purposes_digest(reversed(words)) != purposes_digest([PurposeGroup.ALL])
    assert purposes_digest([Purpose.TEACHING]) == "1bd2d526bbee005161ec91100e1b51158dcddef6a85ac943383d9a213967e8f4"
