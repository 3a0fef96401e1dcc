"""The upload guard: a small process before Orthanc that takes uploads by HTTP, looks into them, and passes them on.

Knows HTTP. Some fifty nested sequences in a POST end Orthanc, and no plugin can prevent it, because Orthanc reads the
object before it asks one; so uploads pass here first. The guard has no rights of its own: it passes on the caller's
account and headers, and Orthanc's filter and intake decide as ever. What it refuses is in the trail. Bodies are held in
memory, never on disk, and there is a limit for how large and how many at once.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mmap import mmap
from typing import Final
from urllib.parse import urlsplit

from orthanc_plugin.archive.remote import GUARD_HEADER, read_credentials
from orthanc_plugin.config.settings import Stow
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.exits import classify
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.enforcement.uploadbody import BAD, UploadError, require_harmless
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
MOST_ANSWER: Final = 16 * MIB
AT_ONCE: Final = 4
SECONDS: Final = 60.0
ORTHANC_SECONDS: Final = 300.0
NO_SUCH_UPLOAD: Final = 404
LENGTH_REQUIRED: Final = 411
TOO_LARGE: Final = 413
ORTHANC_DOWN: Final = 502
BUSY: Final = 503
TRY_AGAIN: Final = "Try again in a minute; if it stays so, tell the system administrator."
PASSED_ON: Final = frozenset({"authorization", "accept", "content-type", *requesters.PURPOSE_HEADERS})


class UploadServer(ThreadingHTTPServer):
    """Listens for uploads.

    Args:
        services: settings (where Orthanc is) and trail.
        address: where to listen.
        most: how many bytes a body may have.
    """

    daemon_threads = True

    def __init__(self, services: Services, address: tuple[str, int], most: int) -> None:
        super().__init__(address, UploadHandler)
        self.services = services
        self.most = most
        self.slots = threading.BoundedSemaphore(AT_ONCE)
        proxy = services.proxy.settings if services.proxy else None
        own = {proxy.user_header.lower(), proxy.secret_header.lower()} if proxy else set[str]()
        self.passed_on = PASSED_ON | requesters.IDENTITY_HEADERS | own

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
        requester = requesters.unknown(requesters.vouched_for(self.services.proxy, headers, address), address)
        self.services.gate.refuse(requester, door, str(error.args[0]), rule="UPLOAD_REFUSED")


class UploadHandler(BaseHTTPRequestHandler):
    """Takes one upload after the other on a connection."""

    server: UploadServer
    protocol_version = "HTTP/1.1"
    server_version = "Consentgate"
    sys_version = ""
    timeout = SECONDS

    def do_POST(self) -> None:
        """Look into the upload, and pass it on or refuse it."""
        try:
            self._take()
        except UploadError as error:
            self._told(error)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the trail does."""

    def _take(self) -> None:
        headers = self._headers()
        match = classify("POST", self.path, {})
        if match is None or match.route.kind is not Kind.INTAKE:
            raise self._closing(UploadError("There is no such upload.", NO_SUCH_UPLOAD))
        length = self._length(headers)
        if not self.server.slots.acquire(blocking=False):
            raise self._closing(UploadError("Too many uploads at once.", BUSY, remedy=TRY_AGAIN))
        try:
            content = self._body(length)
            try:
                require_harmless(headers, content, multipart=match.route.unread)
            except UploadError as error:
                self.server.refused(headers, self.client_address[0], match.door, error)
                raise
            self._pass_on(headers, content)
        finally:
            self.server.slots.release()

    def _headers(self) -> dict[str, str]:
        """Return the headers by name in lower case; none may be there twice."""
        names = [name.lower() for name in self.headers]
        if len(names) != len(set(names)):
            raise self._closing(UploadError("A header is there twice.", BAD))
        return {name.lower(): value for name, value in self.headers.items()}

    def _length(self, headers: dict[str, str]) -> int:
        said = headers.get("content-length", "")
        if "transfer-encoding" in headers or not said.isascii() or not said.isdigit() or int(said) == 0:
            raise self._closing(UploadError("The upload does not say how long it is.", LENGTH_REQUIRED))
        if int(said) > self.server.most:
            words = f"The upload has more than {self.server.most} bytes."
            raise self._closing(UploadError(words, TOO_LARGE, remedy="Send it by C-STORE."))
        return int(said)

    def _body(self, length: int) -> mmap:
        content = mmap(-1, length)
        with memoryview(content) as view:
            if self.rfile.readinto(view) != length:
                raise self._closing(UploadError("The upload broke off.", BAD))
        return content

    def _pass_on(self, headers: dict[str, str], content: mmap) -> None:
        """Send the body as it came to Orthanc, and Orthanc's answer back."""
        orthanc = urlsplit(self.server.services.settings.orthanc.url)
        connection = http.client.HTTPConnection(orthanc.hostname or "", orthanc.port, timeout=ORTHANC_SECONDS)
        sent = {name: value for name, value in headers.items() if name in self.server.passed_on}
        sent |= self.server.shown()
        try:
            connection.request("POST", self.path, content, {**sent, "Content-Length": str(len(content))})
            answer = connection.getresponse()
            said, media = answer.read(MOST_ANSWER), answer.getheader("Content-Type", "text/plain")
        except (OSError, http.client.HTTPException) as error:
            logger.exception("an upload could not be passed on")
            raise UploadError("Orthanc could not be reached.", ORTHANC_DOWN, remedy=TRY_AGAIN) from error
        finally:
            connection.close()
        self._answer(answer.status, media, said)

    def _closing(self, error: UploadError) -> UploadError:
        """Return the error, and end the connection with it: part of the body may be unread."""
        self.close_connection = True
        return error

    def _told(self, error: UploadError) -> None:
        words = {"error": str(error.args[0]), "problems": [], "remedy": error.remedy}
        self._answer(error.status, "application/json", json.dumps(words).encode())

    def _answer(self, status: int, media: str, said: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(said)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(said)
