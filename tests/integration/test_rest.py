"""The REST door of a running Orthanc: an electronic patient record keeps consents and asks."""

from __future__ import annotations

import json

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from dicomwrap.consentfile import as_mapping
from tests.fakes.pictures import CARE, TEACHING, consent
from tests.integration.archive import Archive

JSON = {"Content-Type": "application/json"}
PATIENT = "REST-4711"


def post(archive: Archive, path: str, body: object, account: str = "epr") -> httpx.Response:
    return archive.server.ask("POST", f"/consentgate/{path}", account, headers=JSON, content=json.dumps(body).encode())


def said(answer: httpx.Response) -> dict[str, object]:
    value: dict[str, object] = answer.json()
    return value


def test_the_description_is_given_by_the_running_server_and_fits_its_answers(archive: Archive) -> None:
    description = said(archive.server.ask("GET", "/consentgate/openapi.json", "epr"))
    validate(description)  # type: ignore[arg-type]
    record = as_mapping(consent(CARE, TEACHING, id="urn:x:rest-1", patient_id=PATIENT))
    answer = post(archive, "consents", record)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json"), answer.text
    schema = {"$ref": "#/components/schemas/ConsentFiled", "components": description["components"]}
    assert list(Draft202012Validator(schema).iter_errors(answer.json())) == []


def test_a_consent_goes_from_recorded_to_withdrawn_by_http_and_the_trail_says_so(archive: Archive) -> None:
    last = archive.last_entry()
    assert (
        post(archive, "consents", as_mapping(consent(CARE, id="urn:x:rest-2", patient_id=PATIENT))).status_code == 200
    )
    withdrawn = post(archive, "consents/urn:x:rest-2/withdrawal", {"how_received": "by telephone"})
    assert withdrawn.status_code == 200, withdrawn.text
    again = post(archive, "consents/urn:x:rest-2/withdrawal", {})
    assert (again.status_code, "can't become WITHDRAWN" in str(said(again)["error"])) == (409, True)
    entries = archive.entries_since(last)
    assert [entry["effect"] for entry in entries if entry["subject"] == "urn:x:rest-2"] == [
        "RECORDED_GIVEN",
        "WITHDRAWN",
    ]
    assert {entry["actor"] for entry in entries} == {"epr"}
    assert PATIENT not in json.dumps(entries)
    assert PATIENT not in (archive.server.folder / "orthanc.log").read_text(errors="replace")


def test_a_withdrawal_by_http_shuts_the_door_at_once(archive: Archive) -> None:
    made = archive.wrapped("A")
    question = {"image": made.sop_instance_uid, "recipient": "derm"}
    assert said(post(archive, "decisions", question))["decision"] == "PERMIT_IDENTIFIABLE"
    refused = {"id": "urn:x:rest-3", "patient_id": made.person.patient_id, "state": "REFUSED", "level": "IMAGE"}
    record = as_mapping(consent(CARE, decided_on=archive.journey.today.isoformat()))
    record |= {**refused, "targets": [made.sop_instance_uid], "issuer": None}
    assert post(archive, "consents", record).status_code == 200
    try:
        assert said(post(archive, "decisions", question))["decision"] == "DENY"
        file = f"/instances/{made.orthanc_instance}/file"
        assert archive.server.ask("GET", file, "derm").status_code == 403
    finally:
        error = archive.server.consentgate(
            "consent", "error", "urn:x:rest-3", "--reason", "end of a test", "--by", "second person"
        )
        assert error.returncode == 0, error.stderr
    assert said(post(archive, "decisions", question))["decision"] == "PERMIT_IDENTIFIABLE"


@pytest.mark.parametrize("account", ["", "derm", "teacher", "uploader", "admin"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "tasks"),
        ("GET", "tasks/"),
        ("POST", "consents"),
        ("POST", "consents/search"),
        ("GET", "consents/urn:x:rest-1"),
        ("POST", "consents/urn:x:rest-1/withdrawal"),
        ("POST", "break-glass"),
        ("GET", "openapi.json"),
    ],
)
def test_other_accounts_are_refused_before_the_door_is_asked(
    archive: Archive, account: str, method: str, path: str
) -> None:
    answer = archive.server.ask(method, f"/consentgate/{path}", account, headers=JSON, content=b"{}")
    assert answer.status_code == (403 if account else 401)
    assert PATIENT not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "consents"),
        ("DELETE", "consents/urn:x:rest-1"),
        ("PUT", "consents/urn:x:rest-1"),
        ("GET", "consents/../../instances"),
        ("GET", ""),
        ("GET", "unknown"),
        ("POST", "tasks"),
    ],
)
def test_what_is_not_in_the_table_is_refused(archive: Archive, method: str, path: str) -> None:
    assert archive.server.ask(method, f"/consentgate/{path}", "epr").status_code in (403, 404)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b'{"id":"x"}', b'{"a":' * 2000, b" " * 300_000])
def test_nonsense_gets_a_clear_answer_and_the_server_lives(archive: Archive, body: bytes) -> None:
    answer = archive.server.ask("POST", "/consentgate/consents", "epr", headers=JSON, content=body)
    assert answer.status_code in (400, 413, 422)
    assert said(answer)["remedy"]
    assert archive.server.ask("GET", "/consentgate/tasks", "governance").status_code == 200


def test_a_method_override_header_changes_nothing(archive: Archive) -> None:
    headers = {**JSON, "X-HTTP-Method-Override": "DELETE"}
    answer = archive.server.ask("POST", "/consentgate/consents", "epr", headers=headers, content=b"{}")
    assert answer.status_code in (403, 422)
