"""The REST door: what each call does to the registry, and what a wrong call is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dicomwrap.consentfile import as_mapping, read_consent
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.reply import fault
from orthanc_plugin.gate import AccessRequest
from orthanc_plugin.registry import consents
from orthanc_plugin.registry.fence import FileFence
from orthanc_plugin.registry.stopping import WORDS
from tests.fakes.caller import PATIENT_RECORD, Caller, world_with_accounts
from tests.fakes.clinic import clinic, waiting
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.fhir.building import NHS, provision, resource


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    world = world_with_accounts(tmp_path)
    yield Caller(world=world)
    world.close()


def sees(caller: Caller, account: str) -> bool:
    services = caller.world.services
    requester = requesters.of_user(account, services.policy.user(account), "127.0.0.1")
    request = AccessRequest(requester=requester, sop_instance_uid=UID, door="test")
    return services.gate.authorize(request).decision.permits


def test_a_consent_is_recorded_in_the_account_s_name_and_told_back(caller: Caller) -> None:
    said = caller.post("consents", as_mapping(consent(CARE)))
    (told,) = said["consents"]  # type: ignore[misc]
    assert (said.status, told["recorded_by"], said["lacks"]) == (200, "epr", [])
    (known,) = caller.world.consents()
    assert (known.record.id, known.recorded_by) == (CONSENT_ID, "epr")
    entry = caller.world.trail()[-1]
    assert (entry["actor"], entry["door"], entry["effect"]) == ("epr", "POST /consentgate/consents", "RECORDED_GIVEN")
    assert PATIENT.id not in str(caller.world.trail())


def test_every_version_is_told_oldest_first(caller: Caller) -> None:
    caller.world.record(consent(CARE, TEACHING))
    caller.post(f"consents/{CONSENT_ID}/withdrawal", {"purposes": ["TEACHING"]})
    found = caller.get(f"consents/{CONSENT_ID}/history")["consents"]
    assert isinstance(found, list)
    assert [each["consent"]["version"] for each in found] == [1, 2]
    assert caller.get(f"consents/{CONSENT_ID}")["consent"] == found[-1]["consent"]


def test_a_search_takes_the_patient_s_number_in_its_body(caller: Caller) -> None:
    caller.world.record(consent(CARE))
    found = caller.post("consents/search", {"patient_id": PATIENT.id, "issuer": PATIENT.issuer})["consents"]
    assert isinstance(found, list)
    assert [each["consent"]["id"] for each in found] == [CONSENT_ID]
    assert caller.post("consents/search", {"patient_id": "nobody"})["consents"] == []


def test_a_withdrawal_by_rest_says_what_was_about_to_leave_where_a_sender_kept_it_waiting_too_long(
    caller: Caller,
) -> None:
    caller.world.file(CARE, TEACHING)
    fence = caller.world.services.database.fence
    assert isinstance(fence, FileFence)
    fence.patience = 0.1
    with caller.world.services.database.leaving():
        said = caller.post(f"consents/{CONSENT_ID}/withdrawal", {"purposes": ["TEACHING"]})
    assert said["under_way"] == WORDS
    again = caller.post(f"consents/{CONSENT_ID}/withdrawal", {}).body
    assert isinstance(again, dict)
    assert "under_way" not in again


def test_a_withdrawal_by_rest_denies_at_once(caller: Caller) -> None:
    caller.world.file(CARE)
    assert caller.post("decisions", {"image": UID, "recipient": "derm"})["decision"] == "PERMIT_IDENTIFIABLE"
    said = caller.post(f"consents/{CONSENT_ID}/withdrawal", {"reason": "changed their mind", "how_received": "phone"})
    assert said.status == 200
    assert caller.post("decisions", {"image": UID, "recipient": "derm"})["decision"] == "DENY"
    withdrawn = caller.world.consents()[0].record
    assert withdrawn.withdrawal is not None
    assert (withdrawn.state, withdrawn.withdrawal.how_received) == ("WITHDRAWN", "phone")


def test_a_fhir_consent_goes_in_and_comes_out_the_same(caller: Caller) -> None:
    caller.world.record(consent(CARE))
    fhir = caller.get(f"consents/{CONSENT_ID}", accept="application/fhir+json")
    assert isinstance(fhir.body, dict)
    assert (fhir.headers["Content-Type"], fhir["resourceType"]) == ("application/fhir+json", "Consent")
    other = Caller(world=world_with_accounts(caller.world.folder / "other"))
    said = other.post("consents", fhir.body, content_type="application/fhir+json; charset=utf-8")
    assert said.status == 200, said.body
    assert other.world.consents()[0].record == caller.world.consents()[0].record
    other.world.close()


def test_what_would_be_decided_is_not_recorded_as_a_decision(caller: Caller) -> None:
    caller.world.file(CARE)
    before = len(caller.world.trail())
    said = caller.post("decisions", {"image": UID, "recipient": "teaching-archive"})
    assert (said["decision"], said["obligations"]) == ("DENY", ["SEEK_CONSENT"])
    assert len(caller.world.trail()) == before


def test_a_closed_gate_answers_no_and_still_takes_a_withdrawal(caller: Caller) -> None:
    caller.world.file(CARE)
    caller.world.services.gate.close("a test")
    assert caller.post("decisions", {"image": UID, "recipient": "derm"})["rules"] == ["GATE_CLOSED"]
    assert caller.post(f"consents/{CONSENT_ID}/withdrawal").status == 200


def test_a_task_is_closed_with_a_note_in_the_account_s_name(caller: Caller) -> None:
    caller.world.file(CARE)
    caller.world.services.gate.authorize(caller.world.request("teaching-archive"))
    (task,) = caller.get("tasks", "governance")["tasks"]  # type: ignore[misc]
    assert (task["kind"], task["subject"], task["overdue"]) == ("SEEK_CONSENT", UID, False)
    assert caller.post(f"tasks/{task['task']}/closure", {}, "governance").status == 400
    said = caller.post(f"tasks/{task['task']}/closure", {"note": "asked; said no"}, "governance")
    assert (said.status, said["closed_by"]) == (200, "governance")
    assert caller.get("tasks", "governance")["tasks"] == []
    assert caller.post(f"tasks/{task['task']}/closure", {"note": "again"}, "governance").status == 409


def test_emergency_access_is_the_account_s_own_and_for_one_patient(caller: Caller) -> None:
    caller.world.file(CARE)
    assert not sees(caller, "registrar")
    reason = "Unconscious in resus, pictures of the wound needed"
    said = caller.post("break-glass", {"image": UID, "reason": reason, "minutes": 15}, "registrar")
    ends = caller.world.clock() + timedelta(minutes=15)
    assert (said.status, said["account"], said["ends_at"]) == (200, "registrar", ends.isoformat())
    assert sees(caller, "registrar")
    caller.world.clock.advance(minutes=15)
    assert not sees(caller, "registrar")


def test_a_plain_fhir_consent_is_only_proposed_and_the_answer_says_what_it_lacks(caller: Caller) -> None:
    caller.world.record(consent(CARE))
    foreign = caller.get(f"consents/{CONSENT_ID}", accept="application/fhir+json").body
    assert isinstance(foreign, dict)
    plain = {key: value for key, value in foreign.items() if key not in ("extension", "modifierExtension")}
    plain["identifier"] = [{"system": "urn:x:epr", "value": "77"}]
    plain["id"] = "other-77"
    said = caller.post("consents", plain, content_type="application/fhir+json")
    assert said.status == 200, said.body
    assert said["lacks"]
    assert {each.record.state for each in caller.world.consents()} == {"GIVEN", "PROPOSED"}


def test_the_refusal_of_a_patient_who_is_not_on_record_is_told(caller: Caller) -> None:
    caller.world.file(CARE)
    said = caller.post("consents", as_mapping(consent(CARE, id="urn:x:2", patient_id="9000000009", state="REFUSED")))
    assert (said.status, said["unknown_patients"]) == (200, ["urn:x:2"])
    assert [(task["kind"], task["subject"]) for task in caller.world.tasks()] == [("RECONCILE_IDENTITY", "urn:x:2")]
    known = caller.post("consents", as_mapping(consent(CARE, id="urn:x:3", state="REFUSED")))
    assert (known["unknown_patients"], len(caller.world.tasks())) == ([], 1)


@pytest.mark.parametrize("identifier", [None, [{"system": "https://epr.example/consents", "value": "47 11/ü%"}]])
def test_a_consent_of_another_system_is_reached_by_its_id_in_the_body(caller: Caller, identifier: object) -> None:
    foreign = resource(provision("permit", "TREAT"), identifier=identifier)
    said = caller.post("consents", foreign, content_type="application/fhir+json")
    (filed,) = said["consents"]  # type: ignore[misc]
    named = {"consent": filed["consent"]["id"]}
    complete = {**as_mapping(consent(CARE)), "id": named["consent"], "patient_id": "9000000009", "issuer": NHS}
    with caller.world.services.database.writing() as connection:
        consents.give(connection, read_consent(json.dumps(complete)), by="nurse", at=caller.world.clock())
    assert caller.post("consents/withdrawal", {**named, "purposes": ["TEACHING"]}).status == 409
    assert caller.post("consents/withdrawal", named)["consent"]["state"] == "WITHDRAWN"  # type: ignore[index]
    assert caller.post("consents/get", named)["consent"]["version"] == 3  # type: ignore[index]
    assert caller.post("consents/get", named, accept="application/fhir+json")["status"] == "inactive"
    assert len(caller.post("consents/history", named)["consents"]) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "status", "records"),
    [
        ({"answer": "WITHDRAWN", "refuse": "true"}, 400, 1),
        ({"answer": "WITHDRAWN", "refuse": 1}, 400, 1),
        ({"answer": "WITHDRAWN", "refuse": None}, 400, 1),
        ({"answer": "APPROVED", "refuse": True}, 400, 1),
        ({"answer": "UNABLE", "reason": "asleep", "refuse": True}, 400, 1),
        ({"answer": "WITHDRAWN", "refuse": True}, 200, 2),
        ({"answer": "APPROVED", "refuse": False}, 200, 1),
    ],
)
def test_a_refusal_at_the_camera_is_recorded_or_the_call_is_wrong(
    tmp_path: Path, body: object, status: int, records: int
) -> None:
    world = clinic(tmp_path, "every", accounts=PATIENT_RECORD)
    world.record(consent(CARE))
    world.receive()
    held = waiting(world)
    before = world.trail()
    said = Caller(world=world).post(f"approvals/{held.quarantine_id}", body)
    assert (said.status, world.trail() == before) == (status, status == 400)
    assert len(world.consents()) == records
    world.close()


def test_what_fails_after_the_commit_is_logged_and_the_answer_is_what_was_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = clinic(tmp_path, "every", accounts=PATIENT_RECORD)
    caller = Caller(world=world)
    world.record(consent(CARE))
    world.receive()
    held = waiting(world)
    kept = world.services.spool.folder / held.spool_name
    kept.unlink()
    kept.mkdir()
    assert caller.post(f"approvals/{held.quarantine_id}", {"answer": "WITHDRAWN"}).status == 200
    world.services.heads.path.unlink(missing_ok=True)
    world.services.heads.path.mkdir()
    assert caller.post(f"consents/{CONSENT_ID}/withdrawal").status == 200
    assert world.consents()[0].record.state == "WITHDRAWN"
    assert caller.post("consents", as_mapping(consent(CARE, id="urn:x:2"))).status == 200
    assert [each.levelname for each in caplog.records if "a change is on record" in each.message] == ["ERROR"] * 3
    world.close()


def test_a_failure_that_nobody_foresaw_does_not_claim_that_nothing_was_changed() -> None:
    payload = fault(RuntimeError("secret")).payload
    assert isinstance(payload, dict)
    assert (payload["error"], "ask what is on record" in payload["remedy"]) == ("The call failed.", True)


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.role], ids=lambda each: each.path)
@pytest.mark.parametrize("account", ["derm", "admin", "uploader", "nobody", ""])
def test_without_the_role_nothing_is_answered(caller: Caller, endpoint: object, account: str) -> None:
    method, path = endpoint.method, endpoint.path  # type: ignore[attr-defined]
    account = "derm" if endpoint.role == account else account  # type: ignore[attr-defined]
    said = caller.call(method, path.format(consent=CONSENT_ID, task="t", approval="a", instance_uid="1.2"), account)
    assert said.status == 403
    assert "policy.toml" in str(said["remedy"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "consents/urn:x:none", None, 404, "id"),
        ("GET", "nothing/here", None, 404, "no such endpoint"),
        ("GET", "consents/a%2Fb", None, 404, "no such endpoint"),
        ("GET", "decisions", None, 405, "no such method"),
        ("POST", "consents", b"\xff", 400, "UTF-8"),
        ("POST", "consents", b"{" * 5000, 422, "JSON"),
        ("POST", "consents", {"id": "x"}, 422, "state"),
        ("POST", "consents", b" " * (256 * 1024 + 1), 413, "bytes"),
        ("POST", "consents/urn:x:none/withdrawal", {}, 404, "id"),
        ("POST", "consents/urn:x:none/withdrawal", {"consent": "urn:x:other"}, 400, "consent"),
        ("POST", "consents/withdrawal", {"consent": "Consent/none#2"}, 404, "id"),
        ("POST", "consents/withdrawal", {}, 400, "consent"),
        ("POST", "consents/get", {"consent": 7}, 400, "consent"),
        ("POST", "consents/history", {"patient": "P1"}, 400, "patient"),
        ("POST", "decisions", {"image": UID}, 400, "recipient"),
        ("POST", "decisions", {"image": UID, "recipient": "nobody"}, 404, "recipient"),
        ("POST", "decisions", {"image": "2.25.404", "recipient": "derm"}, 404, "registry"),
        ("POST", "decisions", {"image": 1, "recipient": "derm"}, 400, "image"),
        ("POST", "decisions", [], 400, "object"),
        ("POST", "decisions", {"image": UID, "recipient": "derm", "purpose": "TEACHING"}, 400, "purpose"),
        ("POST", "consents/get", {"consent": "\udfff"}, 400, "half a character"),
        ("POST", "decisions", {"image": "\ud800", "recipient": "derm"}, 400, "half a character"),
        ("POST", "approvals/none", {"answer": "APPROVED"}, 404, "id"),
        ("POST", "approvals/none", {"answer": "PERHAPS"}, 400, "APPROVED"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong_and_changes_nothing(
    caller: Caller, method: str, path: str, body: object, status: int, words: str
) -> None:
    before = caller.world.trail()
    said = caller.call(method, f"/consentgate/{path}", "epr", body if body is not None else {})
    assert (said.status, said["remedy"] != "") == (status, True)
    assert words in f"{said['error']} {said['problems']}"
    assert caller.world.trail() == before


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"purposes": []}, 400, "purposes"),
        ({"purposes": ["TEACHING", "HOLIDAYS"]}, 400, "purposes"),
        ({"purposes": [1]}, 400, "purposes"),
        ({"purposes": "TEACHING"}, 400, "purposes"),
        ({"purposes": ["PUBLICATION"]}, 409, "never covered"),
        ({"on": "20/11/2026"}, 400, "on"),
        ({"on": "2027-01-01"}, 409, "before its day"),
        ({"on": "2020-01-01"}, 409, "before it was given"),
        ({"phase": "SOON"}, 400, "phase"),
        ({"reason": "\ud800"}, 400, "half a character"),
        ({"how_received": "by\0letter"}, 400, "half a character"),
        ({"by": "somebody else"}, 400, "by"),
    ],
)
def test_a_withdrawal_that_can_t_be_leaves_the_consent_as_it_was(
    caller: Caller, body: object, status: int, words: str
) -> None:
    caller.world.record(consent(CARE, TEACHING))
    said = caller.post(f"consents/{CONSENT_ID}/withdrawal", body)
    assert (said.status, words in f"{said['error']} {said['problems']}") == (status, True)
    assert caller.world.consents()[0].record.version == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"consents/{CONSENT_ID}/withdrawal", '{"purposes": ["DIRECT_CARE"], "purposes": ["TEACHING"]}'),
        ("consents/withdrawal", f'{{"consent": "urn:x:other", "consent": "{CONSENT_ID}"}}'),
        ("decisions", f'{{"image": "{UID}", "recipient": "derm", "recipient": "teacher"}}'),
        ("decisions", f'{{"image": {{"a": 1, "a": 2}}, "recipient": "{UID}"}}'),
    ],
)
def test_what_a_call_says_twice_is_refused_and_nothing_of_it_is_lost(caller: Caller, path: str, body: str) -> None:
    caller.world.record(consent(CARE, TEACHING))
    said = caller.post(path, body.encode())
    assert (said.status, "more than once" in str(said["error"])) == (400, True)
    assert caller.world.consents()[0].record.version == 1


def test_a_second_consent_of_the_same_id_is_a_conflict(caller: Caller) -> None:
    caller.world.record(consent(CARE))
    said = caller.post("consents", as_mapping(consent(TEACHING)))
    assert (said.status, "id of its own" in str(said["remedy"])) == (409, True)


def test_a_registry_that_can_t_be_reached_is_said_so(caller: Caller) -> None:
    caller.world.lose_the_database()
    said = caller.get("tasks", "governance")
    assert (said.status, "registry" in str(said["error"])) == (503, True)
