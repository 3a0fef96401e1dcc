"""A guarded Orthanc of the demonstration: started by bin/serve in a folder of its own, stopped with it.

Knows processes and HTTP. Every call names the account it uses.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from demo.peers import HOST, listens, port_is_free, wait_until

ROOT: Final = Path(__file__).resolve().parent.parent
START_SECONDS: Final = 90


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where everything listens on 127.0.0.1."""

    http: int
    dicom: int
    camera: int
    workstation: int
    teaching: int


ROUTE: Final = """
[[routes]]
name = "dermatology"
recipient = "dermatology-workstation"
purpose = "DIRECT_CARE"
owner = "dermatology department"
"""


def run_program(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run one of our own programs to its end."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - our own


Run = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]


class NotStartedError(Exception):
    """Orthanc did not come up; the message has the end of what it printed."""


@dataclass(kw_only=True)
class Server:
    """Orthanc with Consentgate on the configuration in ``folder``; its command line is run by ``run``."""

    folder: Path
    ports: Ports
    process: subprocess.Popen[bytes] | None = None
    courier: subprocess.Popen[bytes] | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    run: Run = run_program

    @property
    def url(self) -> str:
        """Return Orthanc's address."""
        return f"http://{HOST}:{self.ports.http}"

    def start(self) -> None:
        """Start, and wait until the start-up checks have passed.

        Raises:
            NotStartedError: it did not come up.
        """
        options = [
            *("--http-port", str(self.ports.http), "--dicom-port", str(self.ports.dicom)),
            *("--camera-port", str(self.ports.camera), "--workstation-port", str(self.ports.workstation)),
            *("--teaching-port", str(self.ports.teaching)),
        ]
        if any(self.folder.glob("*.json")):
            options = []
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = self._checks_passed() if not options else 0
        output = (self.folder.parent / f"{self.folder.name}.out").open("ab")
        self.process = subprocess.Popen(  # noqa: S603 - our own script
            ["bash", str(ROOT / "bin" / "serve"), str(self.folder), *options],  # noqa: S607
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output.close()
        if not wait_until(lambda: self._ready(before), START_SECONDS):
            self.stop()
            raise NotStartedError(self.printed())
        configuration = json.loads(
            re.sub(r"(?m)^\s*//.*$|\s//[^\"\n]*$", "", (self.folder / "orthanc.json").read_text())
        )
        self.passwords = configuration["RegisteredUsers"]

    def printed(self) -> str:
        """Return the end of what Orthanc printed and logged."""
        files = (self.folder.parent / f"{self.folder.name}.out", self.folder / "orthanc.log")
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in files if file.exists())

    def _ready(self, before: int) -> bool:
        """Tell whether the start-up checks have passed since ``before``; they do after Orthanc has begun to listen."""
        if self.process is not None and self.process.poll() is not None:
            raise NotStartedError(self.printed())
        return listens(self.ports.http) and self._checks_passed() > before

    def _checks_passed(self) -> int:
        """Return the number of the newest entry that says so; 0 when there is none."""
        passed = [entry["seq"] for entry in self.audit(200) if "every check passed" in str(entry["detail"])]
        return int(str(passed[-1])) if passed else 0

    def route(self) -> None:
        """Start anew under a policy.toml with a route to the workstation, and the courier beside it.

        Raises:
            NotStartedError: it did not come up.
        """
        self.stop()
        with (self.folder / "policy.toml").open("a", encoding="utf-8") as policy:
            policy.write(ROUTE)
        configuration = self.folder / "orthanc.json"  # a series counts as stable after a second, for want of patience
        configuration.write_text(configuration.read_text().replace("{", '{\n  "StableAge": 1,', 1))
        self.start()
        with (self.folder.parent / "courier.out").open("ab") as output:
            self.courier = subprocess.Popen(  # noqa: S603 - our own program
                [*self._program(), "courier"], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def stop(self) -> None:
        """Stop the courier and Orthanc, and wait for them."""
        if self.courier is not None:
            self.courier.terminate()
            self.courier.wait(60)
            self.courier = None
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        self.process = None

    def consentgate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on this server's settings."""
        return self.run([*self._program(), *arguments])

    def _program(self) -> tuple[str, ...]:
        """Return the command line's beginning."""
        program = Path(sys.executable).parent / "consentgate"
        return str(program), "--settings", str(self.folder / "settings.toml")

    def audit(self, count: int = 50) -> list[dict[str, object]]:
        """Return the newest entries of the trail, oldest first; none while there is no registry."""
        found = self.consentgate("audit", "tail", "-n", str(count), "--json")
        entries: list[dict[str, object]] = json.loads(found.stdout) if found.returncode == 0 else []
        return entries

    def ask(
        self, method: str, path: str, account: str = "", *, headers: dict[str, str] | None = None, content: bytes = b""
    ) -> httpx.Response:
        """Send one HTTP request as ``account`` (nobody when empty)."""
        auth = (account, self.passwords.get(account, "wrong")) if account else None
        return httpx.request(
            method, self.url + path, auth=auth, headers=headers, content=content, timeout=60, trust_env=False
        )


def default_ports() -> Ports | None:
    """Return the usual ports, or None when one of them is taken."""
    ports = Ports(http=8042, dicom=4242, camera=11112, workstation=11113, teaching=11114)
    taken = (ports.http, ports.dicom, ports.workstation, ports.teaching)
    return ports if all(port_is_free(port) for port in taken) else None
