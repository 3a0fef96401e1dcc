"""What a consent must hold: little for the patient's own care, more for each use beyond it and each other giver."""

from __future__ import annotations

from datetime import date

import pytest

from dicomwrap.consentdetails import purposes_digest
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import SECONDARY_PURPOSES, Explained, Purpose
from orthanc_plugin.registry.minimum import gaps
from tests.fakes.pictures import CARE, TEACHING, consent

DAY = date(2026, 11, 22)
ADULT, FIFTEEN = date(1980, 6, 15), date(2010, 1, 1)
LEAST = ["WHY", "USE", "STORAGE"]
EVERYTHING = list(Explained)
LACKS = {"result": "LACKS", "decision": "photographs of the wound", "assessor": "dr-c", "on": "2025-02-28"}
HAS = {**LACKS, "result": "HAS"}
TESTED = {"necessary": True, "best_interests": True, "no_less_restrictive": True}
PAPER = "copy of the authority, scanned 2025-02-28"
PUBLICATION = {
    "purpose": "PUBLICATION",
    "max_form": "IDENTIFIABLE",
    "audience": ["JOURNAL"],
    "named_publication": "Journal of Wounds",
}


def places(record: ConsentRecord, born: date | None = None) -> list[str]:
    return [gap.partition(":")[0] for gap in gaps(record, day=DAY, born=born)]


def scope(purpose: str, *audience: str, **changes: object) -> dict[str, object]:
    return {**CARE, "purpose": purpose, "audience": list(audience or ("CARE_TEAM",)), **changes}


@pytest.mark.parametrize("state", ["GIVEN", "PROPOSED", "REFUSED"])
def test_a_complete_record_has_no_gaps(state: str) -> None:
    assert places(consent(CARE, TEACHING, state=state)) == []


@pytest.mark.parametrize("purpose", ["DIRECT_CARE", "EMERGENCY_CARE", "SUBJECT_ACCESS"])
def test_the_patients_own_care_needs_little(purpose: str) -> None:
    assert places(consent(scope(purpose), explained=LEAST, discussion=None)) == []


def test_a_refusal_needs_no_evidence() -> None:
    assert places(consent(state="REFUSED", explained=[], evidence=None, discussion=None)) == []


@pytest.mark.parametrize("purpose", sorted(SECONDARY_PURPOSES))
def test_a_use_beyond_care_needs_the_discussion_the_audience_and_how_long(purpose: Purpose) -> None:
    record = consent(scope(purpose, named_recipients=["ed-1"]), explained=LEAST, discussion=None)
    missing = "AUDIENCE, PUBLICATION_IS_FINAL" if "PUBLIC" in purpose else "AUDIENCE"
    explained, *rest = gaps(record, day=DAY)
    assert explained.startswith(f"explained: {missing} not ticked")
    assert [gap.partition(":")[0] for gap in rest] == ["discussion", "retention_told"]


@pytest.mark.parametrize("purpose", ["SECOND_OPINION", "ALL", "ALL_SECONDARY"])
def test_a_second_opinion_and_a_blanket_word_need_the_discussion(purpose: str) -> None:
    assert places(consent(scope(purpose), explained=EVERYTHING, discussion=None)) == ["discussion"]


def test_what_was_told_of_retention_may_be_written_instead_of_ticked() -> None:
    explained = [*LEAST, "AUDIENCE"]
    assert places(consent(TEACHING, explained=explained)) == ["retention_told"]
    assert places(consent(TEACHING, explained=explained, retention_told={"text": "ten years"})) == []


@pytest.mark.parametrize(
    ("purpose", "audience", "missing"),
    [
        ("SECOND_OPINION", "PARTNER_ORG_CLINICIAN", "DISPOSAL, TRANSMISSION"),
        ("TEACHING", "EXTERNAL_AUDIENCE", "DISPOSAL, TRANSMISSION"),
        ("PUBLICATION", "JOURNAL", "PUBLICATION_IS_FINAL, TRANSMISSION"),
        ("DIRECT_CARE", "PARTNER_ORG_CLINICIAN", ""),
        ("TEACHING", "TRUST_STUDENTS", ""),
    ],
)
def test_a_use_that_leaves_the_hospital_needs_transmission_explained(purpose: str, audience: str, missing: str) -> None:
    told = [*LEAST, "AUDIENCE", "RETENTION"]
    found = list(gaps(consent(scope(purpose, audience, named_recipients=["r-1"]), explained=told), day=DAY))
    assert [gap.split(" not ticked")[0] for gap in found] == ([f"explained: {missing}"] if missing else [])


@pytest.mark.parametrize("audience", ["SOCIAL_MEDIA", "PERSONAL_DEVICE", "UNKNOWN_AE"])
def test_nobody_agrees_to_a_recipient_that_may_never_receive_but_a_refusal_of_it_is_kept(audience: str) -> None:
    told = scope("DIRECT_CARE", "CARE_TEAM", audience)
    (gap,) = gaps(consent(told), day=DAY)
    assert gap == f"audience: {audience} may never receive; leave it out of DIRECT_CARE"
    assert places(consent(told, state="REFUSED")) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"level": "STUDY"}, ["targets"]),
        ({"level": "IMAGE"}, ["targets"]),
        ({"level": "STUDY", "targets": ["2.25.1"]}, []),
        ({"level": "STUDY", "state": "GIVEN"}, []),
    ],
)
def test_a_refusal_names_what_it_refuses_for_nothing_is_filed_under_it(
    changes: dict[str, object], found: list[str]
) -> None:
    assert places(consent(**{"state": "REFUSED", **changes})) == found


@pytest.mark.parametrize(("died", "found"), [(date(2025, 2, 27), ["decided_on"]), (date(2025, 3, 1), []), (None, [])])
def test_nobody_agrees_after_their_death(died: date | None, found: list[str]) -> None:
    record = consent(decided_on="2025-03-01")
    assert [gap.partition(":")[0] for gap in gaps(record, day=DAY, died=died)] == found


def test_a_publication_names_its_place_or_its_recipients() -> None:
    unnamed = {**PUBLICATION, "named_publication": None}
    assert places(consent(unnamed, explained=EVERYTHING)) == ["named_publication"]
    assert places(consent(PUBLICATION, explained=EVERYTHING)) == []
    assert places(consent({**unnamed, "named_recipients": ["ed-1"]}, explained=EVERYTHING)) == []


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"decided_on": "2026-11-23"}, "decided_on"),
        ({"withdrawn_on": "2026-11-23", "withdrawn_purposes": ["DIRECT_CARE"]}, "withdrawn_on"),
        (
            {"state": "PROPOSED", "withdrawn_on": "2025-11-23", "withdrawn_purposes": ["DIRECT_CARE"]},
            "withdrawn_on",
        ),
        ({"discussion": {"note": "n", "author": "a", "at": "2026-11-23T00:00:00+00:00"}}, "discussion.at"),
        ({"capacity": {**HAS, "on": "2026-11-23"}}, "capacity.on"),
        ({"retention_told": {"text": "a year", "until": "2025-02-28"}}, "retention_told.until"),
        ({"scopes": [{**CARE, "valid_from": "2024-01-01", "valid_to": "2025-02-28"}]}, "valid_to"),
    ],
)
def test_a_day_that_cannot_be_is_refused(changes: dict[str, object], place: str) -> None:
    assert places(consent(**changes)) == [place]


def test_today_at_the_hospital_is_not_the_future() -> None:
    late = {"note": "n", "author": "a", "at": "2026-11-22T23:59:59+00:00"}
    assert places(consent(decided_on="2026-11-22", discussion=late)) == []


@pytest.mark.parametrize(
    ("changes", "gaps_found"),
    [
        ({"evidence": "ORAL_NOTED", "discussion": None}, ["discussion"]),
        ({"evidence": "WITNESSED_ORAL"}, ["document.witness"]),
        ({"evidence": "WITNESSED_ORAL", "document": {"witness": "sister on duty"}}, []),
        ({"document": {"purposes_sha256": "0" * 64}}, ["document.purposes_sha256"]),
        ({"document": {"purposes_sha256": purposes_digest([Purpose.DIRECT_CARE])}}, []),
    ],
)
def test_evidence_must_hold(changes: dict[str, object], gaps_found: list[str]) -> None:
    assert places(consent(**changes)) == gaps_found


def by(kind: str, *scopes: dict[str, object], born: date | None = ADULT, **changes: object) -> list[str]:
    giver = {"type": kind, "id": "g-1", **{key: changes.pop(key) for key in GIVER_KEYS if key in changes}}
    return places(consent(*scopes, giver=giver, explained=EVERYTHING, **changes), born)


GIVER_KEYS = ("authority_document", "competent_at_decision", "competence_assessor", "has_pr")
CONSULTED = {**TESTED, "consulted": ["the patient's sister"]}


@pytest.mark.parametrize("kind", ["LPA_HW", "DEPUTY", "COURT"])
def test_who_stands_in_for_an_adult_shows_a_document_and_the_finding(kind: str) -> None:
    assert by(kind) == ["giver.authority_document", "capacity"]
    assert by(kind, capacity=HAS, authority_document=PAPER) == ["capacity"]
    assert by(kind, capacity=LACKS, authority_document=PAPER) == []
    assert by(kind, TEACHING, capacity=LACKS, authority_document=PAPER) == ["tests"]
    assert by(kind, TEACHING, capacity=LACKS, authority_document=PAPER, tests=TESTED) == []


def test_an_unknown_age_counts_as_adult_where_capacity_is_asked() -> None:
    assert by("COURT", born=None, authority_document=PAPER) == ["capacity"]
    assert by("COURT", born=FIFTEEN, authority_document=PAPER) == []


@pytest.mark.parametrize("kind", ["LPA_HW", "DEPUTY"])
def test_attorneys_and_deputies_decide_for_nobody_under_16(kind: str) -> None:
    assert by(kind, born=FIFTEEN, authority_document=PAPER, capacity=LACKS) == ["giver.type"]


def test_a_best_interests_decision_is_for_care_and_says_why_and_whom_it_asked() -> None:
    assert by("BEST_INTERESTS", capacity=LACKS) == ["tests", "tests.consulted"]
    assert by("BEST_INTERESTS", capacity=LACKS, tests=CONSULTED) == []
    assert by("BEST_INTERESTS", capacity=LACKS, tests={**CONSULTED, "necessary": False}) == ["tests"]
    assert by("BEST_INTERESTS", capacity=LACKS, tests=CONSULTED, discussion=None) == ["discussion"]
    assert by("BEST_INTERESTS", TEACHING, capacity=LACKS, tests=CONSULTED) == ["giver.type"]


def test_a_consultee_speaks_of_research_only() -> None:
    assert by("CONSULTEE", scope("RESEARCH"), authority_document=PAPER, capacity=LACKS) == []
    assert by("CONSULTEE", authority_document=PAPER, capacity=LACKS) == ["giver.type"]


def test_a_relative_without_authority_agrees_to_nothing_but_may_refuse() -> None:
    assert by("RELATIVE_NO_AUTHORITY") == ["giver.type"]
    assert by("RELATIVE_NO_AUTHORITY", state="REFUSED") == []


@pytest.mark.parametrize(
    ("has_pr", "born", "found"),
    [
        (True, FIFTEEN, []),
        (None, FIFTEEN, []),
        (None, None, []),
        (False, FIFTEEN, ["giver.has_pr"]),
        (True, ADULT, ["giver.type"]),
    ],
)
def test_a_parent_has_responsibility_until_the_18th_birthday(
    has_pr: bool | None, born: date | None, found: list[str]
) -> None:
    assert by("PR_HOLDER", born=born, has_pr=has_pr) == found


@pytest.mark.parametrize(
    ("born", "giver", "found"),
    [
        (FIFTEEN, {}, ["giver.competence_assessor"]),
        (FIFTEEN, {"competence_assessor": "dr-g"}, []),
        (FIFTEEN, {"competent_at_decision": "NOT_ASSESSED"}, []),
        (FIFTEEN, {"competent_at_decision": "NO"}, ["giver.competent_at_decision"]),
        (ADULT, {"competent_at_decision": "NO"}, ["giver.competent_at_decision"]),
        (ADULT, {}, []),
        (None, {}, []),
    ],
)
def test_a_child_agrees_when_someone_named_found_them_competent(
    born: date | None, giver: dict[str, object], found: list[str]
) -> None:
    assert by("PATIENT", born=born, **giver) == found


def test_a_patient_who_lacks_capacity_for_this_decision_cannot_make_it() -> None:
    assert by("PATIENT", capacity=LACKS) == ["giver.type"]
    assert by("PATIENT", capacity=HAS) == []


def test_every_gap_is_told_at_once() -> None:
    record = consent(TEACHING, patient_id=None, explained=[], evidence=None, discussion=None)
    assert places(record) == ["patient_id", "explained", "discussion", "retention_told", "evidence"]
