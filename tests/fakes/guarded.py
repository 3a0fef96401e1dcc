"""A server that answers the watchdog as an Orthanc would, or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answers = dict[str, tuple[int, object]]


def health(*, why: str = "", **failing: bool) -> dict[str, object]:
    parts = dict.fromkeys(("decisions", "heartbeat", "registry", "spool", "trail"), True) | failing
    return {"doors": {"open": not why, "why": why}, "parts": {name: {"ok": ok} for name, ok in parts.items()}}


@contextmanager
def orthanc(answers: Answers) -> Iterator[int]:
    """Answer each path with a status and a body; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, ""))
            content = json.dumps(body).encode() if not isinstance(body, bytes) else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
