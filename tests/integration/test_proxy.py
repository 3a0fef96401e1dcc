"""The sample proxy before a running Orthanc: who is believed, what never gets through, and a 403 that says why."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.nested import identified
from tests.integration.proxied import PASSWORD, Proxied, started

DEEP = identified(80)
MIB = 1024 * 1024
STOW = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=BB'}
CLAIMS = {
    "X-Forwarded-User": "admin",
    "X-Auth-Request-User": "admin",
    "X-Remote-User": "admin",
    "Remote-User": "admin",
    "X_Forwarded_User": "admin",
    "X-Consentgate-Proxy": "0" * 64,
    "X-Consentgate-Boot": "guessed",
}


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """Give the proxy with all that is behind it."""
    with started(tmp_path_factory.mktemp("proxied")) as running:
        yield running


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.dcm", content)
    return file.getvalue()


def stow(content: bytes) -> bytes:
    return b"--BB\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--BB--\r\n"


def file_of(proxied: Proxied, letter: str = "A") -> str:
    return f"/instances/{proxied.archive.wrapped(letter).orthanc_instance}/file"


def told(answer: httpx.Response) -> dict[str, str]:
    """Return what a refusal says, which must be a 403 with a reason and a remedy."""
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (403, "application/json")
    said: dict[str, str] = answer.json()
    assert said["error"]
    assert said["remedy"]
    return said


def last_entry(proxied: Proxied) -> int:
    head = proxied.trail.head()
    return head.seq if head else 0


def recorded(proxied: Proxied, decision: str) -> dict[str, object]:
    """Return the trail's entry with this id."""
    return proxied.trail.find(decision)


def test_a_person_who_has_signed_in_sees_what_was_consented_to_in_their_own_name(proxied: Proxied) -> None:
    last = last_entry(proxied)
    answer = proxied.ask("GET", file_of(proxied), "dr-field")
    assert (answer.status_code, answer.content[128:132]) == (200, b"DICM")
    assert {entry["actor"] for entry in proxied.entries(last)} == {"dr-field"}
    assert answer.headers["cache-control"] == "no-store"


def test_who_has_not_signed_in_gets_nothing(proxied: Proxied) -> None:
    for path in (file_of(proxied), "/consentgate/refusal", "/", "/instances"):
        assert proxied.ask("GET", path).status_code == 401
    assert proxied.ask("POST", "/instances", content=DEEP).status_code == 401


@pytest.mark.parametrize("path", ["/system", "/consentgate/tasks"])
def test_what_a_client_claims_is_not_passed_on(path: str, proxied: Proxied) -> None:
    answer = proxied.ask("GET", path, "dr-field", headers={**CLAIMS, "Authorization": "Digest guessed"})
    entry = recorded(proxied, told(answer)["decision"])
    assert (entry["actor"], entry["rules"]) == ("dr-field", ["ROLE_MISSING"])
    assert proxied.ask("GET", path, headers=CLAIMS).status_code == 401


def test_a_system_uses_its_own_account_and_the_proxy_says_nothing_for_it(proxied: Proxied) -> None:
    password = proxied.archive.server.passwords["epr"]
    answer = proxied.ask("GET", "/consentgate/openapi.json", auth=("epr", password), headers=CLAIMS)
    assert (answer.status_code, answer.json()["openapi"][:2]) == (200, "3.")
    assert proxied.ask("GET", "/consentgate/openapi.json", auth=("epr", "wrong")).status_code == 401
    assert told(proxied.ask("GET", "/system", auth=("epr", password), headers=CLAIMS))["decision"]


def test_the_proxy_s_own_account_has_nothing_by_itself(proxied: Proxied) -> None:
    for path in (file_of(proxied), "/consentgate/refusal"):
        answer = proxied.ask("GET", path, auth=("proxy", PASSWORD))
        assert told(answer)["decision"] == ""


@pytest.mark.parametrize("system", ["derm", "uploader", "epr", "admin", "consentgate"])
def test_who_signs_in_by_the_name_of_a_system_isn_t_that_system(system: str, proxied: Proxied) -> None:
    last = last_entry(proxied)
    for method, path in (("GET", file_of(proxied)), ("POST", "/instances"), ("POST", "/consentgate/consents")):
        assert (
            proxied.ask(method, path, system, content=proxied.archive.wrapped("A").file.read_bytes()).status_code == 403
        )
    rules = "UNKNOWN_USER" if system == "consentgate" else "OTHER_SIGN_IN"
    assert {(entry["actor"], *entry["rules"]) for entry in proxied.entries(last)} == {(f"proxy:{system}", rules)}  # type: ignore[misc]


def direct(proxied: Proxied, account: tuple[str, str], **headers: str) -> int:
    """Ask Orthanc past the proxy, and return the status."""
    url = proxied.archive.server.url + file_of(proxied)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(url, auth=account, headers=sent, trust_env=False, timeout=60).status_code


def test_past_the_proxy_only_who_has_its_account_and_its_secret_is_believed(proxied: Proxied) -> None:
    derm, proxy = ("derm", proxied.archive.server.passwords["derm"]), ("proxy", PASSWORD)
    assert direct(proxied, derm) == 200
    assert direct(proxied, proxy, X_Forwarded_User="dr-field", X_Consentgate_Proxy=proxied.secret) == 200
    last = last_entry(proxied)
    assert direct(proxied, proxy, X_Forwarded_User="dr-field") == 403
    assert direct(proxied, proxy, X_Forwarded_User="dr-field", X_Consentgate_Proxy="0" * 64) == 403
    assert direct(proxied, derm, X_Forwarded_User="dr-field", X_Consentgate_Proxy=proxied.secret) == 403
    assert direct(proxied, derm, X_Auth_Request_User="admin") == 403
    assert direct(proxied, proxy, X_Consentgate_Proxy=proxied.secret) == 403
    rules = [entry["rules"] for entry in proxied.entries(last)]
    assert rules == [["IDENTITY_NOT_TRUSTED"]] * 4 + [["NO_IDENTITY"]]


def test_a_refusal_says_why_and_names_the_decision(proxied: Proxied) -> None:
    said = told(proxied.ask("GET", file_of(proxied, "A"), "student"))
    entry = recorded(proxied, said["decision"])
    assert (entry["actor"], entry["subject"], entry["purpose"]) == (
        "student",
        proxied.archive.wrapped("A").sop_instance_uid,
        "TEACHING",
    )
    assert proxied.archive.wrapped("A").sop_instance_uid not in json.dumps(said)
    assert proxied.ask("HEAD", file_of(proxied, "A"), "student").status_code == 403


def test_a_call_with_a_body_is_refused_with_a_decision_too(proxied: Proxied) -> None:
    body = json.dumps([proxied.archive.wrapped("A").orthanc_instance]).encode()
    for person, status in (("lecturer", 200), ("student", 403)):
        answer = proxied.ask("POST", "/tools/create-archive", person, content=body)
        assert answer.status_code == status
    entry = recorded(proxied, told(answer)["decision"])
    assert (entry["actor"], entry["purpose"], entry["door"]) == ("student", "TEACHING", "POST /tools/create-archive")


def test_who_is_bound_to_nothing_is_told_so(proxied: Proxied) -> None:
    said = told(proxied.ask("GET", file_of(proxied), "dr-stranger"))
    assert ("not bound" in said["error"], said["decision"]) == (True, "")


def test_a_purpose_is_chosen_among_those_that_are_bound(proxied: Proxied) -> None:
    assert proxied.ask("GET", file_of(proxied, "B"), "lecturer").status_code == 200
    for word in ("TEACHING", "TRAIN"):
        answer = proxied.ask("GET", file_of(proxied, "B"), "lecturer", headers={"X-Purpose-Of-Use": word})
        entry = recorded(proxied, told(answer)["decision"])
        assert (entry["actor"], entry["purpose"]) == ("lecturer", "TEACHING")
    answer = proxied.ask("GET", file_of(proxied, "B"), "lecturer", headers={"Purpose-Of-Use": "TEACHING"})
    assert recorded(proxied, told(answer)["decision"])["purpose"] == "TEACHING"
    for word in ("RESEARCH", "nonsense"):
        answer = proxied.ask("GET", file_of(proxied, "B"), "lecturer", headers={"X-Purpose-Of-Use": word})
        assert recorded(proxied, told(answer)["decision"])["rules"] == ["PURPOSE_NOT_BOUND"]
    answer = proxied.ask("GET", file_of(proxied, "B") + "?purpose=TEACHING", "lecturer")
    assert recorded(proxied, told(answer)["decision"])["rules"] == ["PURPOSE_NOT_BOUND"]


def test_two_purposes_are_never_the_wider_one(proxied: Proxied) -> None:
    """Orthanc and nginx read the first of two headers; whichever it is, another one gives nothing more."""
    for words in (("TEACHING", "DIRECT_CARE"), ("RESEARCH", "DIRECT_CARE")):
        both = [("X-Purpose-Of-Use", word) for word in words]
        assert proxied.ask("GET", file_of(proxied, "B"), "lecturer", headers=both).status_code == 403


ODD: dict[str, tuple[str, str, dict[str, str], int]] = {
    "a bearer token": ("GET", "{file}", {"Authorization": "Bearer abc"}, 400),
    "another method in a header": ("GET", "{file}", {"X-HTTP-Method-Override": "PUT"}, 400),
    "another method in an argument": ("GET", "{file}?_method=PUT", {}, 400),
    "the same in odd letters": ("GET", "{file}?a=b&%5fmethod=PUT", {}, 400),
    "WebDAV": ("GET", "/webdav/by-uids", {}, 404),
    "a method of WebDAV": ("PROPFIND", "/instances", {}, 405),
    "a path in odd letters": ("GET", "/%69nstances", {}, 400),
    "a path with two slashes": ("POST", "//instances", {}, 400),
    "a path that goes back": ("POST", "/x/../instances", {}, 400),
    "a path with a backslash": ("POST", "/x\\..\\instances", {}, 400),
    "something compressed": ("POST", "/instances", {"Content-Encoding": "gzip"}, 415),
}


@pytest.mark.parametrize(("method", "path", "headers", "status"), ODD.values(), ids=ODD.keys())
def test_what_could_be_read_in_two_ways_never_gets_through(
    method: str, path: str, headers: dict[str, str], status: int, proxied: Proxied
) -> None:
    last = last_entry(proxied)
    for person in ("dr-field", "photographer"):
        assert proxied.raw(method, path.format(file=file_of(proxied)), person, headers) == status
    assert proxied.entries(last) == []


def test_only_uploads_may_be_large(proxied: Proxied) -> None:
    large = b"\0" * (MIB + 1)
    assert proxied.ask("POST", "/consentgate/consents", "dr-field", content=large).status_code == 413
    assert proxied.ask("POST", "/instances", "photographer", content=large).status_code == 422


def another(proxied: Proxied, name: str) -> bytes:
    """Return another object of A's photograph."""
    journey, made = proxied.archive.journey, proxied.archive.wrapped("A")
    file = journey.work / f"{name}.dcm"
    assert journey._wrap(made.person, made.photo, file) is not None
    return file.read_bytes()


def test_a_photograph_is_uploaded_through_the_guard(proxied: Proxied) -> None:
    content = another(proxied, "posted")
    answer = proxied.ask("POST", "/instances", "photographer", content=content)
    assert (answer.status_code, answer.json()["Status"]) == (200, "Success")
    assert proxied.ask("GET", f"/instances/{answer.json()['ID']}/file", "dr-field").status_code == 200
    answer = proxied.ask(
        "POST", "/dicom-web/studies", "photographer", headers=STOW, content=stow(another(proxied, "stow"))
    )
    assert answer.status_code == 200
    assert [entry["effect"] for entry in proxied.entries() if entry["door"] == "intake"][-2:] == ["ACCEPTED"] * 2
    said = told(proxied.ask("POST", "/instances", "dr-field", content=content))
    assert recorded(proxied, said["decision"])["rules"] == ["ROLE_MISSING"]


def test_eighty_nested_sequences_do_not_end_orthanc(proxied: Proxied) -> None:
    uploads = (("/instances", DEEP, {}), ("/instances/", DEEP, {}), ("/dicom-web/studies", stow(DEEP), STOW))
    for path, content, headers in uploads:
        answer = proxied.ask("POST", path, "photographer", content=content, headers=headers)
        assert (answer.status_code, "in each other" in answer.json()["error"]) == (422, True)
        entry = proxied.entries()[-1]
        assert (entry["actor"], entry["rules"]) == ("photographer", ["UPLOAD_REFUSED"])
    password = proxied.archive.server.passwords["uploader"]
    assert proxied.ask("POST", "/instances", auth=("uploader", password), content=DEEP).status_code == 422
    assert proxied.ask("GET", file_of(proxied), "dr-field").status_code == 200


def test_past_the_guard_orthanc_lives_too(proxied: Proxied) -> None:
    """One object is refused by intake before Orthanc reads it; STOW-RS is taken from the guard only."""
    server = proxied.archive.server
    deep = {"POST": ("/instances", DEEP, {}), "zipped": ("/instances", zipped(DEEP), {})}
    for path, content, headers in deep.values():
        assert server.ask("POST", path, "uploader", headers=headers, content=content).status_code != 200
    last = last_entry(proxied)
    for content in (stow(DEEP), stow(another(proxied, "past"))):
        assert server.ask("POST", "/dicom-web/studies", "uploader", headers=STOW, content=content).status_code == 403
    assert [entry["rules"] for entry in proxied.entries(last)] == [["UNGUARDED_UPLOAD"]] * 2
    assert server.ask("GET", file_of(proxied), "derm").status_code == 200


def test_no_log_of_the_proxy_names_a_person_or_a_picture(proxied: Proxied) -> None:
    uid = proxied.archive.wrapped("A").sop_instance_uid
    proxied.ask("GET", f"/wado?requestType=WADO&objectUID={uid}", "dr-field")
    folder = proxied.archive.server.folder.parent
    logged = "".join((folder / name).read_text() for name in ("access.log", "nginx.out", "guard.out"))
    assert " GET 200 " in logged
    account = base64.b64encode(f"proxy:{PASSWORD}".encode()).decode()
    for secret in (uid, file_of(proxied), "dr-field", account, proxied.secret):
        assert secret not in logged
