"""A real nginx with docker/nginx.conf, the upload guard and a sign-in service, before a real Orthanc with Consentgate.

Of the sample only addresses and paths are changed, so that what the tests hold is what is shipped.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from demo.journey import Journey
from demo.peers import HOST, free_ports, port_is_free, wait_until
from demo.server import ROOT, Ports, Server
from orthanc_plugin.clock import new_id, now
from orthanc_plugin.deid.keys import make_key
from orthanc_plugin.registry.trail import Trail
from orthanc_plugin.services import build
from tests.fakes import commands
from tests.fakes.lecturer import LECTURER
from tests.integration.archive import Archive, ports, today

NGINX = "/usr/sbin/nginx"
PASSWORD = "a long password of the proxy's own"
PEOPLE = """
[[users]]
name = "photographer"
signs_in = "proxy"
roles = ["store"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[users]]
name = "dr-field"
signs_in = "proxy"
roles = ["view", "list"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[users]]
name = "student"
signs_in = "proxy"
roles = ["view"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
"""
SECTION = """
[proxy]
account = "proxy"
addresses = ["127.0.0.1"]
secret_file = "keys/proxy.key"
"""


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """The archive, and where the proxy listens."""

    archive: Archive
    url: str
    trust: ssl.SSLContext
    secret: str
    trail: Trail

    def entries(self, since: int = 0) -> list[dict[str, object]]:
        """Return the newest entries of the trail after number ``since``, oldest first."""
        return [entry for entry in self.trail.tail(200) if int(str(entry["seq"])) > since]

    def raw(self, method: str, path: str, person: str, headers: dict[str, str]) -> int:
        """Send a request as it is written, which ``ask`` would tidy up; return the status."""
        connection = http.client.HTTPSConnection(self.url.removeprefix("https://"), context=self.trust, timeout=60)
        try:
            connection.request(method, path, b"x", {**headers, "Cookie": f"person={person}"})
            return connection.getresponse().status
        finally:
            connection.close()

    def ask(
        self,
        method: str,
        path: str,
        person: str = "",
        *,
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        content: bytes = b"",
        auth: tuple[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request as a person who has signed in, or as a system with an account, or as nobody."""
        said = list(headers.items() if isinstance(headers, dict) else headers or [])
        cookie = [("Cookie", f"person={person}")] if person else []
        with httpx.Client(verify=self.trust, trust_env=False, timeout=60) as client:
            return client.request(method, self.url + path, headers=[*said, *cookie], content=content, auth=auth)


class SignIn(BaseHTTPRequestHandler):
    """Stands for oauth2-proxy: the cookie says who has signed in."""

    def do_GET(self) -> None:
        """Answer auth_request."""
        _, _, person = self.headers.get("Cookie", "").partition("person=")
        self.send_response(202 if person and self.path == "/oauth2/auth" else 401)
        if person:
            self.send_header("X-Auth-Request-User", person)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


def prepare(folder: Path, at: Ports) -> str:
    """Write a configuration with the proxy's account, section and secret; return the secret."""
    options = [f"--{name}-port={getattr(at, name)}" for name in ("http", "dicom", "camera", "workstation", "teaching")]
    script = str(ROOT / "docker" / "consent_gate.py")
    commands.checked([commands.PROGRAM, "init", str(folder), "--script", script, *options])
    make_key(folder / "keys" / "proxy.key")
    configuration, settings, policy = (folder / name for name in ("orthanc.json", "settings.toml", "policy.toml"))
    with_account = f'"RegisteredUsers": {{\n    "proxy": {json.dumps(PASSWORD)},'
    configuration.write_text(configuration.read_text().replace('"RegisteredUsers": {', with_account))
    settings.write_text(settings.read_text().replace('stow = "direct"', 'stow = "guarded"') + SECTION)
    policy.write_text(policy.read_text() + PEOPLE + LECTURER.replace('"lecturer"', '"lecturer"\nsigns_in = "proxy"'))
    return (folder / "keys" / "proxy.key").read_text().strip()


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for the proxy, and return what trusts it."""
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run(
        ["/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
        check=True,
        capture_output=True,
    )
    return ssl.create_default_context(cafile=str(folder / "tls.crt"))


def configured(folder: Path, secret: str, replaced: dict[str, str]) -> Path:
    """Write the sample with other addresses and paths, and its secrets; each of them must be in the sample."""
    account = base64.b64encode(f"proxy:{PASSWORD}".encode()).decode()
    (folder / "proxy-secrets.conf").write_text(
        f'map "" $proxy_secret {{ default "{secret}"; }}\nmap "" $proxy_account {{ default "Basic {account}"; }}\n'
    )
    text = (ROOT / "docker" / "nginx.conf").read_text()
    paths = {"/etc/consentgate/tls": folder, "/etc/consentgate": folder}
    paths |= {"/run/consentgate-proxy": folder, "/var/log/consentgate-proxy": folder}
    for old, new in (*replaced.items(), *paths.items()):
        assert old in text, old
        text = text.replace(old, str(new))
    (folder / "nginx.conf").write_text(text)
    return folder / "nginx.conf"


@contextmanager
def running(command: list[str], port: int, output: Path) -> Iterator[None]:
    """Run a server until the end; give it once it listens."""
    with output.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        try:
            assert wait_until(lambda: process.poll() is not None or not port_is_free(port), 60)
            assert process.poll() is None, output.read_text()
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def sign_in() -> Iterator[int]:
    """Run the sign-in service; give its port."""
    server = ThreadingHTTPServer((HOST, 0), SignIn)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def started(folder: Path) -> Iterator[Proxied]:
    """Start everything, file the photographs, and stop everything at the end."""
    at, (https, guard) = ports(), free_ports(2)
    secret = prepare(folder / "orthanc", at)
    server = Server(folder=folder / "orthanc", ports=at, run=commands.run)
    server.start()
    (folder / "work").mkdir()
    journey = Journey(server=server, work=folder / "work", today=today(), show=lambda _line: None)
    trust = certificate(folder)
    consentgate = [str(Path(sys.executable).parent / "consentgate"), "--settings", str(server.folder / "settings.toml")]
    as_root = ["user root;"] if os.geteuid() == 0 else []  # nginx's workers must reach this test's folder
    with ExitStack() as stack:
        for stop in (server.stop, journey.at_workstation.stop, journey.at_teaching.stop):
            stack.callback(stop)
        asked = stack.enter_context(sign_in())
        addresses = {"listen 8443": f"listen {HOST}:{https}", f"{HOST}:8042": f"{HOST}:{at.http}"}
        addresses |= {f"{HOST}:8045": f"{HOST}:{guard}", f"{HOST}:4180": f"{HOST}:{asked}"}
        sample = configured(folder, secret, addresses)
        nginx = [NGINX, "-e", "stderr", "-p", str(folder), "-c", str(sample), "-g", " ".join(["daemon off;", *as_root])]
        listen = ["uploads", "--listen", f"{HOST}:{guard}"]
        stack.enter_context(running([*consentgate, *listen], guard, folder / "guard.out"))
        stack.enter_context(running(nginx, https, folder / "nginx.out"))
        journey.wrap()
        journey.push()
        assert journey.wrong == 0
        services = build(server.folder / "settings.toml", {}, now, new_id)
        stack.callback(services.database.close)
        archive, url = Archive(server=server, journey=journey), f"https://{HOST}:{https}"
        yield Proxied(archive=archive, url=url, trust=trust, secret=secret, trail=services.trail)
