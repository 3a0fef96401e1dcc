"""``consentgate fhir export | import``."""

from __future__ import annotations

import json

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.fhir.consent import Filing, to_fhir
from orthanc_plugin.fhir.reading import from_fhir
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.unit.cli.conftest import Shell
from tests.unit.fhir.building import provision, resource

FILING = Filing(recorded_at="2025-04-01T09:00:00+00:00", recorded_by="nurse", organization="HOSP", policy="0" * 64)


def put(shell: Shell, *resources: object) -> str:
    entries = [{"resource": each} for each in resources]
    whole = resources[0] if len(resources) == 1 else {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return str(shell.put("consent.json", json.dumps(whole)))


def exported(shell: Shell) -> dict[str, object]:
    result = shell("fhir", "export", CONSENT_ID)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_what_is_exported_is_the_consent_with_who_recorded_it(shell: Shell) -> None:
    filed = shell.world.record(consent(CARE, TEACHING))
    whole = exported(shell)
    assert from_fhir(whole) == (filed,)
    assert whole["organization"] == [{"type": "Organization", "display": "HOSP"}]
    assert {"url": "urn:consentgate:fhir:recorded-by", "valueString": "nurse"} in whole["extension"]
    assert whole["policy"] == [{"uri": f"urn:consentgate:fhir:policy:{shell.world.services.policy.sha256}"}]


def test_a_consent_goes_from_one_hospital_to_another(shell: Shell) -> None:
    shell.world.record(consent(CARE, TEACHING))
    whole = exported(shell)
    shell.world.sql("DELETE FROM consents")
    (row,) = shell.json("fhir", "import", put(shell, whole), "--by", "the EPR")
    assert (row["consent"], row["state"], row["changed"], row["lacks"]) == (CONSENT_ID, "GIVEN", True, [])
    (recorded,) = shell.world.consents()
    assert (recorded.record, recorded.recorded_by) == (consent(CARE, TEACHING), "the EPR")
    assert verify(shell.world.services.trail.entries()).whole


def test_a_consent_of_another_system_is_proposed_until_it_is_complete(shell: Shell) -> None:
    result = shell("fhir", "import", put(shell, resource(provision("permit", "TREAT"))), "--by", "the EPR")
    assert result.exit_code == 0
    assert "note: Consent/ex-consent is only proposed: explained:" in result.stderr
    assert "\tPROPOSED\t" in result.stdout


def test_the_refusals_of_another_system_are_filed_beside_its_permits(shell: Shell) -> None:
    root = provision("permit", "TREAT", provision=[provision("deny", "TRAIN")])
    shell("fhir", "import", put(shell, resource(root)), "--by", "the EPR")
    assert {each.record.id: each.record.state.value for each in shell.world.consents()} == {
        "Consent/ex-consent": "PROPOSED",
        "Consent/ex-consent#2": "REFUSED",
    }


def test_a_withdrawal_arrives_as_a_newer_version(shell: Shell) -> None:
    shell.world.record(consent(CARE, TEACHING))
    shell("consent", "withdraw", CONSENT_ID, "--purpose", "TEACHING", "--by", "nurse")
    partly = exported(shell)
    shell("consent", "withdraw", CONSENT_ID, "--by", "nurse")
    wholly = exported(shell)
    shell.world.sql("DELETE FROM consents WHERE version > 1")
    assert shell.json("fhir", "import", put(shell, partly), "--by", "the EPR")[0]["version"] == 2
    assert shell.json("fhir", "import", put(shell, wholly), "--by", "the EPR")[0]["state"] == "WITHDRAWN"
    assert shell.json("fhir", "import", put(shell, wholly), "--by", "the EPR")[0]["changed"] is False


def test_a_bundle_is_recorded_whole_or_not_at_all(shell: Shell) -> None:
    good = resource(provision("deny", "TRAIN"))
    late = resource(provision("deny", "TRAIN"), id="other", dateTime="2030-01-01")
    assert "is after today" in shell.fails("fhir", "import", put(shell, good, late), "--by", "the EPR")
    assert shell.world.consents() == []
    shell("fhir", "import", put(shell, good, {**late, "dateTime": "2022-01-01"}), "--by", "x")
    assert len(shell.world.consents()) == 2


def test_a_refusal_of_an_unknown_patient_is_noted_and_somebody_looks_whose_it_is(shell: Shell) -> None:
    root = provision("permit", "TREAT", provision=[provision("deny", "TRAIN")])
    said = shell("fhir", "import", put(shell, resource(root)), "--by", "the EPR").stderr
    assert "note: Consent/ex-consent#2: nothing was on record yet of its patient; check the number" in said
    asked = [(task["kind"], task["subject"]) for task in shell.world.tasks()]
    assert asked == [("RECONCILE_IDENTITY", "Consent/ex-consent#2")]
    assert "nothing was on record" not in shell("fhir", "import", put(shell, resource(root)), "--by", "the EPR").stderr


def test_purposes_that_are_left_out_are_withdrawn_and_the_rest_is_noted(shell: Shell) -> None:
    shell.world.record(consent(CARE, TEACHING))
    narrowed = {**exported(shell), "dateTime": "2025-04-01"}
    narrowed["provision"] = to_fhir(consent(CARE), FILING)["provision"]
    said = shell("fhir", "import", put(shell, narrowed), "--by", "the EPR").stderr
    assert f"note: {CONSENT_ID}: what was left out is withdrawn; what else differs was not taken" in said
    assert shell.world.consents()[0].record.withdrawn_purposes == {"TEACHING"}


def test_the_faults_of_a_file_are_told_with_their_places(shell: Shell) -> None:
    said = shell.fails("fhir", "import", put(shell, resource(provision("permit", "FRAUD"), patient=None)), "--by", "x")
    assert "Consent.patient: is missing" in said
    assert "Correct the resource where it was made" in said
    assert shell.world.trail() == []


def test_a_file_or_a_consent_that_is_not_there_is_told(shell: Shell) -> None:
    assert "Give the path of a readable JSON file" in shell.fails("fhir", "import", "nowhere.json", "--by", "x")
    assert "No consent has this id" in shell.fails("fhir", "export", "urn:x:9")
