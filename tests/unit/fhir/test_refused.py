"""What is not understood is refused, with the element's place and what to do."""

from __future__ import annotations

import pytest

from orthanc_plugin.fhir.consent import Filing, to_fhir
from tests.fakes.pictures import CARE, TEACHING, consent
from tests.unit.fhir.building import ACT_REASON, NHS, OWN, actor, faults, provision, resource, study

PERMIT = provision("permit", "TREAT")
FILING = Filing(recorded_at="2025-03-02T10:00:00+00:00", recorded_by="nurse", organization="Hospital", policy="ab")
ANY = {"coding": [{"system": "urn:x", "code": "x"}]}
BARE = {"reference": "Patient/ex-patient"}


@pytest.mark.parametrize(
    ("elements", "fault"),
    [
        ({"resourceType": "Patient"}, "Consent.resourceType: must be Consent"),
        ({"verification": [{"verified": True}]}, "Consent.verification: is not allowed by IHE PCF"),
        ({"policyRule": ANY}, "Consent.policyRule: is not allowed by IHE PCF; name the policy in policy.uri"),
        ({"implicitRules": "urn:x"}, "Consent.implicitRules: can't be followed"),
        ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "Consent.modifierExtension: changes"),
        ({"decision": "permit"}, "Consent.decision: belongs to FHIR R5; send the consent as FHIR R4"),
        ({"subject": BARE}, "Consent.subject: belongs to FHIR R5"),
        ({"grantor": [BARE]}, "Consent.grantor: belongs to FHIR R5"),
        ({"mood": "good"}, "Consent.mood: is not known here"),
        ({"_status": {"id": "a"}}, "Consent._status: is not known here"),
        ({"status": "maybe"}, "Consent.status: must be one of draft, proposed, active"),
        ({"status": None}, "Consent.status: is missing"),
        ({"scope": None}, "Consent.scope: is missing; give patient-privacy"),
        ({"scope": ANY}, "Consent.scope.coding: must be patient-privacy"),
        ({"category": None}, "Consent.category: is missing"),
        ({"category": []}, "Consent.category: must be an array of at least one object"),
        ({"patient": None}, "Consent.patient: is missing; say whose consent it is"),
        ({"patient": BARE}, "Consent.patient.identifier: is missing; give the patient's number"),
        ({"dateTime": None}, "Consent.dateTime: is missing"),
        ({"dateTime": "2022"}, "Consent.dateTime: must be a date that exists"),
        ({"dateTime": "2022-06-13T10:00"}, "Consent.dateTime: must be a moment"),
        ({"performer": None}, "Consent.performer: is missing"),
        ({"performer": [{"reference": "RelatedPerson/a"}]}, "Consent.performer: must be the patient"),
        ({"organization": None}, "Consent.organization: is missing"),
        ({"sourceReference": None}, "Consent.source[x]: must be exactly one"),
        ({"sourceAttachment": {"title": "form"}}, "Consent.source[x]: must be exactly one"),
        ({"policy": None}, "Consent.policy: is missing"),
        ({"policy": [{"authority": "urn:x"}]}, "Consent.policy[0].uri: is missing"),
        ({"provision": None}, "Consent.provision: is missing; say what is permitted or refused"),
        ({"provision": [PERMIT]}, "Consent.provision: must be an object"),
        ({"id": None}, "Consent.identifier: is missing; give the consent an identifier"),
        ({"identifier": [{"value": "1"}, {"value": "2"}]}, "Consent.identifier: must be one"),
        ({"identifier": [{"system": "urn:x"}]}, "Consent.identifier[0].value: is missing"),
        ({"extension": [{"url": f"{OWN}mood", "valueString": "good"}]}, "Consent.extension[0].url: must be one of"),
        ({"extension": [{"url": f"{OWN}evidence", "valueString": "x"}]}, "Consent.extension[0].valueCode: must be"),
        ({"extension": [{"url": f"{OWN}evidence", "valueCode": "x"}]}, f"Consent.extension('{OWN}evidence'): 'x'"),
        ({"extension": [{"url": f"{OWN}evidence", "valueCode": "MESSAGE"}] * 2}, "Consent.extension[1].url: is there"),
        ({"extension": [{"url": f"{OWN}giver"}]}, "Consent.extension[0].extension: is missing; give the parts"),
        (
            {"extension": [{"url": f"{OWN}giver", "extension": [{"url": "hat", "valueString": "x"}]}]},
            "Consent.extension[0].extension[0].url: must be one of type, id",
        ),
    ],
)
def test_a_consent_with_a_fault_is_refused_at_its_place(elements: dict[str, object], fault: str) -> None:
    found = faults(resource(PERMIT, **elements))
    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize(
    ("root", "fault"),
    [
        (provision("permit", "TREAT", action=[ANY]), "Consent.provision.action: is not allowed by IHE PCF"),
        (provision("permit", "TREAT", **{"class": [{"code": "x"}]}), "Consent.provision.class: is not allowed"),
        (provision("permit", "TREAT", code=[ANY]), "Consent.provision.code: is not allowed by IHE PCF"),
        (provision("permit", "TREAT", securityLabel=[{"code": "N"}]), "Consent.provision.securityLabel: can't be"),
        (provision("permit", "TREAT", dataPeriod={"start": "2022"}), "Consent.provision.dataPeriod: can't be kept"),
        (provision("permit", "TREAT", mood="good"), "Consent.provision.mood: is not known here"),
        (provision("maybe", "TREAT"), "Consent.provision.type: must be permit or deny"),
        (provision("permit"), "Consent.provision.purpose: is missing; a permit must name each purpose"),
        (provision("permit", "HOPERAT"), "Consent.provision.purpose: names no single use of photographs"),
        (provision("permit", "TREAT", "FRAUD"), "Consent.provision.purpose[1].code: is no purpose known here"),
        (provision("deny", "FRAUD"), "Consent.provision.purpose[0].code: is no purpose known here"),
        (provision("deny", "HPAYMT"), "Consent.provision: says nothing about a use of photographs"),
        (provision("permit", "TRAIN"), "Consent.provision.actor: must name an audience of ours for TEACHING"),
        (provision("permit", "TRAIN", actor=[actor("urn:x", "a")]), "Consent.provision.actor: must name an audience"),
        (provision("permit", "TRAIN", actor=[actor(f"{OWN}audience", "x")]), "Consent.provision.actor: 'x' is unknown"),
        (
            provision("permit", "TREAT", actor=[{**actor(NHS, "1"), "role": ANY}]),
            "Consent.provision.actor[0].role.coding",
        ),
        (
            provision("permit", "TREAT", actor=[{**actor(NHS, "1"), "reference": {"display": "x"}}]),
            "Consent.provision.actor[0].reference.identifier: is missing",
        ),
        (
            provision("permit", "TREAT", actor=[{**actor(NHS, "1"), "modifierExtension": [{"url": "urn:x"}]}]),
            "Consent.provision.actor[0].modifierExtension: is not known here",
        ),
        (
            provision("permit", "TREAT", data=[{**study("1.2"), "modifierExtension": [{"url": "urn:x"}]}]),
            "Consent.provision.data[0].modifierExtension: is not known here",
        ),
        (provision("permit", "TREAT", period={"end": "2023"}), "Consent.provision.period.end: must be a date"),
        (
            provision("permit", "TREAT", period={"end": "2022-06-12"}),
            "Consent.provision.period.end: must not be before",
        ),
        (provision("permit", "TREAT", data=[{"meaning": "related"}]), "Consent.provision.data[0].meaning: must be"),
        (
            provision("permit", "TREAT", data=[{**study("1.2"), "reference": {"reference": "ImagingStudy/1"}}]),
            "Consent.provision.data[0].reference.identifier: must have the system urn:dicom:uid",
        ),
        (provision("permit", "TREAT", data=[study("1.2.x")]), "Consent.provision.data: must be a DICOM UID"),
        (
            provision(
                "permit",
                "TREAT",
                data=[
                    {
                        "meaning": "instance",
                        "reference": {"identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2"}},
                    }
                ],
            ),
            "Consent.provision.data: must say type ImagingStudy",
        ),
        (
            provision("permit", "TREAT", provision=[provision("permit", "COC")]),
            "Consent.provision.provision[0].type: must be deny",
        ),
        (
            provision("permit", "TREAT", provision=[provision("deny", "TRAIN", provision=[PERMIT])]),
            "Consent.provision.provision[0].provision: must not be nested twice",
        ),
        (
            provision("permit", "TREAT", modifierExtension=[{"url": "urn:x", "valueBoolean": True}]),
            "Consent.provision.modifierExtension[0].url: changes the meaning",
        ),
        (
            provision("permit", "TREAT", purpose=[{"system": "urn:x", "code": "TREAT"}]),
            "Consent.provision.purpose[0].code: is no purpose known here",
        ),
    ],
)
def test_a_provision_with_a_fault_is_refused_at_its_place(root: dict[str, object], fault: str) -> None:
    found = faults(resource(root))
    assert any(each.startswith(fault) for each in found), found


def test_every_fault_is_told_at_once() -> None:
    root = provision("maybe", action=[ANY], mood="good")
    found = faults(resource(root, patient=None, decision="permit", policy=None))
    assert len(found) == 6


def test_a_fault_never_repeats_the_patients_number() -> None:
    number = {"identifier": {"system": NHS, "value": "\n9000000009"}}
    text = " ".join(faults(resource(PERMIT, patient=number, performer=[number], mood="good")))
    assert text
    assert "9000000009" not in text


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("status", "inactive"),
        ("performer", [{"reference": "RelatedPerson/ex-mother"}]),
        ("provision", {"type": "permit", "purpose": [{"system": ACT_REASON, "code": "TREAT"}]}),
        ("provision", {"type": "deny"}),
    ],
)
def test_one_of_ours_whose_plain_elements_say_otherwise_is_refused(element: str, value: object) -> None:
    ours = to_fhir(consent(CARE, TEACHING), FILING)
    found = faults({**ours, element: value})
    assert found
    assert all(each.startswith("Consent.") for each in found)


def test_one_of_ours_with_a_purpose_nobody_knows_is_refused() -> None:
    ours = to_fhir(consent(CARE), FILING)
    (fault,) = faults({**ours, "provision": provision("permit", "FRAUD")})
    assert fault.startswith("Consent.provision.purpose[0].code: is no purpose known here")
