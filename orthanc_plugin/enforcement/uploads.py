"""The upload guard: a small process before Orthanc that takes uploads by HTTP, looks into them, and passes them on.

Knows HTTP. Some fifty nested sequences in a POST end Orthanc, and no plugin can prevent it, because Orthanc reads the
object before it asks one; so uploads pass here first. The guard has no rights of its own: it passes on the caller's
account and headers, and Orthanc's filter and intake decide as ever. What it refuses is in the trail. Bodies are held in
memory, never on disk, and there is a limit for how large each is and all are together. Who is slow holds up nobody:
a body takes room as it comes, and not before; one that comes too slowly is given up. A connection is a stranger's until
Orthanc has let its account in, which it is asked before a body is read; a stranger has little time and no sure place.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mmap import mmap
from typing import Final
from urllib.parse import urlsplit

from orthanc_plugin.archive.remote import GUARD_HEADER, read_credentials
from orthanc_plugin.config.settings import Stow
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.exits import classify
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.enforcement.steady import Steady
from orthanc_plugin.enforcement.strangers import Strangers
from orthanc_plugin.enforcement.uploadbody import BAD, UploadError, require_harmless
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

Request = socket.socket | tuple[bytes, socket.socket]  # as socketserver has it

MIB: Final = 1024 * 1024
MOST_ANSWER: Final = 16 * MIB
AT_ONCE: Final = 4  # of the largest bodies; more of smaller ones
CONNECTIONS: Final = 32
STEP: Final = 64 * 1024  # bytes of a body that are made room for at a time
LONGEST_LENGTH: Final = 12  # digits
SECONDS: Final = 60.0
STRANGER_SECONDS: Final = 5.0
SIGNED_IN: Final = "/consentgate/refusal"  # any account may ask; Orthanc itself says 401 to a wrong password
ORTHANC_SECONDS: Final = 300.0
NO_ACCOUNT: Final = 401
NO_SUCH_UPLOAD: Final = 404
TOO_SLOW: Final = 408
LENGTH_REQUIRED: Final = 411
TOO_LARGE: Final = 413
ORTHANC_DOWN: Final = 502
BUSY: Final = 503
CROWDED: Final = "Too many connections at once."
TRY_AGAIN: Final = "Try again in a minute; if it stays so, tell the system administrator."
SIGN_IN: Final = "Send the account and its password along (HTTP basic authentication)."
REALM: Final = 'Basic realm="Orthanc Secure Area"'  # Orthanc's own words
PASSED_ON: Final = frozenset({"authorization", "accept", "content-type", *requesters.PURPOSE_HEADERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Orthanc answered."""

    status: int
    media: str
    said: bytes


class Room:
    """How many bytes of bodies are held at once, all together.

    Args:
        most: how many may be.
    """

    def __init__(self, most: int) -> None:
        self.left = most
        self.lock = threading.Lock()

    def take(self, amount: int) -> bool:
        """Take room for so many bytes; False when there isn't any."""
        with self.lock:
            if amount > self.left:
                return False
            self.left -= amount
            return True

    def give(self, amount: int) -> None:
        """Give so much back."""
        with self.lock:
            self.left += amount


class UploadServer(ThreadingHTTPServer):
    """Listens for uploads.

    Args:
        services: settings (where Orthanc is) and trail.
        address: where to listen.
        most: how many bytes a body may have.
    """

    daemon_threads = True
    request_queue_size = 128  # the usual five make the sixth of a burst wait for a second

    def __init__(self, services: Services, address: tuple[str, int], most: int) -> None:
        super().__init__(address, UploadHandler)
        self.services = services
        self.most = most
        self.room = Room(AT_ONCE * most)
        self.connections = threading.BoundedSemaphore(CONNECTIONS)
        self.strangers = Strangers()
        self.asking = threading.BoundedSemaphore(CONNECTIONS)
        proxy = services.proxy.settings if services.proxy else None
        own = {proxy.user_header.lower(), proxy.secret_header.lower()} if proxy else set[str]()
        self.passed_on = PASSED_ON | requesters.IDENTITY_HEADERS | own

    def process_request(self, request: Request, client_address: object) -> None:
        """Take a connection in a thread of its own, as a stranger's."""
        if isinstance(request, socket.socket) and isinstance(client_address, tuple):
            self.strangers.enter(request, str(client_address[0]))
        super().process_request(request, client_address)

    def shutdown_request(self, request: Request) -> None:
        """End a connection, whoever's it was."""
        if isinstance(request, socket.socket):
            self.strangers.leave(request)
        super().shutdown_request(request)

    def handle_error(self, request: Request, client_address: object) -> None:
        """Say that a connection broke off; never what was on it."""
        kind = sys.exc_info()[0]
        logger.warning("a connection of the upload guard broke off (%s)", kind.__name__ if kind else "")

    def shown(self) -> dict[str, str]:
        """Return what shows Orthanc's filter that the guard has looked, where settings.toml has it ask for that.

        Raises:
            UploadError: no guarded Orthanc runs.
        """
        settings = self.services.settings
        if settings.uploads.stow is Stow.DIRECT:
            return {}
        try:
            running = read_credentials(settings.path(settings.orthanc.boot_secret), settings.orthanc.user)
        except ArchiveError as error:
            raise UploadError(str(error.args[0]), ORTHANC_DOWN, remedy=TRY_AGAIN) from error
        return {GUARD_HEADER: running.secret}

    def refused(self, headers: dict[str, str], address: str, door: str, error: UploadError) -> None:
        """Write a refusal down; it stands whether that succeeds or not."""
        services = self.services
        named = requesters.vouched_for(services.policy, services.proxy, headers, address)
        requester = requesters.unknown(named, address)
        self.services.gate.refuse(requester, door, str(error.args[0]), rule="UPLOAD_REFUSED")


class UploadHandler(BaseHTTPRequestHandler):
    """Takes one upload after the other on a connection."""

    server: UploadServer
    protocol_version = "HTTP/1.1"
    server_version = "Consentgate"
    sys_version = ""
    timeout = SECONDS

    def setup(self) -> None:
        """Read the connection so that nobody can be slow for ever."""
        super().setup()
        self.rfile.close()
        self.steady = Steady(self.connection, self.server.services.ticks)
        self.rfile = io.BufferedReader(self.steady)
        self.account = ""  # under which it is signed in

    def finish(self) -> None:
        """Give back the place that a signed-in connection had."""
        try:
            super().finish()
        finally:
            if self.account:
                self.server.connections.release()

    def handle_one_request(self) -> None:
        """Take one request, which has the whole time for itself."""
        self.steady.begin(*(() if self.account else (STRANGER_SECONDS,)))
        super().handle_one_request()

    def do_POST(self) -> None:
        """Look into the upload, and pass it on or refuse it."""
        try:
            answer = self._taken()
        except UploadError as error:
            answer = _told(error)
        self._answer(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the trail does."""

    def _taken(self) -> Answer:
        headers = self._headers()
        match = classify("POST", self.path, {})
        if match is None or match.route.kind is not Kind.INTAKE:
            raise self._closing(UploadError("There is no such upload.", NO_SUCH_UPLOAD))
        length = self._length(headers)
        if not headers.get("authorization"):
            raise self._closing(UploadError("An upload needs an account.", NO_ACCOUNT, remedy=SIGN_IN))
        self._sign_in(headers)
        with self._body(length) as content:
            try:
                require_harmless(headers, content, multipart=match.route.unread)
            except UploadError as error:
                self.server.refused(headers, self.client_address[0], match.door, error)
                raise
            return self._passed_on(headers, content)

    def _headers(self) -> dict[str, str]:
        """Return the headers by name in lower case; none may be there twice."""
        names = [name.lower() for name in self.headers]
        if len(names) != len(set(names)):
            raise self._closing(UploadError("A header is there twice.", BAD))
        return {name.lower(): value for name, value in self.headers.items()}

    def _length(self, headers: dict[str, str]) -> int:
        said = headers.get("content-length", "")
        if "transfer-encoding" in headers or not said.isascii() or not said.isdigit():
            raise self._closing(UploadError("The upload does not say how long it is.", LENGTH_REQUIRED))
        if len(said) > LONGEST_LENGTH or int(said) > self.server.most:
            words = f"The upload has more than {self.server.most} bytes."
            raise self._closing(UploadError(words, TOO_LARGE, remedy="Send it by C-STORE."))
        if int(said) == 0:
            raise self._closing(UploadError("The upload is empty.", LENGTH_REQUIRED))
        return int(said)

    @contextmanager
    def _body(self, length: int) -> Iterator[mmap]:
        """Give the body; it takes room as it comes, so that an announcement alone takes none."""
        content, room, taken = mmap(-1, length), self.server.room, 0
        try:
            with memoryview(content) as view:
                while taken < length:
                    step = min(STEP, length - taken)
                    if not room.take(step):
                        raise self._closing(UploadError("Too many uploads at once.", BUSY, remedy=TRY_AGAIN))
                    taken += step
                    self._read(view[taken - step : taken])
            yield content
        finally:
            room.give(taken)

    def _read(self, view: memoryview) -> None:
        """Fill ``view``."""
        try:
            complete = self.rfile.readinto(view) == len(view)
        except TimeoutError as error:
            raise self._closing(UploadError("The upload came too slowly.", TOO_SLOW, remedy=TRY_AGAIN)) from error
        if not complete:
            raise self._closing(UploadError("The upload broke off.", BAD))

    def _sign_in(self, headers: dict[str, str]) -> None:
        """Have Orthanc say whether it lets the account in, once for a connection and account.

        Raises:
            UploadError: it doesn't, or as many are signed in as there are places.
        """
        if self.account == headers["authorization"]:
            return
        if not self._let_in(headers):
            raise self._closing(UploadError("Nobody has this account and password.", NO_ACCOUNT, remedy=SIGN_IN))
        if not self.account and not self.server.connections.acquire(blocking=False):
            raise self._closing(UploadError(CROWDED, BUSY, remedy=TRY_AGAIN))
        self.account = headers["authorization"]
        self.server.strangers.leave(self.connection)
        self.steady.begin()

    def _let_in(self, headers: dict[str, str]) -> bool:
        """Ask Orthanc; of those who were hung up on meanwhile, too, only so many wait for its answer."""
        if not self.server.asking.acquire(blocking=False):
            raise self._closing(UploadError(CROWDED, BUSY, remedy=TRY_AGAIN))
        try:
            return self._asked("GET", SIGNED_IN, headers, b"", {}).status != NO_ACCOUNT
        finally:
            self.server.asking.release()

    def _passed_on(self, headers: dict[str, str], content: mmap) -> Answer:
        """Send the body as it came to Orthanc, and return what Orthanc answers."""
        with memoryview(content) as view:  # sent at once; a file would be, in small pieces
            return self._asked("POST", self.path, headers, view, self.server.shown())

    def _asked(
        self, method: str, path: str, headers: dict[str, str], body: bytes | memoryview, also: dict[str, str]
    ) -> Answer:
        """Ask Orthanc under the caller's account, and return what it answers."""
        orthanc = urlsplit(self.server.services.settings.orthanc.url)
        connection = http.client.HTTPConnection(orthanc.hostname or "", orthanc.port, timeout=ORTHANC_SECONDS)
        sent = {name: value for name, value in headers.items() if name in self.server.passed_on} | also
        try:
            connection.request(method, path, body, {**sent, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            return Answer(
                status=answer.status,
                media=answer.getheader("Content-Type", "text/plain"),
                said=answer.read(MOST_ANSWER),
            )
        except (OSError, http.client.HTTPException) as error:
            logger.exception("an upload could not be passed on")
            raise UploadError("Orthanc could not be reached.", ORTHANC_DOWN, remedy=TRY_AGAIN) from error
        finally:
            connection.close()

    def _closing(self, error: UploadError) -> UploadError:
        """Return the error, and end the connection with it: part of the body may be unread."""
        self.close_connection = True
        return error

    def _answer(self, answer: Answer) -> None:
        """Answer; who is slow to read it holds no more than a connection, and that not for ever."""
        self.connection.settimeout(SECONDS)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media)
        self.send_header("Content-Length", str(len(answer.said)))
        if answer.status == NO_ACCOUNT:
            self.send_header("WWW-Authenticate", REALM)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.said)


def _told(error: UploadError) -> Answer:
    words = {"error": str(error.args[0]), "problems": [], "remedy": error.remedy}
    return Answer(status=error.status, media="application/json", said=json.dumps(words).encode())
