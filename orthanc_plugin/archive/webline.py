"""A connection to one HTTP server that takes copies: TLS as policy.toml says, one request after the other.

Knows HTTP/1.1 and certificates. Must not know DICOM, nor whether anything may be sent. With a pin the one certificate
alone is believed, whatever signed it; without, one that the authorities of ``ca`` (or the system's) have issued for the
host. Proxies of the environment and redirections are not followed: what is sent goes to the address or nowhere.
Source: requirements 001-19a and 003-77b.
"""

from __future__ import annotations

import hashlib
import hmac
import select
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Event, Timer
from typing import Final
from urllib.parse import urlsplit

from orthanc_plugin.archive.port import Left, NothingSentError, nobody
from orthanc_plugin.errors import ArchiveError, ConfigurationError

LARGEST_ANSWER: Final = 1 << 24
SECONDS: Final = 30.0
SLOWEST: Final = 1 << 17  # bytes in a second that a server takes at least; a line that is slower counts as broken


class NoLineError(NothingSentError):
    """There is no connection, so nothing has gone out."""

    remedy = "See that the server runs, is reached at its address, and shows the certificate that policy.toml expects."


class BrokenLineError(ArchiveError):
    """It broke off while it was sent to; nobody knows what it has."""

    remedy = "See why the server breaks off; the picture is sent again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server as it is called.

    Attributes:
        url: its base address.
        tls: how TLS is spoken with it; None for plain HTTP, which stays on this machine.
        pin: the SHA-256 of its certificate in hexadecimal, '' for none.
        account: who we are to it; '' for nobody.
        seconds: how long it may be silent, and how long an answer may take in all once everything is sent.
    """

    url: str
    tls: ssl.SSLContext | None = None
    pin: str = ""
    account: str = ""
    password: str = field(default="", repr=False)
    seconds: float = SECONDS


def tls_context(*, ca: str = "", pin: str = "", certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Return how TLS is spoken with a server.

    Raises:
        ConfigurationError: a file can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if certificate:
            context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise ConfigurationError(
            f"A recipient's certificates can't be used ({type(error).__name__}).",
            remedy="Give PEM files under ca, certificate and key in policy.toml; the key must have no password.",
        ) from error
    if pin:  # compared by ourselves, before anything is sent
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class WebLine:
    """Requests to one server, on one connection while it lasts."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.address = urlsplit(server.url)
        self._open: HTTPConnection | None = None

    def asked(
        self,
        method: str,
        path: str,
        pieces: Sequence[bytes | memoryview],
        headers: Mapping[str, str],
        left: Left = nobody,
    ) -> tuple[int, bytes]:
        """Return the status and the body of the answer; ``path`` goes behind the server's own.

        ``left`` is told when the request's header has gone.

        Raises:
            NoLineError: nothing has gone out.
            BrokenLineError: it broke off in the middle.
        """
        connection = self._connected()
        account = b64encode(f"{self.server.account}:{self.server.password}".encode()).decode()
        ours = {"Authorization": f"Basic {account}"} if self.server.account else {}
        try:
            with _ending(connection.sock, self.server.seconds + sum(map(len, pieces)) / SLOWEST):
                target = self.address.path.rstrip("/") + path
                connection.request(method, target, body=_behind(left, pieces), headers={**headers, **ours})
                answer = connection.getresponse()
                body = answer.read(LARGEST_ANSWER + 1)
        except (OSError, HTTPException) as error:
            self.close()
            raise BrokenLineError(f"The server breaks off ({type(error).__name__}).") from error
        if len(body) > LARGEST_ANSWER:
            self.close()
            raise BrokenLineError("The server's answer is longer than any.")
        if answer.length:  # of what was announced; http.client says nothing of it
            self.close()
            raise BrokenLineError("The server breaks off in the middle of its answer.")
        return answer.status, body

    def reach(self) -> bool:
        """Have an open connection; tell whether it had to be made.

        Raises:
            NoLineError: there is none.
        """
        before = self._open
        return self._connected() is not before

    @property
    def secured(self) -> bool:
        """Tell whether it goes by TLS: the certificate is then that of ``pin``, or one that is trusted."""
        return self.server.tls is not None

    def close(self) -> None:
        """End the connection."""
        connection, self._open = self._open, None
        if connection is not None:
            connection.close()

    def _connected(self) -> HTTPConnection:
        """Return an open connection; one that the server has ended, or said something unasked on, is opened anew."""
        if self._open is not None and self._open.sock is not None and not _says_something(self._open):
            return self._open
        self.close()
        try:
            self._open = self._dialled()
        except (OSError, HTTPException) as error:
            raise NoLineError(f"The server can't be reached ({type(error).__name__}).") from error
        return self._open

    def _dialled(self) -> HTTPConnection:
        host, port, seconds = self.address.hostname or "", self.address.port, self.server.seconds
        if self.server.tls is None:
            plain = HTTPConnection(host, port, timeout=seconds)
            plain.connect()
            return plain
        secure = HTTPSConnection(host, port, timeout=seconds, context=self.server.tls)
        secure.connect()
        shown = secure.sock.getpeercert(binary_form=True) if isinstance(secure.sock, ssl.SSLSocket) else None
        if self.server.pin and not hmac.compare_digest(hashlib.sha256(shown or b"").hexdigest(), self.server.pin):
            secure.close()
            raise NoLineError("The server shows another certificate than the pinned one.")
        return secure


@contextmanager
def _ending(line: socket.socket, seconds: float) -> Iterator[None]:
    """Cut the line unless all is done in time: a socket's own time begins anew with every byte of a dripping answer.

    Raises:
        TimeoutError: it was cut.
    """
    cut = Event()

    def end() -> None:
        cut.set()
        with suppress(OSError):  # it has ended meanwhile
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # below TLS, which another thread is using

    watch = Timer(seconds, end)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
    if cut.is_set():
        raise TimeoutError


def _behind(left: Left, pieces: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Give the body, which is asked for when the header has been sent; ``left`` is told of that."""
    left()
    yield from pieces


def _says_something(connection: HTTPConnection) -> bool:
    return bool(select.select([connection.sock], [], [], 0)[0])
