"""Objects leave by STOW-RS, and each answer is understood."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydicom.uid import VLPhotographicImageStorage

from demo.peers import free_ports
from dicomwrap.errors import PeerError
from dicomwrap.sending.parcel import Parcel, parcel
from dicomwrap.sending.stow import Service, answered, stow
from tests.unit.dicomwrap.sendable import HOST, certificate, photographic

UID = "2.25.1"


def body(*, stored: dict[str, int] | None = None, failed: dict[str, int] | None = None) -> bytes:
    """Return an answer in DICOM JSON (PS3.18 section 10.5.3.2)."""

    def item(uid: str, tag: str, number: int) -> dict[str, object]:
        named = {"00081150": VLPhotographicImageStorage, "00081155": uid}
        found: dict[str, object] = {tag: {"vr": "UI", "Value": [value]} for tag, value in named.items()}
        return found | ({tag: {"vr": "US", "Value": [number]}} if number else {})

    answer: dict[str, object] = {"00081190": {"vr": "UR", "Value": ["http://h/studies/1"]}}
    if stored:
        answer["00081199"] = {"vr": "SQ", "Value": [item(*each) for each in _tagged(stored, "00081196")]}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": [item(*each) for each in _tagged(failed, "00081197")]}
    return json.dumps(answer).encode()


def _tagged(numbers: dict[str, int], tag: str) -> Iterator[tuple[str, str, int]]:
    for uid, number in numbers.items():
        yield uid, tag, number


ANSWERS = (
    ("all stored", 200, body(stored={UID: 0}), True, ""),
    ("as a list", 200, b"[" + body(stored={UID: 0}) + b"]", True, ""),
    ("stored and coerced", 202, body(stored={UID: 0xB000}), True, "stored, but data elements were coerced (B000H)"),
    ("failed", 409, body(failed={UID: 0xA700}), False, "out of resources (A700H)"),
    ("failed although 200", 200, body(failed={UID: 0x0110}), False, "processing failure (0110H)"),
    ("failed without a reason", 202, body(failed={UID: 0}), False, "the archive gives no reason"),
    ("another failed", 202, body(failed={"2.25.9": 0x0110}), False, "the answer doesn't say that it was stored"),
    ("200 without a body", 200, b"", True, "stored, but the answer doesn't list it"),
    ("202 without a body", 202, b"", False, "the answer doesn't say that it was stored"),
    ("conflict", 409, b"<xml/>", False, "the archive took none of it (HTTP 409)"),
    (
        "unknown user",
        401,
        b"",
        False,
        "the archive doesn't know the user, or the password or token is wrong (HTTP 401)",
    ),
    ("forbidden", 403, b"", False, "the archive doesn't let this user store here (HTTP 403)"),
    ("too large", 413, b"", False, "the object is larger than the archive takes (HTTP 413)"),
    ("redirected", 307, b"", False, "the address redirects to another; give the final one (HTTP 307)"),
    ("odd", 299, body(stored={UID: 0}), False, "an answer that STOW-RS does not know (HTTP 299)"),
    ("nonsense", 200, b'{"00081199": {"Value": [1, {"00081155": {"Value": []}}, null]}}', True, None),
    ("nonsense too", 202, b'{"00081198": 7, "00081199": {"Value": {"a": 1}}}', False, None),
)


@pytest.fixture
def sent(tmp_path: Path) -> Parcel:
    return parcel(photographic(tmp_path / "a.dcm", UID))


@pytest.mark.parametrize(
    ("status", "text", "stored", "reason"), [row[1:] for row in ANSWERS], ids=[r[0] for r in ANSWERS]
)
def test_an_answer_is_understood(sent: Parcel, status: int, text: bytes, stored: bool, reason: str | None) -> None:
    found = answered(sent, status, text)
    assert found.stored is stored
    if reason is not None:
        assert found.reason == reason


@dataclass
class Web:
    """A service that answers as it is told, and remembers what came."""

    status: int = 200
    answer: bytes = b""
    early: bool = False
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @contextmanager
    def listening(self, context: ssl.SSLContext | None = None) -> Iterator[str]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                web.paths.append(self.path)
                web.headers.append(dict(self.headers))
                if not web.early:
                    web.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(web.status)
                self.send_header("Content-Length", str(len(web.answer)))
                self.end_headers()
                self.wfile.write(web.answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        server = ThreadingHTTPServer((HOST, 0), Handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"{'http' if context is None else 'https'}://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


def test_each_object_is_posted_whole_and_as_it_is(tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{number}.dcm", f"2.25.{number}") for number in range(3)]
    web = Web(answer=body(stored={f"2.25.{number}": 0 for number in range(3)}))
    with web.listening() as url:
        found = stow([parcel(file) for file in files], Service(url=f"{url}/dicom-web/", token="secret"))
    assert [each.stored for each in found] == [True] * 3
    assert web.paths == ["/dicom-web/studies"] * 3
    for file, headers, posted in zip(files, web.headers, web.bodies, strict=True):
        kind, boundary = headers["Content-Type"].rsplit("; boundary=", 1)
        assert kind == 'multipart/related; type="application/dicom"'
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        assert posted == head + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        assert (headers["Authorization"], headers["Accept"]) == ("Bearer secret", "application/dicom+json")


def test_an_answer_before_the_object_has_left_is_heard(tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    photographic(file, UID)
    file.write_bytes(file.read_bytes() + bytes(8 << 20))
    with Web(status=413, early=True).listening() as url:
        (found,) = stow([parcel(file)], Service(url=url))
    assert (found.stored, found.status) == (False, 413)


def test_a_file_that_shrinks_under_way_is_not_stored(sent: Parcel) -> None:
    sent.path.write_bytes(sent.path.read_bytes()[:-100])
    with Web(answer=body(stored={UID: 0})).listening() as url:
        (found,) = stow([sent], Service(url=url))
    assert (found.stored, found.reason) == (False, "not sent: the file can't be read (it became shorter)")


def test_a_file_that_grows_under_way_is_sent_as_it_was_measured(sent: Parcel) -> None:
    before = sent.path.read_bytes()
    sent.path.write_bytes(before + b"more")
    web = Web(answer=body(stored={UID: 0}))
    with web.listening() as url:
        stow([sent], Service(url=url))
    assert before in web.bodies[0]
    assert b"more" not in web.bodies[0]


def test_a_file_that_is_gone_is_said(sent: Parcel) -> None:
    sent.path.unlink()
    with Web().listening() as url:
        (found,) = stow([sent], Service(url=url))
    assert (found.stored, found.reason) == (False, "not sent: the file can't be read (No such file or directory)")


def test_a_closed_port_is_said(sent: Parcel) -> None:
    (port,) = free_ports(1)
    with pytest.raises(PeerError, match="can't be reached"):
        stow([sent], Service(url=f"http://{HOST}:{port}"))


def test_the_certificate_is_checked_and_an_authority_of_one_s_own_allowed(tmp_path: Path, sent: Parcel) -> None:
    theirs, other = certificate(tmp_path, "web"), certificate(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs.cert, theirs.key)
    web = Web(answer=body(stored={UID: 0}))
    with web.listening(context) as url:
        for ca in (None, other.cert):
            with pytest.raises(PeerError, match="certificate"):
                stow([sent], Service(url=url, ca=ca))
        assert web.bodies == []
        assert stow([sent], Service(url=url, ca=theirs.cert))[0].stored


ADDRESSES = (
    "",
    "h",
    "ftp://h",
    "http://",
    "https://user:secret@h/",
    "https://h/?x=1",
    "http://pacs.example",
    "https://\x00",
)


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_that_is_none_or_shows_a_password_is_refused(url: str) -> None:
    with pytest.raises(PeerError) as caught:
        Service(url=url, user="me", password="secret")
    assert "secret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    shown = repr(Service(url="https://h", user="me", password="hush", token="hushhush"))
    assert "hush" not in shown
