"""STOW-RS servers, other Orthancs and folders: what each answer means, and who is not spoken to at all."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orthanc_plugin.archive.folder import MANIFEST, FolderExport, FolderNotWritableError
from orthanc_plugin.archive.otherorthanc import OtherOrthanc
from orthanc_plugin.archive.port import NotTakenError
from orthanc_plugin.archive.stow import StowScu
from orthanc_plugin.archive.webline import BrokenLineError, NoLineError, Server, tls_context
from orthanc_plugin.errors import ArchiveError, ConfigurationError
from tests.fakes.pictures import UID, photograph_bytes
from tests.unit.dicomwrap.sendable import HOST, Certificate, certificate

CONTENT = photograph_bytes()
Answer = Callable[[], tuple[int, bytes]]


@dataclass(kw_only=True)
class Web:
    """A server that answers every POST in one way, or breaks off."""

    answer: Answer
    url: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0


@contextmanager
def serving(
    answer: Answer, own: Certificate | None = None, theirs: Certificate | None = None, cut: int = 0
) -> Iterator[Web]:
    """Serve, over TLS with a certificate of one's own; ``theirs``: who calls must show that.

    ``cut``: by how many bytes each answer is longer than it is.
    """
    web = Web(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            web.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            web.asked.append((self.path, dict(self.headers), body))
            status, said = web.answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said) + cut))
            self.end_headers()
            self.wfile.write(said)
            self.close_connection = cut > 0

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    if own is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=theirs.cert if theirs else None)
        context.load_cert_chain(own.cert, own.key)
        if theirs:
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    web.url = f"{'https' if own else 'http'}://{HOST}:{server.server_address[1]}"
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()


def instance(sequence: str, **numbers: int) -> bytes:
    """Return an answer that tells of the picture in this sequence."""
    item: dict[str, object] = {"00081155": {"vr": "UI", "Value": [UID]}}
    item |= {tag: {"vr": "US", "Value": [number]} for tag, number in numbers.items()}
    return json.dumps({sequence: {"vr": "SQ", "Value": [item]}}).encode()


STORED = instance("00081199")


def say(status: int, body: bytes = b"") -> Answer:
    return lambda: (status, body)


def break_off() -> tuple[int, bytes]:
    raise ConnectionAbortedError


def test_stow_sends_the_very_bytes_in_one_part_and_keeps_the_connection() -> None:
    with serving(say(200, STORED)) as web:
        way = StowScu(Server(url=f"{web.url}/dicom-web", account="us", password="secret"))
        assert [way.store(CONTENT), way.store(CONTENT), way.secured] == ["", "", False]
        way.close()
    (path, headers, body), _ = web.asked
    boundary = headers["Content-Type"].partition("boundary=")[2].encode()
    assert (path, headers["Authorization"]) == ("/dicom-web/studies", "Basic dXM6c2VjcmV0")
    assert body == b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n--%b--\r\n" % (boundary, CONTENT, boundary)
    assert web.connections == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, STORED, ""),
        (202, instance("00081199", **{"00081196": 0xB000}), "coerced"),
    ],
)
def test_what_stow_answers_beside_yes_is_told(status: int, body: bytes, said: str) -> None:
    with serving(say(status, body)) as web:
        assert said in StowScu(Server(url=web.url)).store(CONTENT)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, instance("00081198", **{"00081197": 0xA700}), "out of resources"),
        (409, instance("00081198", **{"00081197": 0x0122}), "SOP class not supported"),
        (202, b"", "doesn't say that it was stored"),
        (200, b"", "does not list the object"),
        (200, STORED[:-1], "breaks off"),
        (200, instance("00081199").replace(UID.encode(), b"2.25.999"), "does not list the object"),
        (403, b"", "HTTP 403"),
        (302, b"", "redirects"),
    ],
)
def test_what_stow_does_not_take_is_refused_with_its_reason(status: int, body: bytes, reason: str) -> None:
    with serving(say(status, body)) as web, pytest.raises(NotTakenError, match=reason):
        StowScu(Server(url=web.url)).store(CONTENT)


@pytest.mark.parametrize(("way", "body"), [(StowScu, STORED), (OtherOrthanc, b'{"Status": "Success"}')])
def test_a_yes_that_is_shorter_than_was_announced_is_none(way: type[StowScu] | type[OtherOrthanc], body: bytes) -> None:
    with serving(say(200, body), cut=1) as web, pytest.raises(BrokenLineError, match="in the middle"):
        way(Server(url=web.url)).store(CONTENT)


@pytest.mark.parametrize("way", [StowScu, OtherOrthanc])
def test_a_server_that_breaks_off_may_have_it_and_one_that_is_away_has_not(
    way: type[StowScu] | type[OtherOrthanc],
) -> None:
    with serving(break_off) as web, pytest.raises(BrokenLineError):
        way(Server(url=web.url)).store(CONTENT)
    with pytest.raises(NoLineError):
        way(Server(url=web.url)).store(CONTENT)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(200, b'{"Status": "Success"}', ""), (200, b'{"Status": "AlreadyStored"}', "it had the object already")],
)
def test_another_orthanc_has_it_when_it_says_so(status: int, body: bytes, said: str) -> None:
    with serving(say(status, body)) as web:
        assert OtherOrthanc(Server(url=web.url)).store(CONTENT) == said
    ((path, _, sent),) = web.asked
    assert (path, sent) == ("/instances", CONTENT)


@pytest.mark.parametrize(
    ("status", "body"), [(200, b'{"Status": "FilteredOut"}'), (200, b"[]"), (200, b"no json"), (507, b"")]
)
def test_another_orthanc_that_says_anything_else_has_not_taken_it(status: int, body: bytes) -> None:
    with serving(say(status, body)) as web, pytest.raises(NotTakenError):
        OtherOrthanc(Server(url=web.url)).store(CONTENT)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    """Give the certificates of a server, of ourselves and of a stranger."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("server", "ours", "stranger")}


def pin(of: Certificate) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(of.cert.read_text().partition("-----BEGIN PRIVATE")[0])).hexdigest()


@pytest.mark.parametrize(
    ("trusted", "pinned", "shown", "goes"),
    [
        ("server", None, "ours", True),
        ("stranger", None, "ours", False),
        (None, None, "ours", False),
        (None, "server", "ours", True),
        (None, "stranger", "ours", False),
        ("server", "stranger", "ours", False),
        ("server", None, "stranger", False),
    ],
)
def test_nothing_is_sent_but_to_the_certificate_that_is_expected_and_by_our_own(
    certificates: dict[str, Certificate], trusted: str | None, pinned: str | None, shown: str, goes: bool
) -> None:
    own = certificates[shown]
    digest = pin(certificates[pinned]) if pinned else ""
    ca = str(certificates[trusted].cert) if trusted else ""
    with serving(say(200, STORED), certificates["server"], certificates["ours"]) as web:
        tls = tls_context(ca=ca, pin=digest, certificate=str(own.cert), key=str(own.key))
        way = StowScu(Server(url=web.url, tls=tls, pin=digest))
        if goes:
            assert (way.store(CONTENT), way.secured) == ("", True)
        else:
            with pytest.raises((NoLineError, BrokenLineError)):  # of TLS 1.3's own certificate it hears after
                way.store(CONTENT)
    assert bool(web.asked) is goes


def test_certificates_that_can_t_be_used_are_told_with_their_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PEM"):
        tls_context(ca=str(tmp_path / "none.pem"))


def test_a_folder_gets_whole_files_whose_names_tell_nothing_and_a_manifest_that_proves_them(tmp_path: Path) -> None:
    way = FolderExport(tmp_path)
    assert [way.store(CONTENT), way.store(CONTENT), way.secured] == ["", "", False]
    way.close()
    name = f"{hashlib.sha256(CONTENT).hexdigest()}.dcm"
    assert {path.name for path in tmp_path.iterdir()} == {name, MANIFEST}
    assert (tmp_path / name).read_bytes() == CONTENT
    assert (tmp_path / MANIFEST).read_text().count(name) == 1
    proven = subprocess.run(["sha256sum", "--check", MANIFEST], cwd=tmp_path, check=False, capture_output=True)
    assert proven.returncode == 0


def test_a_file_that_a_crash_kept_from_the_manifest_is_listed_when_it_is_sent_again(tmp_path: Path) -> None:
    FolderExport(tmp_path).store(CONTENT)
    (tmp_path / MANIFEST).unlink()
    FolderExport(tmp_path).store(CONTENT)
    assert len((tmp_path / MANIFEST).read_text().splitlines()) == 1


def test_a_medium_that_is_not_mounted_gets_nothing_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FolderNotWritableError, match="mounted"):
        FolderExport(tmp_path / "medium").store(CONTENT)
    assert not (tmp_path / "medium").exists()


@pytest.mark.parametrize("link", [MANIFEST, f"{hashlib.sha256(CONTENT).hexdigest()}.dcm"])
def test_a_link_that_somebody_left_on_a_medium_is_not_followed(link: str, tmp_path: Path) -> None:
    medium, elsewhere = tmp_path / "medium", tmp_path / "elsewhere"
    medium.mkdir()
    elsewhere.write_bytes(b"another's")
    (medium / link).symlink_to(elsewhere)
    with suppress(FolderNotWritableError):
        FolderExport(medium).store(CONTENT)
    assert elsewhere.read_bytes() == b"another's"
    assert (medium / f"{hashlib.sha256(CONTENT).hexdigest()}.dcm").read_bytes() == CONTENT


def test_a_file_that_a_medium_has_spoilt_is_written_again(tmp_path: Path) -> None:
    name = f"{hashlib.sha256(CONTENT).hexdigest()}.dcm"
    (tmp_path / name).write_bytes(bytes(len(CONTENT)))
    FolderExport(tmp_path).store(CONTENT)
    assert (tmp_path / name).read_bytes() == CONTENT


def test_a_server_that_drips_its_answer_is_cut_off() -> None:
    over = threading.Event()
    with socket.create_server((HOST, 0)) as listening:

        def drip() -> None:
            line, _ = listening.accept()
            with line, suppress(OSError):
                while not over.wait(0.05):
                    line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://{HOST}:{listening.getsockname()[1]}"
        with pytest.raises(BrokenLineError):
            OtherOrthanc(Server(url=url, seconds=0.5)).store(CONTENT)
        over.set()


@pytest.mark.parametrize("way", [StowScu, OtherOrthanc])
def test_who_waits_for_the_first_bytes_is_told_before_the_server_answers(way: type[StowScu | OtherOrthanc]) -> None:
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            line, _ = listening.accept()
            with line:
                line.recv(1)
                assert gone.wait(30)

        server = threading.Thread(target=serve)
        server.start()
        with pytest.raises(ArchiveError):
            way(Server(url=f"http://127.0.0.1:{listening.getsockname()[1]}", seconds=30)).store(CONTENT, gone.set)
        server.join(30)
    assert gone.is_set()


def test_who_waits_for_the_first_bytes_is_told_when_a_file_is_written(tmp_path: Path) -> None:
    told: list[int] = []
    FolderExport(tmp_path).store(CONTENT, lambda: told.append(len(list(tmp_path.iterdir()))))
    assert told == [1]
