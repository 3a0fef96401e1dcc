"""A key management service on this machine: it speaks HTTPS, and knows whom it gives a key to."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

TOKEN = "s.hospital-7Q4X"
Answer = Callable[[BaseHTTPRequestHandler], None]


def saying(body: bytes, status: int = 200) -> Answer:
    """Return what answers with a body to whoever has the token."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        known = asked.headers.get("Authorization") == f"Bearer {TOKEN}"
        asked.send_response(status if known else 403)
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        asked.wfile.write(body if known else b"")

    return answer


@contextmanager
def key_service(answer: Answer, certificate: Path, key: Path, clients: Path | None = None) -> Iterator[str]:
    """Serve, and yield the address; with ``clients`` it speaks to those alone who show a certificate of theirs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who is refused by TLS is no news
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/v1/secret/pseudonyms"
        finally:
            server.shutdown()
