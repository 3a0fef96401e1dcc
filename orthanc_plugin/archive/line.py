"""A connection to Orthanc that is asked many times: as much of HTTP/1.1 as is needed for that, and little to compute.

Knows messages of HTTP (RFC 9112). Must not know what is asked, nor what an answer means. Of what the standard library's
client computes for an answer most goes into its header, which it reads as a mail's (docs/performance.md); of Orthanc's
header nothing counts here but how long the body is, and whether more may be asked on the connection.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPException, RemoteDisconnected
from typing import Final
from urllib.parse import SplitResult

LONGEST_LINE: Final = 65536
MOST_LINES: Final = 200
PORTS: Final = {"http": 80, "https": 443}
INTERIM: Final = range(100, 200)
MOST_INTERIM: Final = 20
BODILESS: Final = frozenset((204, 304))
TOKEN: Final = re.compile(r"[!-~]+")  # no space and no line's end, which would begin a message of somebody else's
FIELD: Final = re.compile(r"[\t -~]*")
LENGTH: Final = re.compile(rb"[0-9]{1,20}")
# Said twice, or one besides the other, they would leave it open where the answer ends (RFC 9112, 6.3).
FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))
STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")


class UnreadableAnswerError(HTTPException):
    """What came is no answer of HTTP/1, or only part of one."""


class Line:
    """An open connection.

    Args:
        address: of the server.
        headers: what every request says besides.
        seconds: how long each wait may take.

    Raises:
        OSError: there is no connection.
        UnreadableAnswerError: a header has characters that it can't have.
    """

    def __init__(self, address: SplitResult, headers: Mapping[str, str], seconds: float) -> None:
        self.kept = True
        told = {"Host": address.netloc.rpartition("@")[2], **headers, "Accept-Encoding": "identity"}
        if not all(TOKEN.fullmatch(name) and FIELD.fullmatch(value) for name, value in told.items()):
            raise UnreadableAnswerError("a header can't be sent")
        self._told = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        host = address.hostname or ""
        plain = socket.create_connection((host, address.port or PORTS.get(address.scheme, 80)), timeout=seconds)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = ssl.create_default_context() if address.scheme == "https" else None
            self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        self._answers = self._socket.makefile("rb")
        self._arrivals = select.poll()
        self._arrivals.register(self._socket, select.POLLIN)

    def quiet(self) -> bool:
        """Tell whether nothing came since the last answer: then what comes next is the answer to the next question.

        Bytes that a server says unasked would be taken for that answer, and its closing for no answer.
        """
        if self._arrivals.poll(0):
            return False
        seconds = self._socket.gettimeout()
        self._socket.settimeout(0)
        try:
            return not self._answers.peek(1)  # what was read ahead
        except OSError:  # TLS: it would have to wait
            return True
        finally:
            self._socket.settimeout(seconds)

    def asked(self, method: str, path: str, content: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body of the answer.

        Raises:
            OSError: the connection broke, or a wait took too long.
            HTTPException: the request can't be sent, or the answer can't be read.
        """
        if not TOKEN.fullmatch(path):
            raise UnreadableAnswerError("a path can't be sent")
        length = "" if content is None else f"Content-Length: {len(content)}\r\n"
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{self._told}{length}\r\n".encode("ascii"))
        if content:
            self._socket.sendall(content)
        status, fields = self._head()
        for _ in range(MOST_INTERIM):
            if status not in INTERIM:
                break
            status, fields = self._head()
        else:
            raise UnreadableAnswerError("interim answers without end")
        return status, b"" if status in BODILESS else self._body(fields)

    def _head(self) -> tuple[int, dict[bytes, bytes]]:
        """Return the status, and the fields of the header by their names in small letters."""
        first = self._answers.readline(LONGEST_LINE)
        if not first:
            raise RemoteDisconnected("the connection was closed before an answer came")
        status = STATUS.fullmatch(first)
        if status is None:
            raise UnreadableAnswerError("no status line")
        fields: dict[bytes, bytes] = {}
        for _ in range(MOST_LINES):
            line = self._answers.readline(LONGEST_LINE)
            if line in (b"\r\n", b"\n"):
                said = fields.get(b"connection", b"").lower()
                self.kept = status[1] == b"1" and b"close" not in said
                return int(status[2]), fields
            name, colon, value = line.partition(b":")
            if not colon or not line.endswith(b"\n") or name != name.strip():
                raise UnreadableAnswerError("no header")
            name = name.lower()
            if name in FRAMING and not FRAMING.isdisjoint(fields):
                raise UnreadableAnswerError("a length twice")
            fields[name] = value.strip()
        raise UnreadableAnswerError("a header without end")

    def _body(self, fields: Mapping[bytes, bytes]) -> bytes:
        if (coding := fields.get(b"transfer-encoding")) is not None:
            if coding.lower() != b"chunked":
                raise UnreadableAnswerError("a coding that nobody asked for")
            return b"".join(iter(self._chunk, b""))
        length = fields.get(b"content-length")
        if length is None:  # then the answer ends with the connection
            self.kept = False
            return self._answers.read()
        if not LENGTH.fullmatch(length):
            raise UnreadableAnswerError("no length")
        return self._exactly(int(length))

    def _chunk(self) -> bytes:
        """Return the next chunk; the last one is empty, and behind it there may be more fields, which don't count."""
        size = self._answers.readline(LONGEST_LINE).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", size):
            raise UnreadableAnswerError("no chunk")
        chunk = self._exactly(int(size, 16))
        if not chunk:
            while self._line().strip():
                pass
        elif self._line().strip():
            raise UnreadableAnswerError("a chunk is longer than it says")
        return chunk

    def _line(self) -> bytes:
        line = self._answers.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise UnreadableAnswerError("it breaks off")
        return line

    def _exactly(self, length: int) -> bytes:
        try:
            body = self._answers.read(length)
        except (MemoryError, OverflowError) as error:
            raise UnreadableAnswerError("longer than can be held") from error
        if len(body) != length:
            raise UnreadableAnswerError("it breaks off")
        return body

    def close(self) -> None:
        """Close it."""
        self._answers.close()
        self._socket.close()
