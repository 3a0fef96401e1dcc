"""The upload guard with a server behind it that takes everything, for the tests of both."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from orthanc_plugin.enforcement.uploads import MIB, UploadServer
from tests.fakes.nested import identified
from tests.fakes.world import World

HOST = "127.0.0.1"
MOST = MIB
SHALLOW, DEEP = identified(3), identified(80)
AS_UPLOADER = {"Authorization": "Basic " + base64.b64encode(b"uploader:p").decode()}
BEGUN = f"POST /instances HTTP/1.1\r\nHost: x\r\nAuthorization: {AS_UPLOADER['Authorization']}\r\n".encode()


@dataclass(kw_only=True)
class Behind:
    """A server that stands where Orthanc would, and keeps what it is sent."""

    server: ThreadingHTTPServer
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@dataclass(kw_only=True)
class Guard:
    """The guard, with what is behind it."""

    world: World
    server: UploadServer
    behind: Behind

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, dict[str, object]]:
        """Send an upload as ``uploader``."""
        connection = http.client.HTTPConnection(HOST, self.server.server_port, timeout=30)
        try:
            connection.request("POST", path, body, AS_UPLOADER | (headers or {}))
            answer = connection.getresponse()
            said: dict[str, object] = json.loads(answer.read())
            return answer.status, said
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are, and return the first line of the answer."""
        with socket.create_connection((HOST, self.server.server_port), 30) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile("rb").readline().strip()


def orthanc() -> Behind:
    """Return a server that takes everything."""

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            behind.received.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"Status": "Success"}')

        def do_GET(self) -> None:
            self.send_response(200 if self.headers["Authorization"] == AS_UPLOADER["Authorization"] else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    behind = Behind(server=ThreadingHTTPServer((HOST, 0), Takes))
    return behind


@contextmanager
def guarding(world: World) -> Iterator[Guard]:
    behind = orthanc()
    settings = world.services.settings
    there = replace(settings.orthanc, url=f"http://{HOST}:{behind.server.server_port}")
    services = replace(world.services, settings=replace(settings, orthanc=there))
    server = UploadServer(services, (HOST, 0), MOST)
    threads = [threading.Thread(target=each.serve_forever, args=(0.01,)) for each in (behind.server, server)]
    for each in threads:
        each.start()
    yield Guard(world=world, server=server, behind=behind)
    for running in (server, behind.server):
        running.shutdown()
        running.server_close()
    for each in threads:
        each.join()


def announced(guard: Guard, length: int = MOST) -> socket.socket:
    """Return a connection on which an upload has begun, and is not gone on with."""
    connection = socket.create_connection((HOST, guard.server.server_port), 30)
    connection.sendall(BEGUN + b"Content-Length: %d\r\n\r\nD" % length)
    return connection


def status_of(guard: Guard) -> int:
    with suppress(ConnectionError):  # who is sent away while it still writes may not get to read why
        return guard.post("/instances", SHALLOW)[0]
    return 0
