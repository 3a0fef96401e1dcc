"""Orthanc over loopback HTTP: connections are used again for a moment, and an answer that isn't a yes is an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from orthanc_plugin.archive import remote
from orthanc_plugin.archive.remote import SECRET_HEADER, Credentials, RemoteArchive
from orthanc_plugin.errors import ArchiveError

PICTURE = bytes(range(256)) * 1000


class Core(ThreadingHTTPServer):
    """What Orthanc answers, and who asked it how."""

    def __init__(self) -> None:
        self.connections: set[object] = set()
        self.asked: list[tuple[str, str, bytes, str, str]] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.unasked: dict[str, bytes] = {}  # said behind an answer, in the same breath
        super().__init__(("127.0.0.1", 0), Handler)
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Core

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.connections.add(self.client_address)
        said = (self.headers["Authorization"], self.headers[SECRET_HEADER])
        self.server.asked.append((self.command, self.path, body, *said))
        status, content = self.server.answers.get(self.path, (200, PICTURE))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content + self.server.unasked.get(self.path, b""))

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def core() -> Iterator[Core]:
    server = Core()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def archive(core: Core) -> Iterator[RemoteArchive]:
    made = RemoteArchive(core.url, Credentials(user="consentgate", password="p", secret="the-secret"))
    yield made
    made.close()


def test_what_is_read_and_stored_in_a_row_takes_one_connection(archive: RemoteArchive, core: Core) -> None:
    core.answers["/instances"] = (200, b"{}")
    assert archive.read("abc") == PICTURE
    archive.store(PICTURE)
    account = ("Basic Y29uc2VudGdhdGU6cA==", "the-secret")
    assert core.asked == [
        ("GET", "/instances/abc/file", b"", *account),
        ("POST", "/instances", PICTURE, *account),
    ]
    assert len(core.connections) == 1


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    archive: RemoteArchive, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.read("abc")
    monkeypatch.setattr(remote, "IDLE_SECONDS", 0.0)
    assert archive.read("abc") == PICTURE
    assert len(core.connections) == 2


def test_what_is_said_unasked_is_never_the_picture_that_is_asked_for_next(archive: RemoteArchive, core: Core) -> None:
    core.answers["/instances/abc/file"] = (200, b"short")
    core.unasked["/instances/abc/file"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nanother's"
    assert archive.read("abc") == b"short"
    assert archive.read("other") == PICTURE
    assert len(core.connections) == 2


def test_several_threads_have_several_connections(archive: RemoteArchive, core: Core) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(archive.read, "abcdefgh")) == [PICTURE] * 8
    assert 1 <= len(core.connections) <= 4


@pytest.mark.parametrize("status", [301, 403, 404, 500])
def test_an_answer_that_is_no_yes_is_an_error_and_the_next_one_is_had(
    status: int, archive: RemoteArchive, core: Core
) -> None:
    core.answers["/instances/abc/file"] = (status, b"")
    with pytest.raises(ArchiveError, match=str(status)):
        archive.read("abc")
    assert archive.read("other") == PICTURE


def test_an_orthanc_that_is_away_is_an_error_that_names_the_kind(archive: RemoteArchive, core: Core) -> None:
    archive.read("abc")
    archive.close()
    core.shutdown()
    core.server_close()
    with pytest.raises(ArchiveError, match="could not be reached"):
        archive.read("abc")


@pytest.mark.parametrize(("said", "name"), [({"ID": "abc"}, "abc"), ({}, ""), ([{"ID": "abc"}], "")])
def test_what_intake_kept_out_has_no_name(said: object, name: str, archive: RemoteArchive, core: Core) -> None:
    core.answers["/instances"] = (200, json.dumps(said).encode())
    assert archive.store(PICTURE) == name


def test_a_modality_that_orthanc_json_does_not_reach_is_an_error(archive: RemoteArchive) -> None:
    with pytest.raises(ArchiveError, match="ward"):
        archive.sending("ward")
