"""Another Orthanc over HTTP, which has a few instances: found by their UID, and deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(kw_only=True)
class OtherSimulator:
    """What it has, by SOP Instance UID, and how it behaves.

    Attributes:
        has: the names it gives to its instances, by UID.
        keeps: whether it says yes to a deletion and keeps the instance.
        status: what it answers instead of looking or deleting.
        asked: method and path of every request.
    """

    has: dict[str, str] = field(default_factory=dict)
    keeps: bool = False
    status: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def found(self, uid: str) -> bytes:
        """Return the answer to a look for a UID; a series of the same UID is there, too."""
        names = [self.has[uid]] if uid in self.has else []
        instances = [{"Type": "Instance", "ID": name, "Path": f"/instances/{name}"} for name in names]
        return json.dumps([{"Type": "Series", "ID": "series", "Path": "/series/series"}, *instances]).encode()

    def delete(self, name: str) -> int:
        """Delete an instance; return the status."""
        if name not in self.has.values():
            return 404
        if not self.keeps:
            self.has = {uid: each for uid, each in self.has.items() if each != name}
        return 200


@contextmanager
def other_orthanc(*uids: str) -> Iterator[OtherSimulator]:
    """Give another Orthanc that has instances of these UIDs."""
    simulator = OtherSimulator(has={uid: f"instance-{number}" for number, uid in enumerate(uids)})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            uid = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(simulator.status.get("POST", 200), simulator.found(uid))

        def do_DELETE(self) -> None:
            name = self.path.removeprefix("/instances/")
            self._answer(simulator.status.get("DELETE") or simulator.delete(name), b"{}")

        def _answer(self, status: int, body: bytes) -> None:
            simulator.asked.append((self.command, self.path))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    simulator.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield simulator
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
