"""The ways round a filter that are known, one by one, on a running Orthanc.

A's consent was withdrawn, so nobody may have A; the teacher may have nothing by HTTP. Whatever is tried, no byte of
what is forbidden is in the answer, and no picture is gone or changed afterwards.
"""

from __future__ import annotations

import base64
import json
import socket
from contextlib import suppress

import pytest

from demo.peers import HOST, Receiver, free_ports
from tests.integration.doorways import Doors
from tests.integration.needles import found, pictures

DICOMWEB = "/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}"
WADO = "/wado?requestType=WADO&objectUID={instance_uid}"
TRIED = {
    "method override in the query": ("GET", "/instances/{instance}/file?_method=DELETE", {}),
    "method override in a header": ("POST", "/instances/{instance}/file", {"X-HTTP-Method-Override": "GET"}),
    "method override to PUT": ("GET", "/instances/{instance}/file", {"X-HTTP-Method-Override": "PUT"}),
    "trailing slash": ("GET", "/instances/{instance}/file/", {}),
    "two trailing slashes": ("GET", "/instances/{instance}/file//", {}),
    "another case": ("GET", "/INSTANCES/{instance}/FILE", {}),
    "HEAD": ("HEAD", "/instances/{instance}/file", {}),
    "OPTIONS": ("OPTIONS", "/instances/{instance}/file", {}),
    "PROPFIND": ("PROPFIND", "/instances/{instance}/file", {"Depth": "1"}),
    "a range of bytes": ("GET", "/instances/{instance}/attachments/dicom/data", {"Range": "bytes=0-200"}),
    "transcoded": ("GET", "/instances/{instance}/file?transcode=1.2.840.10008.1.2.1", {}),
    "the attachment": ("GET", "/instances/{instance}/attachments/dicom/data", {}),
    "the attachment as it is on disk": ("GET", "/instances/{instance}/attachments/dicom/compressed-data", {}),
    "the start of the file": ("GET", "/instances/{instance}/attachments/dicom-until-pixel-data/data", {}),
    "the header as JSON": ("GET", "/instances/{instance}/attachments/dicom-as-json/data", {}),
    "the DICOMweb cache": ("GET", "/series/{series}/attachments/4301/data", {}),
    "what it was anonymised from": ("GET", "/instances/{instance}/metadata/AnonymizedFrom", {}),
    "its patient": ("GET", "/instances/{instance}/patient", {}),
    "one attribute": ("GET", "/instances/{instance}/content/0010-0010", {}),
    "WADO-URI": ("GET", WADO, {}),
    "WADO-URI as DICOM": ("GET", f"{WADO}&contentType=application/dicom", {}),
    "WADO-URI in other letters": ("GET", f"{WADO}&OBJECTUID={{instance_uid}}", {}),
    "rendered": ("GET", f"{DICOMWEB}/rendered", {}),
    "a rendered frame": ("GET", f"{DICOMWEB}/frames/1/rendered", {}),
    "a thumbnail": ("GET", f"{DICOMWEB}/thumbnail", {}),
    "bulk data": ("GET", f"{DICOMWEB}/bulk/7FE00010", {}),
    "bulk data of a study": ("GET", "/dicom-web/studies/{study_uid}/bulkdata", {}),
    "Orthanc Explorer": ("GET", "/app/explorer.html", {}),
    "the explorer of plugins": ("GET", "/plugins/explorer.js", {}),
    "the viewer of DICOMweb": ("GET", "/dicom-web/app/client/index.html", {}),
    "an archive by GET": ("GET", "/tools/create-archive?resources={study}", {}),
    "an archive of another by a second argument": ("GET", "/tools/create-archive?resources=x&resources={study}", {}),
    "the output of a job": ("GET", "/jobs/x/archive", {}),
    "the changes": ("GET", "/changes?expand", {}),
    "the exports": ("GET", "/exports", {}),
    "WebDAV": ("GET", "/webdav/by-uids", {}),
    "WebDAV by override": ("GET", "/webdav/by-uids?_method=PUT", {"X-HTTP-Method-Override": "PUT"}),
    "WebDAV listing": ("PROPFIND", "/webdav/by-patients", {"Depth": "1"}),
    "a job sent again": ("POST", "/jobs/x/resubmit", {}),
    "a peer": ("POST", "/peers/other/store", {}),
    "a DICOMweb server": ("POST", "/dicom-web/servers/other/stow", {}),
    "a copy": ("POST", "/instances/{instance}/modify", {}),
    "an anonymised copy that keeps the name": ("POST", "/instances/{instance}/anonymize", {}),
    "attributes asked for beside": ("GET", "/studies/{study}?requested-tags=PatientName;0010,0020", {}),
    "attributes of a list": ("GET", "/instances?expand&requested-tags=PatientName", {}),
    "a search for attributes": ("GET", "/dicom-web/instances?SOPInstanceUID={instance_uid}&includefield=all", {}),
    "slices in order": ("GET", "/series/{series}/ordered-slices", {}),
    "labels": ("GET", "/studies/{study}/labels", {}),
    "all metadata": ("GET", "/instances/{instance}/metadata?expand", {}),
    "what is sent another UID as well": ("GET", f"{WADO}&objectUID=1.2.3", {}),
    "the attachment by its number": ("GET", "/instances/{instance}/attachments/1/data", {}),
    "a medium": ("POST", "/tools/create-media-extended", {}),
    "a review's picture": ("GET", "/consentgate/reviews/{instance_uid}/picture?profile=teaching", {}),
    "a report of storage commitment": ("GET", "/storage-commitment/x", {}),
    "a query of another archive": ("POST", "/modalities/teaching/query", {}),
}


@pytest.mark.parametrize("account", ["derm", "teacher", "admin"])
@pytest.mark.parametrize("what", TRIED)
def test_no_way_round_the_filter_shows_what_is_for_nobody(doors: Doors, what: str, account: str) -> None:
    method, template, headers = TRIED[what]
    path = template.format_map(doors.objects["A"].named())
    body = json.dumps({"Resources": [doors.objects["A"].named()["study"]], "Keep": ["PatientName"], "Force": True})
    content = body.encode() if method == "POST" else b""
    answer = doors.ask(method, path, account, headers=headers, content=content)
    assert found(answer.content, doors.forbidden(account), known=path.encode() + content) == []
    assert pictures(answer.content) == []
    assert doors.objects["A"].file.exists()


@pytest.mark.parametrize("path", ["/instances/{instance}", "/patients/{patient}"])
@pytest.mark.parametrize("headers", [{}, {"X-HTTP-Method-Override": "DELETE"}])
@pytest.mark.parametrize("query", ["", "?_method=DELETE", "?_method=delete"])
def test_nothing_is_deleted_however_it_is_asked(doors: Doors, path: str, headers: dict[str, str], query: str) -> None:
    names = doors.objects["B"].named()
    for method in ("GET", "POST", "DELETE"):
        doors.ask(method, path.format_map(names) + query, "admin", headers=headers)
    assert doors.ask("GET", f"/instances/{names['instance']}/file", "derm").content == doors.objects["B"].content


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_opens_nothing_and_orthanc_does_not_know_it(doors: Doors, scheme: str) -> None:
    """A token that a plugin made would pass by the filter; the start-up check lets no plugin in that makes one."""
    path = f"/instances/{doors.objects['B'].named()['instance']}/file"
    answer = doors.ask("GET", path, headers={"Authorization": f"{scheme} made-up"})
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_host_in_the_body_does_not_become_a_destination(doors: Doors) -> None:
    (port,) = free_ports(1)
    elsewhere = Receiver(aet="ELSEWHERE", port=port)
    try:
        body = {"Resources": [doors.objects["B"].named()["instance"]], "Host": HOST, "Port": port}
        for extra in ({}, {"CalledAet": "ELSEWHERE"}, {"Synchronous": True}, {"Asynchronous": True}):
            for account in ("sender", "derm", "admin"):
                content = json.dumps(body | extra).encode()
                answer = doors.ask("POST", "/modalities/dermatology/store", account, content=content)
                assert answer.status_code in (400, 403, 422)
        assert elsewhere.take() == []
    finally:
        elsewhere.stop()


@pytest.mark.parametrize("route", ["/modalities/elsewhere", "/peers/elsewhere", "/modalities/teaching"])
def test_no_destination_is_made_or_changed_at_run_time(doors: Doors, route: str) -> None:
    body = json.dumps({"AET": "ELSEWHERE", "Host": HOST, "Port": 1, "Url": f"http://{HOST}:1/"}).encode()
    for method in ("PUT", "DELETE", "POST"):
        assert doors.ask(method, route, "admin", content=body).status_code == 403
    assert "elsewhere" not in doors.ask("GET", "/modalities", "admin").json()


RAW = (
    "/instances/../instances/{instance}/file",
    "//instances/{instance}/file",
    "/./instances/{instance}/file",
    "/instances/{instance}/file%00",
    "/instances/{instance}/file%00.jpg",
    "/instances/{instance}/%66ile",
    "/instances/{instance}%2ffile",
    "/%69nstances/{instance}/file",
    "/instances/{instance}/%2566ile",
    "/instances/{instance}/file.",
    "/instances/{instance}/file;x=y",
    "/instances/{instance}/file\\",
    "/webdav/../instances/{instance}/file",
    "/system/../instances/{instance}/file",
    "http://somewhere/instances/{instance}/file",
)


def exchanged(doors: Doors, request: bytes) -> bytes:
    """Send bytes as they are; return all that comes back until Orthanc closes, which it does soon."""
    content = b""
    with socket.create_connection((HOST, doors.server.ports.http), timeout=30) as connection:
        connection.sendall(request)
        with suppress(TimeoutError):
            while piece := connection.recv(65536):
                content += piece
    return content


# One request in another, or after it on the same connection; {auth} is the care team's, who may have B and not A.
WITHIN = {
    "after one that may": "GET /instances/{b}/tags HTTP/1.1\r\nHost: x\r\n{auth}\r\n\r\n{hidden}",
    "after one of HTTP/1.0": "GET /instances/{b}/tags HTTP/1.0\r\nConnection: keep-alive\r\n{auth}\r\n\r\n{hidden}",
    "in a body": "GET /instances/{b}/tags HTTP/1.1\r\nHost: x\r\n{auth}\r\nContent-Length: 5\r\n\r\nhello{hidden}",
    "behind an end that one of two believes": "POST /tools/find HTTP/1.1\r\nHost: x\r\n{auth}\r\nContent-Length: 6\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    "in a header that goes on": "GET /instances/{b}/tags HTTP/1.1\r\nHost: x\r\nX: y\r\n {hidden}\r\n{auth}\r\n\r\n",
}


@pytest.mark.parametrize("how", WITHIN)
def test_a_request_in_or_behind_another_is_decided_all_the_same(doors: Doors, how: str) -> None:
    basic = base64.b64encode(f"derm:{doors.server.passwords['derm']}".encode()).decode()
    auth, a, b = f"Authorization: Basic {basic}", doors.objects["A"].named(), doors.objects["B"].named()
    hidden = f"GET /instances/{a['instance']}/file HTTP/1.1\r\nHost: x\r\n{auth}\r\nConnection: close\r\n\r\n"
    request = WITHIN[how].format(b=b["instance"], auth=auth, hidden=hidden).encode()
    content = exchanged(doors, request)
    assert found(content, doors.forbidden("derm"), known=request) == []
    assert doors.objects["A"].content[:4096] not in content


@pytest.mark.parametrize("method", ["GET", "get", "HEAD", "PROPFIND", "POST"])
@pytest.mark.parametrize("target", RAW)
def test_a_path_written_otherwise_is_decided_all_the_same(doors: Doors, target: str, method: str) -> None:
    """Sent raw, because an HTTP client would tidy it up."""
    path = target.format_map(doors.objects["A"].named())
    basic = base64.b64encode(f"derm:{doors.server.passwords['derm']}".encode()).decode()
    request = f"{method} {path} HTTP/1.0\r\nAuthorization: Basic {basic}\r\nContent-Length: 0\r\n\r\n"
    content = b""
    with socket.create_connection((HOST, doors.server.ports.http), timeout=30) as connection:
        connection.sendall(request.encode())
        while piece := connection.recv(65536):
            content += piece
    assert b" 200 " not in content.split(b"\r\n", 1)[0]
    assert found(content, doors.forbidden("derm"), known=path.encode()) == []
    assert pictures(content) == []
