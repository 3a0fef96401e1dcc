"""The upload guard: what would end Orthanc, or could be read in two ways, goes no further; the rest goes as it came."""

from __future__ import annotations

import gzip
import io
import zipfile
from contextlib import suppress
from dataclasses import replace
from select import select
from socket import socket

import pytest

from demo.peers import wait_until
from orthanc_plugin.archive.remote import GUARD_HEADER, Credentials
from orthanc_plugin.config.settings import Stow, UploadSettings
from orthanc_plugin.enforcement.lifecycle import write_boot_file
from orthanc_plugin.enforcement.steady import GRACE
from orthanc_plugin.enforcement.uploads import AT_ONCE, STEP
from tests.fakes.nested import identified
from tests.unit.enforcement.guarding import (
    AS_UPLOADER,
    BEGUN,
    DEEP,
    HOST,
    MOST,
    SHALLOW,
    Guard,
    announced,
)

STOW = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=BB'}


def stow(*objects: bytes, divider: bytes = b"BB", headers: bytes = b"Content-Type: application/dicom") -> bytes:
    """Return the body of a STOW-RS request."""
    parts = b"".join(b"--" + divider + b"\r\n" + headers + b"\r\n\r\n" + each + b"\r\n" for each in objects)
    return parts + b"--" + divider + b"--\r\n"


STUDIES = "/dicom-web/studies"
GOOD: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "one object": ("/instances", SHALLOW, {}),
    "called DICOM": ("/instances", SHALLOW, {"Content-Type": "application/dicom"}),
    "called anything": ("/instances/", SHALLOW, {"Content-Type": "application/octet-stream"}),
    "one by STOW": (STUDIES, stow(SHALLOW), STOW),
    "several by STOW": (STUDIES, stow(SHALLOW, identified(1), SHALLOW), STOW),
    "into a study": (f"{STUDIES}/2.25.78", stow(SHALLOW), STOW),
    "with a line before it": (STUDIES, b"\r\n" + stow(SHALLOW), STOW),
    "with its length": (
        STUDIES,
        stow(SHALLOW, headers=b"Content-Type: application/dicom\r\nContent-Length: %d" % len(SHALLOW)),
        STOW,
    ),
    "nothing by STOW": (STUDIES, b"--BB--\r\n", STOW),
}


@pytest.mark.parametrize(("path", "body", "headers"), GOOD.values(), ids=GOOD.keys())
def test_what_is_harmless_goes_on_as_it_came(path: str, body: bytes, headers: dict[str, str], guard: Guard) -> None:
    sent = {**headers, "X-Purpose-Of-Use": "TREAT", "X-Forwarded-User": "derm", "X-Consentgate-Boot": "guessed"}
    assert guard.post(path, body, sent) == (200, {"Status": "Success"})
    ((there, got, content),) = guard.behind.received
    assert (there, content) == (path, body)
    assert got["authorization"] == AS_UPLOADER["Authorization"]
    assert (got["x-purpose-of-use"], got["x-forwarded-user"]) == ("TREAT", "derm")
    assert "x-consentgate-boot" not in got
    assert guard.world.trail() == []


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.dcm", content)
    return file.getvalue()


FORM = {"Content-Type": "multipart/form-data; boundary=BB"}
BAD: dict[str, tuple[str, bytes, dict[str, str], int]] = {
    "too deep": ("/instances", DEEP, {}, 422),
    "too deep behind a slash": ("/instances//", DEEP, {}, 404),
    "too deep by STOW": (STUDIES, stow(DEEP), STOW, 422),
    "too deep as the last of several": (STUDIES, stow(SHALLOW, SHALLOW, DEEP), STOW, 422),
    "an archive": ("/instances", zipped(SHALLOW), {}, 415),
    "an archive that is a DICOM file too": ("/instances", b"PK\3\4" + SHALLOW[4:], {}, 415),
    "the same by STOW": (STUDIES, stow(b"PK\3\4" + SHALLOW[4:]), STOW, 415),
    "something compressed": ("/instances", gzip.compress(SHALLOW), {}, 415),
    "a compressed body": ("/instances", gzip.compress(SHALLOW), {"Content-Encoding": "gzip"}, 415),
    "a body that only says it is compressed": ("/instances", SHALLOW, {"Content-Encoding": "gzip"}, 415),
    "called an archive": ("/instances", SHALLOW, {"Content-Type": "application/zip"}, 415),
    "a form": ("/instances", stow(SHALLOW), FORM, 415),
    "JSON": ("/instances", b"{}", {"Content-Type": "application/json"}, 415),
    "STOW of JSON": (STUDIES, b"--BB--", {"Content-Type": 'multipart/related; type="application/dicom+json"'}, 415),
    "no DICOM": ("/instances", b"hello", {}, 422),
    "no divider": (STUDIES, stow(SHALLOW), {"Content-Type": "multipart/related"}, 400),
    "two dividers": (STUDIES, stow(SHALLOW), {"Content-Type": "multipart/related; boundary=BB; boundary=CC"}, 400),
    "a divider that another reader finds elsewhere": (
        STUDIES,
        stow(SHALLOW),
        {"Content-Type": 'multipart/related; type="application/dicom"; boundary=BB; x="; boundary =CC"'},
        400,
    ),
    "several objects where one is taken": ("/instances", stow(SHALLOW), STOW, 415),
    "one object where several are taken": (STUDIES, SHALLOW, {"Content-Type": "application/dicom"}, 415),
    "an odd divider": (STUDIES, stow(SHALLOW), {"Content-Type": 'multipart/related; boundary="B B"'}, 400),
    "another divider": (STUDIES, stow(SHALLOW, divider=b"CC"), STOW, 400),
    "something before the parts": (STUDIES, b"hello\r\n" + stow(SHALLOW), STOW, 400),
    "something after the parts": (STUDIES, stow(SHALLOW) + stow(DEEP), STOW, 400),
    "no end": (STUDIES, stow(SHALLOW).removesuffix(b"--BB--\r\n"), STOW, 400),
    "a divider inside an object": (STUDIES, stow(SHALLOW + b"--BB\r\n\r\n" + DEEP), STOW, 400),
    "a part without headers": (STUDIES, b"--BB\r\n" + SHALLOW + b"\r\n--BB--", STOW, 400),
    "a part that is no DICOM": (STUDIES, stow(SHALLOW, headers=b"Content-Type: text/plain"), STOW, 415),
    "a part of no type": (STUDIES, stow(SHALLOW, headers=b"Content-Id: 1"), STOW, 415),
    "a part that is compressed": (
        STUDIES,
        stow(SHALLOW, headers=b"Content-Type: application/dicom\r\nContent-Encoding: gzip"),
        STOW,
        400,
    ),
    "a part that says another length": (
        STUDIES,
        stow(SHALLOW, headers=b"Content-Type: application/dicom\r\nContent-Length: 12"),
        STOW,
        400,
    ),
    "a part whose headers are no ASCII": (STUDIES, stow(SHALLOW, headers=b"Content-Type: \xff"), STOW, 400),
    "a part with a header twice": (
        STUDIES,
        stow(SHALLOW, headers=b"Content-Type: application/dicom\r\nContent-Type: application/dicom"),
        STOW,
        400,
    ),
    "no upload": ("/tools/find", b"{}", {}, 404),
    "an upload with arguments": ("/instances?a=b", SHALLOW, {}, 404),
    "an upload that is written otherwise": ("/%69nstances", SHALLOW, {}, 404),
    "nothing": ("/instances", b"", {}, 411),
}


@pytest.mark.parametrize(("path", "body", "headers", "status"), BAD.values(), ids=BAD.keys())
def test_what_is_not_harmless_goes_no_further(
    path: str, body: bytes, headers: dict[str, str], status: int, guard: Guard
) -> None:
    got, said = guard.post(path, body, headers)
    assert (got, guard.behind.received) == (status, [])
    assert said["error"]
    assert said["remedy"]


def test_what_is_refused_for_what_is_in_it_is_on_record(guard: Guard) -> None:
    assert guard.post("/instances", DEEP)[0] == 422
    entry = guard.world.trail()[-1]
    # Nobody has verified the password yet, so nobody is named.
    assert (entry["actor"], entry["rules"], entry["door"]) == ("anonymous", ["UPLOAD_REFUSED"], "POST /instances")
    assert (entry["effect"], entry["address"]) == ("DENY", HOST)


def test_it_stays_refused_when_it_can_t_be_recorded(guard: Guard) -> None:
    guard.world.stop_the_trail()
    assert guard.post("/instances", DEEP)[0] == 422
    assert guard.behind.received == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 5\r\nContent-Length: 5", b"400"),
        (b"Content-Length: 5\r\nauthorization: b", b"400"),
        (b"Transfer-Encoding: chunked", b"411"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"411"),
        (b"Content-Length: -5", b"411"),
        (b"Content-Length: +5", b"411"),
        (b"Content-Length: five", b"411"),
        (b"Content-Length: 50", b"400"),
        (b"Content-Length: %d" % (MOST + 1), b"413"),
        (b"Content-Length: " + b"9" * 5000, b"413"),
        (b"Content-Length: " + b"0" * 5000, b"413"),
        (b"Content-Length: \xb2", b"411"),
    ],
)
def test_a_length_that_is_too_much_or_could_be_read_in_two_ways_is_refused(
    head: bytes, status: bytes, guard: Guard
) -> None:
    answer = guard.raw(BEGUN + head + b"\r\n\r\nhello")
    assert answer.split(b" ")[1] == status
    assert guard.behind.received == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND"])
def test_nothing_but_uploads_is_taken(method: str, guard: Guard) -> None:
    answer = guard.raw(f"{method} /instances HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] == b"501"


def test_the_bodies_have_so_much_room_all_together_and_give_it_back(guard: Guard) -> None:
    room = guard.server.room
    assert room.left == AT_ONCE * MOST
    assert room.take(room.left)
    assert guard.post("/instances", SHALLOW)[0] == 503
    room.give(AT_ONCE * MOST)
    statuses = [guard.post("/instances", each)[0] for each in (DEEP, SHALLOW)]
    statuses.append(int(guard.raw(BEGUN + b"Content-Length: 50\r\n\r\nhello").split(b" ")[1]))
    assert (statuses, room.left) == ([422, 200, 400], AT_ONCE * MOST)


def test_who_is_slow_holds_up_nobody_and_is_given_up(guard: Guard) -> None:
    slow = [announced(guard) for _ in range(3 * AT_ONCE)]
    assert wait_until(lambda: guard.server.room.left == AT_ONCE * MOST - len(slow) * STEP, 60)
    assert guard.post("/instances", SHALLOW)[0] == 200

    def is_given_up(connection: socket) -> bool:
        guard.world.ticks.seconds += GRACE
        with suppress(OSError):  # it was given up before this byte
            connection.sendall(b"D")
        return bool(select([connection], [], [], 0.05)[0])

    for each in slow:
        assert wait_until(lambda each=each: is_given_up(each), 60)  # type: ignore[misc]
        assert each.makefile("rb").readline().split(b" ")[1] == b"408"
        each.close()
    assert wait_until(lambda: guard.server.room.left == AT_ONCE * MOST, 60)


def test_who_shows_no_account_takes_no_room(guard: Guard) -> None:
    assert guard.server.room.take(guard.server.room.left)
    head = b"POST /instances HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % MOST
    assert guard.raw(head + b"\r\n").split(b" ")[1] == b"401"
    assert guard.raw(head + b"Authorization:\r\n\r\n").split(b" ")[1] == b"401"


def test_the_guard_shows_that_it_has_looked_only_where_it_is_asked_for(guard: Guard) -> None:
    settings = guard.server.services.settings
    assert guard.post("/instances", SHALLOW)[0] == 200
    wanted = replace(settings, uploads=UploadSettings(stow=Stow.GUARDED))
    guard.server.services = replace(guard.server.services, settings=wanted)
    assert guard.post("/instances", SHALLOW)[0] == 502  # no guarded Orthanc has left its secret
    running = Credentials(user=settings.orthanc.user, password="p", secret="of-this-start")
    boot_file = settings.path(settings.orthanc.boot_secret)
    boot_file.parent.mkdir()
    write_boot_file(boot_file, running)
    assert guard.post("/instances", SHALLOW, {GUARD_HEADER: "guessed"})[0] == 200
    shown = [headers.get(GUARD_HEADER.lower()) for _, headers, _ in guard.behind.received]
    assert shown == [None, "of-this-start"]


def test_an_orthanc_that_is_down_is_told(guard: Guard) -> None:
    guard.behind.server.shutdown()
    guard.behind.server.server_close()
    status, said = guard.post("/instances", SHALLOW)
    assert (status, said["error"]) == (502, "Orthanc could not be reached.")
