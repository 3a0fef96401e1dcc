"""An execution killed at a deletion that a relay before Orthanc holds back, so that it never is through by then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread

import httpx

from demo.peers import HOST, wait_until
from demo.server import Server

SECONDS = 60
HOPS = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "content-length"})  # each relay's own


@dataclass(kw_only=True)
class Held:
    """From which deletion on they are held back, how many came, and whether that one has; ``over``: none waits more."""

    which: int
    count: int = 0
    came: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    mutex: Lock = field(default_factory=Lock)

    def hold(self) -> bool:
        """Count a deletion; tell whether it never gets to Orthanc, once nobody waits for it any more."""
        with self.mutex:
            self.count += 1
            if self.count < self.which:
                return False
        self.came.set()
        assert self.over.wait(2 * SECONDS)
        return True


def _handler(orthanc: httpx.Client, held: Held) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relay(self) -> None:
            if self.command == "DELETE" and held.hold():
                self.close_connection = True
                return
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            said = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
            answer = orthanc.request(self.command, self.path, headers=said, content=content)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = relay  # noqa: N815 - http.server's names

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    return Relay


@contextmanager
def _relayed(url: str, held: Held) -> Iterator[str]:
    """Stand before Orthanc until the end; give the address."""
    with httpx.Client(base_url=url, trust_env=False, timeout=SECONDS) as orthanc:
        relay = ThreadingHTTPServer((HOST, 0), _handler(orthanc, held))
        thread = Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://{HOST}:{relay.server_port}"
        finally:
            held.over.set()
            relay.shutdown()
            thread.join()
            relay.server_close()


def killed_at_deletion(server: Server, plan: str, which: int, is_so: Callable[[], bool]) -> None:
    """Execute the plan, and kill the process (SIGKILL) while it waits for a deletion, once something ``is_so``."""
    held = Held(which=which)
    program = str(Path(sys.executable).parent / "consentgate")
    settings = str(server.folder / "settings.toml")
    command = [program, "--settings", settings, "retention", "apply", plan, "--by", "clerk"]
    with _relayed(server.url, held) as url:
        environment = os.environ | {"CONSENTGATE_ORTHANC_URL": url}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
            try:
                assert held.came.wait(SECONDS)
                assert wait_until(is_so, SECONDS)
                assert running.poll() is None
            finally:
                running.send_signal(signal.SIGKILL)
