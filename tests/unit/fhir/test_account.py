"""An account of disclosures as FHIR R4: AuditEvents and Provenances, judged by a library that is not ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from fhir.resources.R4B.bundle import Bundle

from orthanc_plugin.fhir.account import BALP, to_fhir
from orthanc_plugin.policy.accounts import Entry, Standing

MADE = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ENTRY = Entry(
    disclosure="D1",
    decision="decision-1",
    at=MADE,
    day=date(2026, 11, 22),
    taken_on=date(2025, 3, 1),
    image="1.2.3",
    released_uid="2.25.4",
    sha256="ab" * 32,
    patient=("4711", "HOSP"),
    recipient="teaching-archive",
    recipient_words="students in the trust",
    requester="lecturer",
    door="C-MOVE",
    purpose="TEACHING",
    anonymised=True,
    profile="sha256:cd",
    consents=("urn:x:1 version 2",),
    standing=Standing.HELD,
)
BARE = replace(ENTRY, patient=None, requester="", profile="", consents=(), taken_on=None, anonymised=False)


@pytest.mark.parametrize(
    "entry", [ENTRY, BARE, replace(ENTRY, consents=("urn:x:old",)), replace(ENTRY, standing=Standing.NOT_DELIVERED)]
)
def test_the_account_is_a_bundle_of_fhir_r4(entry: Entry) -> None:
    bundle = Bundle.model_validate(to_fhir((entry,), MADE, "The hospital"))
    assert [each.resource.get_resource_type() for each in bundle.entry] == ["AuditEvent", "Provenance"]
    assert Bundle.model_validate(to_fhir((), MADE, "The hospital")).entry is None


def test_a_disclosure_says_who_asked_who_received_what_and_why() -> None:
    bundle = to_fhir((ENTRY,), MADE, "The hospital")
    event, origin = (each["resource"] for each in bundle["entry"])  # type: ignore[attr-defined, index]
    assert event["meta"] == {"profile": [BALP]}
    assert [agent["who"]["display"] for agent in event["agent"]] == ["The hospital", "teaching-archive", "lecturer"]
    assert [agent["requestor"] for agent in event["agent"]] == [False, False, True]
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == "TRAIN"
    whose, what, under = event["entity"]
    assert whose["what"]["identifier"]["value"] == "4711"
    assert what["what"]["identifier"] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}
    assert under["what"]["identifier"]["value"] == "urn:x:1"
    assert under["detail"] == [{"type": "version", "valueString": "2"}]
    told = {each["type"]: each["valueString"] for each in what["detail"]}
    assert (told["form"], told["standing"], told["decision"]) == ("ANONYMISED", "HELD", "decision-1")
    assert origin["target"][0]["identifier"]["value"] == "urn:oid:2.25.4"
    assert origin["entity"][0]["role"] == "derivation"


def test_the_same_copy_has_the_same_names_whenever_it_is_told() -> None:
    first, again = (to_fhir((ENTRY,), moment, "H")["entry"] for moment in (MADE, MADE.replace(year=2027)))
    assert first == again
