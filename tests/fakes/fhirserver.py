"""A FHIR server over HTTPS that answers what a test has written for each address, and notes who asked with what."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.unit.dicomwrap.sendable import HOST, certificate

SEARCH = "/Patient?_revinclude=Encounter:patient"
SECOND = f"{SEARCH}&page=2"
MADE = "2026-11-22T09:00:00+00:00"


def page(*resources: dict[str, object], following: str = "", **more: object) -> dict[str, object]:
    """Return a page of a search."""
    link = {"link": [{"relation": "next", "url": following}]} if following else {}
    entry = [{"resource": each, "search": {"mode": "match"}} for each in resources]
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "meta": {"lastUpdated": MADE},
        "entry": entry,
        **link,
        **more,
    }


@dataclass(kw_only=True)
class FhirSimulator:
    """What is answered, by path with query: a status and a body; anything else is 404."""

    url: str = ""
    ca: Path = Path()
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def says(self, path: str, page: Mapping[str, object], status: int = 200) -> None:
        self.answers[path] = (status, json.dumps(page).encode())


@contextmanager
def serving(folder: Path) -> Iterator[FhirSimulator]:
    """Give a server that has a certificate of its own, for as long as the test lasts."""
    found = FhirSimulator()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("Authorization", "")))
            status, body = found.answers.get(self.path, (404, b""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of who hung up: some are meant to."""

    known = certificate(folder, "fhir")
    server = Server((HOST, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(known.cert, known.key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    found.url, found.ca = f"https://{HOST}:{server.server_port}", known.cert
    running = threading.Thread(target=server.serve_forever, daemon=True)
    running.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        running.join()
