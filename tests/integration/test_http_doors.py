"""Every HTTP door of a running Orthanc, tried with the bypasses that are known."""

from __future__ import annotations

import base64
import json
import socket

import pytest

from demo.peers import HOST
from tests.integration.archive import Archive

OPEN = 200


def path_of(archive: Archive, template: str, letter: str) -> str:
    made = archive.wrapped(letter)
    return template.format(
        instance=made.orthanc_instance or archive.journey._orthanc_instance(letter),
        study=made.study_instance_uid,
        series=made.series_instance_uid,
        sop=made.sop_instance_uid,
    )


DICOMWEB = "/dicom-web/studies/{study}/series/{series}/instances/{sop}"
FOR_CARE = (
    "/instances/{instance}",
    "/instances/{instance}/file",
    "/instances/{instance}/file/",
    "/instances/{instance}/tags",
    "/instances/{instance}/simplified-tags",
    "/instances/{instance}/preview",
    "/instances/{instance}/frames/0/rendered",
    "/instances/{instance}/attachments/dicom/data",
    "/instances/{instance}/attachments/dicom/compressed-data",
    "/instances/{instance}/content/0010-0010",
    "/instances/{instance}/numpy",
    DICOMWEB,
    DICOMWEB + "/metadata",
    DICOMWEB + "/frames/1",
    DICOMWEB + "/rendered",
    DICOMWEB + "/bulk/00100010",
    "/wado?requestType=WADO&objectUID={sop}&contentType=application/dicom",
)


@pytest.mark.parametrize("template", FOR_CARE)
def test_the_care_team_sees_what_was_consented_to(archive: Archive, template: str) -> None:
    accept = {"Accept": "*/*"}
    answer = archive.server.ask("GET", path_of(archive, template, "A"), "derm", headers=accept)
    assert answer.status_code == OPEN
    assert answer.content


@pytest.mark.parametrize("template", FOR_CARE)
def test_what_is_in_quarantine_is_behind_no_door(archive: Archive, template: str) -> None:
    answer = archive.server.ask("GET", path_of(archive, template, "C"), "derm")
    assert answer.status_code == 403
    assert not answer.content


@pytest.mark.parametrize("template", FOR_CARE)
@pytest.mark.parametrize("account", ["teacher", "uploader", "admin"])
def test_other_accounts_see_no_original(archive: Archive, template: str, account: str) -> None:
    answer = archive.server.ask("GET", path_of(archive, template, "B"), account)
    assert answer.status_code == 403
    assert not answer.content


@pytest.mark.parametrize("template", FOR_CARE)
def test_nobody_sees_anything_without_a_password(archive: Archive, template: str) -> None:
    assert archive.server.ask("GET", path_of(archive, template, "A")).status_code == 401


NEVER = (
    ("GET", "/instances/{instance}/metadata?expand"),
    ("GET", "/instances/{instance}/attachments/dicom-as-json/data"),
    ("GET", "/instances/{instance}/patient"),
    ("GET", "/Instances/{instance}/file"),
    ("GET", "/instance/{instance}/file"),
    ("GET", "/instances/{instance}/fil"),
    ("GET", "/instances/{instance}/file.dcm"),
    ("POST", "/tools/execute-script"),
    ("POST", "/tools/reset"),
    ("POST", "/tools/shutdown"),
    ("POST", "/instances/{instance}/export"),
    ("POST", "/modalities/teaching/store"),
    ("POST", "/modalities/teaching/store-straight"),
    ("POST", "/modalities/teaching/move"),
    ("PUT", "/modalities/elsewhere"),
    ("PUT", "/peers/elsewhere"),
    ("GET", "/changes"),
    ("GET", "/exports"),
    ("GET", "/jobs?expand"),
    ("GET", "/webdav/"),
    ("GET", "/webdav/by-uids"),
    ("GET", "/app/explorer.html"),
    ("GET", "/dicom-web/servers"),
    ("POST", "/dicom-web/servers/x/stow"),
    ("GET", "/wado?requestType=WADO"),
    ("DELETE", "/instances/{instance}"),
    ("DELETE", "/patients/{instance}"),
    ("POST", "/tools/bulk-delete"),
)


@pytest.mark.parametrize(("method", "template"), NEVER)
@pytest.mark.parametrize("account", ["derm", "admin"])
def test_a_route_that_is_not_in_the_table_is_denied_and_noted(
    archive: Archive, method: str, template: str, account: str
) -> None:
    answer = archive.server.ask(method, path_of(archive, template, "A"), account, content=b"{}")
    assert answer.status_code in (403, 404)
    assert not answer.content or answer.status_code == 404


def test_every_denial_names_its_reason_in_the_trail(archive: Archive) -> None:
    before = archive.last_entry()
    archive.server.ask("DELETE", path_of(archive, "/instances/{instance}", "A"), "admin")
    archive.server.ask("GET", path_of(archive, "/instances/{instance}/file", "A"), "teacher")
    found = archive.entries_since(before)
    assert [entry["effect"] for entry in found] == ["DENY", "ANONYMISED_COPY_ASKED_FOR", "DENY"]
    assert all(entry["reasons"] and entry["rules"] for entry in found if entry["effect"] == "DENY")


OVERRIDES = (
    ("GET", "?_method=DELETE", {}),
    ("POST", "", {"X-HTTP-Method-Override": "DELETE"}),
    ("GET", "", {"X-HTTP-Method-Override": "DELETE"}),
    ("GET", "?_method=PUT", {}),
)


@pytest.mark.parametrize(("method", "query", "headers"), OVERRIDES)
def test_a_method_override_deletes_nothing(archive: Archive, method: str, query: str, headers: dict[str, str]) -> None:
    path = path_of(archive, "/instances/{instance}", "A")
    archive.server.ask(method, path + query, "derm", headers=headers)
    assert archive.server.ask("GET", path + "/file", "derm").status_code == OPEN


def test_a_method_override_opens_no_webdav(archive: Archive) -> None:
    for method in ("PUT", "PROPFIND", "GET"):
        answer = archive.server.ask(
            method, "/webdav/by-uids?_method=PUT", "derm", headers={"X-HTTP-Method-Override": "PUT"}
        )
        assert answer.status_code != OPEN
        assert b"multistatus" not in answer.content


def test_a_bearer_token_made_up_opens_nothing(archive: Archive) -> None:
    path = path_of(archive, "/instances/{instance}/file", "A")
    answer = archive.server.ask("GET", path, headers={"Authorization": "Bearer made-up"})
    assert answer.status_code in (401, 403)


def test_the_internal_secret_can_not_be_guessed_or_used_by_others(archive: Archive) -> None:
    path = path_of(archive, "/instances/{instance}/file", "A")
    for account, secret in (("consentgate", "guess"), ("consentgate", ""), ("teacher", "guess")):
        answer = archive.server.ask("GET", path, account, headers={"X-Consentgate-Boot": secret})
        assert answer.status_code == 403


def test_the_internal_account_reaches_nothing_but_its_own_routes(archive: Archive) -> None:
    secret = json.loads((archive.server.folder / "run" / "boot.secret").read_text())["secret"]
    headers = {"X-Consentgate-Boot": secret}
    path = path_of(archive, "/instances/{instance}", "A")
    assert archive.server.ask("GET", path + "/file", "consentgate", headers=headers).status_code == OPEN
    for method, route in (("DELETE", path), ("GET", path + "/tags"), ("GET", "/studies"), ("PUT", "/modalities/x")):
        assert archive.server.ask(method, route, "consentgate", headers=headers).status_code == 403


@pytest.mark.parametrize("header", ["X-Purpose-Of-Use: TEACHING", "Purpose-Of-Use: HRESCH"])
def test_a_purpose_can_not_be_chosen_by_a_header(archive: Archive, header: str) -> None:
    name, value = header.split(": ")
    path = path_of(archive, "/instances/{instance}/file", "A")
    assert archive.server.ask("GET", path, "derm", headers={name: value}).status_code == 403
    assert archive.server.ask("GET", path + "?purpose=TEACHING", "derm").status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "/instances/../instances/{instance}/file",
        "//instances/{instance}/file",
        "/instances/{instance}/file%00",
        "/instances/{instance}/%66ile",
        "/instances/{instance}/file.",
        "/./instances/{instance}/file",
        "/instances/{instance}/file\\",
    ],
)
def test_a_path_written_otherwise_is_decided_all_the_same(archive: Archive, target: str) -> None:
    """Sent raw, because an HTTP client would tidy it up; the teacher must not get it however it is spelt."""
    credentials = f"teacher:{archive.server.passwords['teacher']}".encode()
    basic = base64.b64encode(credentials).decode()
    request = f"GET {path_of(archive, target, 'A')} HTTP/1.0\r\nAuthorization: Basic {basic}\r\n\r\n"
    with socket.create_connection((HOST, archive.server.ports.http), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(65536)
    assert b" 200 " not in answer.split(b"\r\n", 1)[0]
    assert b"DICM" not in answer
