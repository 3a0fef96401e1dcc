"""The description of the REST door is valid OpenAPI, names every exit of ours, and real answers keep to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from dicomwrap.consentfile import as_mapping
from dicomwrap.version import VERSION
from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.heartbeat import Heartbeat
from orthanc_plugin.enforcement.openapi import SCHEMAS, description
from orthanc_plugin.enforcement.route import Kind
from tests.fakes.caller import PATIENT_RECORD, Caller, Said, world_with_accounts
from tests.fakes.clinic import clinic
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.records import activate
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import leave

ROOT = Path(__file__).parents[2]
DESCRIPTION = description(ENDPOINTS, VERSION)
REASON = "Unconscious in resus, pictures of the wound needed"
WHOLE = {
    "tests": {"necessary": True, "best_interests": True, "no_less_restrictive": True, "consulted": ["sister"]},
    "giver": {"type": "LPA_HW", "id": "L1", "relationship": "wife", "authority_document": "LPA 7"},
    "capacity": {"result": "LACKS", "decision": "photographs", "assessor": "dr-c", "on": "2025-03-01"},
    "document": {"sha256": "ab" * 32, "form_id": "IMI", "form_version": "2019", "witness": "ward clerk"},
    "retention_told": {"text": "as long as the record", "until": "2045-01-01"},
    "support": {"language": "cy", "interpreter": "by phone", "easy_read": True, "aids": ["pictures"]},
    "discussion": {"note": "Talked.", "author": "clinic", "role": "nurse", "at": "2025-03-01T09:00:00+00:00"},
    "source_system": "EPR",
}


def problems(name: str, value: object) -> list[str]:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    world = world_with_accounts(tmp_path)
    yield Caller(world=world)
    world.close()


def test_the_description_is_valid_openapi_and_is_what_the_door_gives(caller: Caller) -> None:
    validate(DESCRIPTION)
    assert caller.get("openapi.json").body == DESCRIPTION


def test_every_exit_of_ours_is_described_with_its_role() -> None:
    described = {(each.method, each.path, each.role) for each in ENDPOINTS}
    assert described == {(row.method, row.path, row.needs) for row in ROUTES if row.kind is Kind.OWN}
    assert all(each.summary.endswith(".") for each in ENDPOINTS)


def test_a_schema_that_nobody_uses_or_nobody_wrote_is_found() -> None:
    used = {name for each in ENDPOINTS for name in (each.takes, each.gives) if name}
    assert used <= set(SCHEMAS)
    inner = {"Consent", "ConsentOnRecord", "FhirConsent", "Error"}
    assert set(SCHEMAS) - used <= inner


@pytest.mark.parametrize("record", [consent(CARE, TEACHING), consent(CARE, **WHOLE)], ids=["plain", "with everything"])
def test_what_the_file_format_writes_is_a_consent_of_the_description(record: object) -> None:
    written = as_mapping(record)  # type: ignore[arg-type]
    assert problems("Consent", written) == []
    assert problems("Consent", {**written, "state": "PERHAPS"}) != []
    assert problems("Consent", {**written, "colour": "red"}) != []


def answers(caller: Caller) -> Iterator[tuple[str, str, Said]]:
    """Give an answer of each endpoint."""
    world = caller.world
    world.file(CARE)
    yield "POST", "/consentgate/consents", caller.post("consents", as_mapping(consent(TEACHING, id="urn:x:2")))
    found = {"patient_id": PATIENT.id, "issuer": PATIENT.issuer}
    yield "POST", "/consentgate/consents/search", caller.post("consents/search", found)
    yield "GET", "/consentgate/consents/{consent}", caller.get(f"consents/{CONSENT_ID}")
    yield "GET", "/consentgate/consents/{consent}/history", caller.get(f"consents/{CONSENT_ID}/history")
    leave(world)
    yield "POST", "/consentgate/disclosures/search", caller.post("disclosures/search", {"image": UID})
    yield "POST", "/consentgate/decisions", caller.post("decisions", {"image": UID, "recipient": "derm"})
    emergency = caller.post("break-glass", {"image": UID, "reason": REASON}, "registrar")
    yield "POST", "/consentgate/break-glass", emergency
    tasks = caller.get("tasks", "governance")
    yield "GET", "/consentgate/tasks", tasks
    task = next(each["task"] for each in tasks["tasks"] if each["kind"] == "NOTIFY_IG")  # type: ignore[attr-defined]
    closed = caller.post(f"tasks/{task}/closure", {"note": "done"}, "governance")
    yield "POST", "/consentgate/tasks/{task}/closure", closed
    yield "POST", "/consentgate/consents/get", caller.post("consents/get", {"consent": CONSENT_ID})
    yield "POST", "/consentgate/consents/history", caller.post("consents/history", {"consent": CONSENT_ID})
    yield "POST", "/consentgate/consents/withdrawal", caller.post("consents/withdrawal", {"consent": "urn:x:2"})
    withdrawn = caller.post(f"consents/{CONSENT_ID}/withdrawal", {"phase": "LATER"})
    yield "POST", "/consentgate/consents/{consent}/withdrawal", withdrawn
    yield "GET", "/consentgate/refusal", caller.get("refusal", "governance")
    yield "GET", "/consentgate/openapi.json", caller.get("openapi.json")
    activate(world)
    pushed = {"as_of": world.clock().isoformat(), "facts": [{"patient_id": "P1", "categories": []}]}
    yield "POST", "/consentgate/retention/facts", caller.post("retention/facts", pushed, "pas")
    Heartbeat(world.services).beat()
    yield "GET", "/consentgate/health", caller.get("health", "admin")


def test_every_answer_keeps_to_the_description(caller: Caller) -> None:
    by_place = {(each.method, each.path): each for each in ENDPOINTS}
    for method, path, said in answers(caller):
        endpoint = by_place.pop((method, path))
        assert (said.status, problems(endpoint.gives, said.body)) == (200, []), said.body
    # Asked elsewhere: below, and where reviews are tested.
    assert {path.split("/")[2] for _, path in by_place} == {"approvals", "reviews"}


def test_the_answers_on_approvals_keep_to_it_too(tmp_path: Path) -> None:
    world = clinic(tmp_path, "every", accounts=PATIENT_RECORD)
    caller = Caller(world=world)
    world.record(consent(CARE))
    world.receive()
    listed = caller.get("approvals")
    assert (listed.status, problems("ApprovalList", listed.body)) == (200, [])
    (waiting,) = listed["approvals"]  # type: ignore[misc]
    answered = caller.post(f"approvals/{waiting['approval']}", {"answer": "WITHDRAWN", "reason": "no", "refuse": True})
    assert (answered.status, problems("ApprovalOutcome", answered.body)) == (200, [])
    assert caller.get("approvals")["approvals"] == []
    assert world.services.spool.names() == ()
    world.close()


def test_a_fault_keeps_to_the_description(caller: Caller) -> None:
    for said in (caller.get("consents/none"), caller.post("consents", {}), caller.get("tasks")):
        assert problems("Error", said.body) == []
        assert str(said.status) in DESCRIPTION["paths"]["/consentgate/consents"]["post"]["responses"]  # type: ignore[index]


def test_the_page_for_administrators_lists_every_call() -> None:
    page = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8")
    listed = [line for line in page.splitlines() if line.startswith("| `")]
    assert listed == [
        f"| `{each.method} {each.path}` | `{each.role or 'any'}` | {each.summary} |" for each in ENDPOINTS
    ]
