"""A consent as FHIR R4: the shape of IHE PCF, judged by a library that is not ours."""

from __future__ import annotations

import pytest
from fhir.resources.R4B.consent import Consent

from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.fhir.consent import Filing, to_fhir
from orthanc_plugin.fhir.elements import FhirError
from orthanc_plugin.fhir.reading import from_fhir
from tests.fakes.pictures import CARE, TEACHING, consent
from tests.unit.fhir.building import ACT_REASON, OWN

FILING = Filing(
    recorded_at="2025-03-02T10:00:00+00:00", recorded_by="nurse", organization="The hospital", policy="ab" * 32
)
EVERYTHING = {**TEACHING, "purpose": "ALL_SECONDARY"}
WHOLE = {
    "version": 4,
    "level": "STUDY",
    "targets": ["1.2.3"],
    "tests": {"necessary": True, "best_interests": True, "no_less_restrictive": False, "consulted": ["a sister"]},
    "discussion": {"note": "At length.", "author": "clinic", "role": "nurse", "at": "2025-03-01T09:30:00+00:00"},
    "capacity": {"result": "LACKS", "decision": "this use", "assessor": "clinic", "on": "2025-03-01"},
    "document": {"object_uid": "1.2.9", "sha256": "0" * 64, "form_id": "IMI-3"},
    "retention_told": {"text": "As long as the record.", "until": "2033-03-01"},
    "support": {"language": "Welsh", "easy_read": True, "aids": ["a drawing"]},
    "source_system": "the EPR",
}


STEPS = [
    {"purpose": "TEACHING", "on": "2025-04-01"},
    {"purpose": "DIRECT_CARE", "on": "2025-05-01"},
    {"purpose": "RESEARCH", "on": "2025-05-01"},
]


def codes(part: dict[str, object]) -> list[object]:
    purposes = part["purpose"]
    assert isinstance(purposes, list)
    return [coding["code"] for coding in purposes]


def root_of(record: ConsentRecord) -> tuple[dict[str, object], list[dict[str, object]]]:
    root = to_fhir(record, FILING)["provision"]
    assert isinstance(root, dict)
    return root, root.get("provision", [])


@pytest.mark.parametrize(
    "record",
    [
        consent(CARE),
        consent(CARE, TEACHING),
        consent(CARE, EVERYTHING, withdrawn_on="2025-04-01", withdrawn_purposes=["RESEARCH"]),
        consent({**TEACHING, "conditions": ["not my face"], "legal_basis": ["6(1)(e)"]}, **WHOLE),
        consent(CARE, state="REFUSED"),
        consent(CARE, state="WITHDRAWN", withdrawn_on="2025-04-01", withdrawal={"reason": "a change of mind"}),
        consent(CARE, TEACHING, state="WITHDRAWN", withdrawn_on="2025-04-01"),
        consent(CARE, EVERYTHING, withdrawn=STEPS),
        consent(CARE, TEACHING, state="WITHDRAWN", withdrawn=STEPS[:2]),
        consent(CARE, document={}, issuer="https://fhir.nhs.uk/Id/nhs-number"),
    ],
)
def test_the_resource_is_a_consent_of_fhir_r4(record: ConsentRecord) -> None:
    resource = to_fhir(record, FILING)
    assert Consent.model_validate(resource).model_dump()["resourceType"] == "Consent"
    assert from_fhir(resource) == (record,)


def test_what_pcf_demands_is_there_once() -> None:
    resource = to_fhir(consent(CARE), FILING)
    assert resource["scope"] == {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
    }
    assert resource["category"] == [
        {"coding": [{"system": "http://loinc.org", "code": "59284-0"}]},
        {"coding": [{"system": "http://loinc.org", "code": "64292-6"}]},
    ]
    assert resource["performer"] == [resource["patient"]]
    assert resource["organization"] == [{"type": "Organization", "display": "The hospital"}]
    assert resource["policy"] == [{"uri": f"{OWN}policy:{'ab' * 32}"}]
    assert resource["sourceReference"] == {"type": "DocumentReference", "display": "SIGNED_FORM"}
    assert resource["meta"] == {
        "versionId": "1",
        "lastUpdated": "2025-03-02T10:00:00+00:00",
        "profile": ["https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentIntermediate"],
    }


@pytest.mark.parametrize(
    ("issuer", "system"),
    [
        ("https://fhir.nhs.uk/Id/nhs-number", "https://fhir.nhs.uk/Id/nhs-number"),
        ("urn:oid:2.16.840.1.113883.2.1.4.1", "urn:oid:2.16.840.1.113883.2.1.4.1"),
        ("St Mary's", f"{OWN}issuer:St%20Mary%27s"),
        (f"{OWN}issuer:x", f"{OWN}issuer:urn%3Aconsentgate%3Afhir%3Aissuer%3Ax"),
    ],
)
def test_a_patients_number_has_its_issuer_as_a_uri(issuer: str, system: str) -> None:
    record = consent(CARE, issuer=issuer)
    resource = to_fhir(record, FILING)
    assert resource["patient"] == {"type": "Patient", "identifier": {"system": system, "value": record.patient_id}}
    assert from_fhir(resource) == (record,)


def test_purposes_on_the_same_terms_are_one_permit() -> None:
    root, nested = root_of(consent({**CARE}, {**CARE, "purpose": "SECOND_OPINION"}))
    assert (root["type"], codes(root), nested) == ("permit", ["TREAT", "COC"], [])


def test_purposes_on_different_terms_are_permits_within_a_refusal_of_the_same_purposes() -> None:
    root, nested = root_of(consent(CARE, TEACHING))
    assert (root["type"], codes(root)) == ("deny", ["TREAT", "TRAIN"])
    assert [(part["type"], codes(part)) for part in nested] == [("permit", ["TREAT"]), ("permit", ["TRAIN"])]


def test_what_is_withdrawn_is_refused_and_the_rest_permitted() -> None:
    withdrawn = {"withdrawn_on": "2025-04-01", "withdrawn_purposes": ["RESEARCH"]}
    root, (part,) = root_of(consent(EVERYTHING, **withdrawn))
    assert (root["type"], codes(root)) == ("deny", ["HQUALIMP", "TRAIN", "HRESCH", "128714", "PUBLIC_MEDIA"])
    assert (part["type"], codes(part)) == ("permit", ["HQUALIMP", "TRAIN", "128714", "PUBLIC_MEDIA"])


def test_each_purpose_withdrawn_has_its_own_day_in_an_extension() -> None:
    resource = to_fhir(consent(CARE, EVERYTHING, withdrawn=STEPS), FILING)
    extensions = resource["extension"]
    assert isinstance(extensions, list)
    found = [each["extension"] for each in extensions if each["url"] == f"{OWN}withdrawn"]
    assert [{part["url"]: part.get("valueCode", part.get("valueDate")) for part in each} for each in found] == STEPS


@pytest.mark.parametrize(
    ("state", "of_withdrawal"),
    [
        ("WITHDRAWN", [{"url": f"{OWN}withdrawn-on", "valueDate": "2025-04-01"}]),
        (
            "SUPERSEDED",
            [
                {"url": f"{OWN}withdrawn-on", "valueDate": "2025-04-01"},
                {"url": f"{OWN}withdrawn-purposes", "valueCode": "DIRECT_CARE"},
            ],
        ),
    ],
)
def test_what_was_written_with_one_day_for_all_is_still_written_and_read_so(
    state: str, of_withdrawal: list[dict[str, object]]
) -> None:
    named = {"withdrawn_purposes": ["DIRECT_CARE"]} if state == "SUPERSEDED" else {}
    record = consent(CARE, state=state, withdrawn_on="2025-04-01", **named)
    resource = to_fhir(record, FILING)
    extensions = resource["extension"]
    assert isinstance(extensions, list)
    assert [each for each in extensions if "withdrawn" in each["url"]] == of_withdrawal
    assert from_fhir(resource) == (record,)


def test_a_purpose_that_is_wholly_withdrawn_is_refused() -> None:
    _, nested = root_of(consent(CARE, TEACHING, withdrawn_on="2025-04-01", withdrawn_purposes=["TEACHING"]))
    assert [(part["type"], codes(part)) for part in nested] == [("permit", ["TREAT"]), ("deny", ["TRAIN"])]


def test_a_code_names_its_system() -> None:
    root, _ = root_of(consent({**TEACHING, "purpose": "PUBLICATION"}))
    assert root["purpose"] == [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "128714"}]
    root, _ = root_of(consent(CARE))
    assert root["purpose"] == [{"system": ACT_REASON, "code": "TREAT"}]


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"state": "PROPOSED"}, "proposed", "permit"),
        ({"state": "GIVEN"}, "active", "permit"),
        ({"state": "REFUSED"}, "active", "deny"),
        ({"state": "WITHDRAWN", "withdrawn_on": "2025-04-01"}, "inactive", "deny"),
        ({"state": "EXPIRED"}, "inactive", "deny"),
        ({"state": "SUPERSEDED"}, "inactive", "deny"),
        ({"state": "ENTERED_IN_ERROR"}, "entered-in-error", "deny"),
    ],
)
def test_a_state_has_a_status_and_only_an_agreement_permits(changes: dict[str, str], status: str, kind: str) -> None:
    record = consent(CARE, **changes)
    assert to_fhir(record, FILING)["status"] == status
    assert root_of(record)[0]["type"] == kind


def test_what_narrows_a_permit_is_a_modifier_so_that_nobody_passes_over_it() -> None:
    root, _ = root_of(consent({**TEACHING, "conditions": ["not my face"], "named_recipients": ["Year 3"]}))
    assert root["modifierExtension"] == [
        {"url": f"{OWN}max-form", "valueCode": "ANONYMISED"},
        {"url": f"{OWN}named-recipients", "valueString": "Year 3"},
        {"url": f"{OWN}conditions", "valueString": "not my face"},
    ]
    assert "extension" not in root


def test_the_images_are_named_by_their_uids() -> None:
    root, _ = root_of(consent(CARE, level="STUDY", targets=["1.2.3"]))
    named = {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}}
    assert root["data"] == [{"meaning": "instance", "reference": named}]


def test_a_consent_of_nobody_is_not_written() -> None:
    with pytest.raises(FhirError, match="Say whose consent it is first"):
        to_fhir(consent(CARE, patient_id=None), FILING)
