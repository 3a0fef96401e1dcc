"""As much of HTTP as Orthanc is asked in: an answer is as long as it says, and one that breaks off is an error."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, RemoteDisconnected
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from orthanc_plugin.archive.line import Line, UnreadableAnswerError

OK = b"HTTP/1.1 200 OK\r\n"
BIG = bytes(range(256)) * 4096


class Server:
    """Answers each request on a connection with the next of some answers, then closes it."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.asked: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with suppress(OSError), self.listening.accept()[0] as taken:
            for answer in self.answers:
                self.asked.append(_request(taken))
                taken.sendall(answer)


def _request(taken: socket.socket) -> bytes:
    said = b""
    while b"\r\n\r\n" not in said:
        said += _received(taken)
    head, _, body = said.partition(b"\r\n\r\n")
    _, found, length = head.partition(b"Content-Length: ")
    while found and len(body) < int(length):
        body += _received(taken)
    return head + b"\r\n\r\n" + body


def _received(taken: socket.socket) -> bytes:
    if not (piece := taken.recv(65536)):
        raise ConnectionResetError
    return piece


@contextmanager
def line_to(*answers: bytes) -> Iterator[tuple[Line, Server]]:
    server = Server(*answers)
    line = Line(urlsplit(f"http://127.0.0.1:{server.port}"), {"X-Who": "us"}, 10)
    try:
        yield line, server
    finally:
        line.close()
        server.listening.close()
        server.thread.join(10)


@pytest.mark.parametrize(
    ("answer", "status", "body", "kept"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabc", 200, b"abc", True),
        (OK + b"content-length:3\r\nConnection: Keep-Alive\r\n\r\nabc", 200, b"abc", True),
        (OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", False),
        (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx", 200, b"x", True),
        (OK + b"\r\nuntil it ends", 200, b"until it ends", False),
        (
            OK + b"Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n",
            200,
            b"abc0123456789",
            True,
        ),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: told\r\n\r\n", 200, b"a", True),
        (OK + b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG, 200, BIG, True),
    ],
)
def test_an_answer_is_read_as_it_was_given(answer: bytes, status: int, body: bytes, kept: bool) -> None:
    with line_to(answer) as (line, _):
        assert line.asked("GET", "/instances") == (status, body)
        assert line.kept is kept


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 200 OK",
        OK + b"Content-Length: 4\r\n\r\nabc",
        OK + b"Content-Length: -3\r\n\r\nabc",
        OK + b"Content-Length: 3, 3\r\n\r\nabc",
        OK + b"Content-Length: 3\r\nno colon\r\n\r\nabc",
        OK + b"Content-Length: 3\r\n",
        OK + b"Content-Length: 3\r\nContent-Length: 1\r\n\r\nabc",
        OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        OK + b"Content-Length : 3\r\n\r\nabc",
        OK + b"X: y\r\n Content-Length: 1\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Content-Length: " + b"9" * 20 + b"\r\n\r\nabc",
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\nabc\r\n0\r\n\r\n",
        OK + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40 + OK + b"Content-Length: 1\r\n\r\nx",
        OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
        OK + b"Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ],
)
def test_what_is_no_answer_or_breaks_off_is_an_error(answer: bytes) -> None:
    with line_to(answer) as (line, _), pytest.raises(UnreadableAnswerError):
        line.asked("GET", "/instances")


def test_a_server_that_closes_without_an_answer_is_told_from_one_that_breaks_off() -> None:
    with line_to(b"") as (line, _), pytest.raises(RemoteDisconnected):
        line.asked("GET", "/instances")


SAID_UNASKED = OK + b"Content-Length: 9\r\n\r\nanother's"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 3\r\n\r\nabc" + SAID_UNASKED,
        OK + b"Content-Length: 3\r\n\r\nabcd",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" + SAID_UNASKED,
        OK + b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG + SAID_UNASKED,
    ],
)
def test_what_a_server_says_unasked_is_seen_before_the_next_question(answer: bytes) -> None:
    with line_to(answer, OK) as (line, _):
        line.asked("GET", "/instances")
        assert soon(lambda: not line.quiet())


def test_so_is_that_it_has_closed_the_connection() -> None:
    with line_to(OK + b"Content-Length: 3\r\n\r\nabc") as (line, _):
        assert line.asked("GET", "/instances") == (200, b"abc")
        assert soon(lambda: not line.quiet())


def soon(seen: Callable[[], bool]) -> bool:
    """Wait until something is seen, for ten seconds at most."""
    return any(seen() or Event().wait(0.005) for _ in range(2000))


def test_looking_takes_nothing_of_the_next_answer() -> None:
    answer = OK + b"Content-Length: 3\r\n\r\nabc"
    with line_to(answer, answer, answer) as (line, _):
        for _ in range(2):
            assert line.asked("GET", "/instances") == (200, b"abc")
            assert line.quiet()
        assert line.asked("GET", "/instances") == (200, b"abc")


def test_requests_in_a_row_go_by_one_connection_with_the_same_header() -> None:
    empty = OK + b"Content-Length: 0\r\n\r\n"
    with line_to(empty, empty, empty) as (line, server):
        for content in (None, b"", BIG):
            assert line.asked("GET" if content is None else "POST", "/instances", content) == (200, b"")
        said = f"Host: 127.0.0.1:{server.port}\r\nX-Who: us\r\nAccept-Encoding: identity\r\n".encode()
        assert server.asked == [
            b"GET /instances HTTP/1.1\r\n" + said + b"\r\n",
            b"POST /instances HTTP/1.1\r\n" + said + b"Content-Length: 0\r\n\r\n",
            b"POST /instances HTTP/1.1\r\n" + said + b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG,
        ]


@pytest.mark.parametrize("path", ["", "/a b", "/a\r\nX: y", "/a\x00", "/é"])
def test_nothing_is_sent_that_would_begin_another_message(path: str) -> None:
    with line_to() as (line, server):
        with pytest.raises(HTTPException):
            line.asked("GET", path)
        assert server.asked == []


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X Y": "a"}, {"": "a"}, {"X": "é"}])
def test_nor_a_header_that_would(headers: dict[str, str]) -> None:
    with pytest.raises(HTTPException):
        Line(urlsplit("http://127.0.0.1:9"), headers, 1)
