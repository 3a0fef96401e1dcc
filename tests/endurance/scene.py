"""Two real Orthancs on one PostgreSQL, a courier beside each, and the recipients of three other kinds.

Knows how each part is started, killed (SIGKILL, with no word before) and started again. The recipients stay up: what
they hold at the end is what the registry's word is compared with.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.peers import free_ports, wait_until
from demo.server import Ports, Server
from tests.endurance.receiver import Receiver, receiving
from tests.fakes import postgres
from tests.integration.stock import PASSWORD, USER, Stock, orthanc

REGISTRY = "CONSENTGATE_REGISTRY_DATABASE"
SECONDS = 180
PAUSE = 0.02
WORKSTATION, TEACHING, BRANCH, WEB, MEDIUM = (
    *("dermatology-workstation", "teaching-archive", "branch", "web-archive", "medium"),
)
RECIPIENTS = """
[exports]
allowed = true
approved_by = ["data protection officer", "head of photography"]

[[recipients]]
name = "branch"
kind = "peer"
url = "{branch}"
account = "{user}"
password_file = "{password}"
owner = "records officer of the branch"
recall = "delete"
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[recipients]]
name = "web-archive"
kind = "stow"
url = "{web}/dicom-web"
account = "{user}"
password_file = "{password}"
owner = "records officer of the region"
recall = "letter"
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[recipients]]
name = "medium"
kind = "folder"
folder = "{medium}"
owner = "dermatology department"
recall = "letter"
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
"""
ROUTE = """
[[routes]]
name = "to-{recipient}"
recipient = "{recipient}"
purpose = "{purpose}"
owner = "dermatology department"
"""
# A clock that is set wrong leaves CLOCK_MONOTONIC alone; faketime would set it too, and no pause would ever end.
SETS_NO_TICKS = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
ROUTES = dict.fromkeys((WORKSTATION, BRANCH, WEB, MEDIUM), "DIRECT_CARE") | {TEACHING: "TEACHING"}


@dataclass(kw_only=True)
class Node:
    """A guarded Orthanc and its courier; ``skew`` is how many seconds the courier's clock is ahead."""

    server: Server
    skew: int = 0
    courier: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def name(self) -> str:
        """Return the courier's name, which no other start of it has."""
        return f"{self.server.folder.parent.name}-{self.starts}"

    def configure(self, policy: str) -> None:
        """Have series count as stable soon, and the policy in force at the next start."""
        file = self.server.folder / "orthanc.json"
        file.write_text(re.sub(r'("DicomAet")', r'"StableAge": 1,\n  \1', file.read_text(), count=1))
        (self.server.folder / "policy.toml").write_text(policy)

    def start(self) -> None:
        """Start Orthanc, and wait until its doors are open."""
        self.server.start()
        assert wait_until(self.answers, SECONDS, pause=0.2), self.server.printed()

    def answers(self) -> bool:
        """Tell whether its doors are open."""
        try:
            return self.server.ask("GET", "/consentgate/tasks", "governance").status_code == 200
        except httpx.TransportError:
            return False

    def send(self) -> None:
        """Start the courier."""
        skewed = ["faketime", "-f", f"{self.skew:+d}s"] if self.skew else []
        program = [str(Path(sys.executable).parent / "consentgate"), "--settings"]
        settings = str(self.server.folder / "settings.toml")
        self.starts += 1
        with (self.server.folder / "courier.log").open("ab") as log:
            self.courier = subprocess.Popen(
                [*skewed, *program, settings, "courier", "--name", self.name],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | SETS_NO_TICKS,
            )

    def kill_courier(self) -> None:
        """Kill the courier in the middle of whatever it does."""
        if self.courier is not None:
            _kill(self.courier)
        self.courier = None

    def kill_orthanc(self) -> None:
        """Kill Orthanc in the middle of whatever it does."""
        if self.server.process is not None:
            _kill(self.server.process)
        self.server.process = None


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


@dataclass(kw_only=True)
class Scene:
    """Everything, and what each recipient holds."""

    registry: postgres.Server
    address: str
    nodes: tuple[Node, Node]
    workstation: Receiver
    teaching: Receiver
    branch: Stock
    web: Stock
    medium: Path

    def kill_registry(self) -> None:
        """Kill the postmaster; its other processes notice, and end."""
        pid = int((self.registry.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def start_registry(self) -> None:
        """Start it again, once what is left of it has ended."""

        def started() -> bool:
            try:
                self.registry.start()
            except RuntimeError:
                return False
            return True

        assert wait_until(started, SECONDS, pause=0.2), self.registry.log[-3000:]

    def held(self) -> dict[str, dict[str, bytes]]:
        """Return what each recipient holds: files by SOP Instance UID."""
        return {
            WORKSTATION: dict(self.workstation.files),
            TEACHING: dict(self.teaching.files),
            BRANCH: {uid: self.branch.file(uid) for uid in self.branch.instances()},
            WEB: {uid: self.web.file(uid) for uid in self.web.instances()},
            MEDIUM: {each.stem: each.read_bytes() for each in self.medium.glob("*.dcm")},
        }

    def told(self, *arguments: str) -> object:
        """Return what a command of the first node answers in JSON."""
        done = self.nodes[0].server.consentgate(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        found: object = json.loads(done.stdout)
        return found


@contextmanager
def scene(folder: Path, *, skew: int = 0) -> Iterator[Scene]:
    """Start everything; stop it at the end. ``skew``: seconds by which the second courier's clock is ahead."""
    with ExitStack() as stack:
        registry = stack.enter_context(postgres.running(options=()))
        os.environ[REGISTRY] = address = registry.database("template1")
        stack.callback(os.environ.pop, REGISTRY)
        stocks = [stack.enter_context(orthanc(_made(folder / name))) for name in ("branch", "web")]
        workstation, teaching = free_ports(2)
        receivers = [Receiver(pause=PAUSE), Receiver(pause=PAUSE)]
        for aet, port, receiver in zip(("DERMWS", "TEACHING"), (workstation, teaching), receivers, strict=True):
            stack.enter_context(receiving(aet, port, receiver))
        nodes = tuple(
            Node(server=Server(folder=_made(folder / name) / "orthanc", ports=_ports(workstation, teaching)), skew=each)
            for name, each in (("first", 0), ("second", skew))
        )
        medium = _made(folder / "medium")
        stack.callback(_stop, nodes)
        _set_up(nodes, folder, stocks, medium)
        yield Scene(
            registry=registry,
            address=address,
            nodes=(nodes[0], nodes[1]),
            workstation=receivers[0],
            teaching=receivers[1],
            branch=stocks[0],
            web=stocks[1],
            medium=medium,
        )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _ports(workstation: int, teaching: int) -> Ports:
    http, dicom, camera = free_ports(3)
    return Ports(http=http, dicom=dicom, camera=camera, workstation=workstation, teaching=teaching)


def _set_up(nodes: tuple[Node, ...], folder: Path, stocks: list[Stock], medium: Path) -> None:
    """Have both nodes configured alike, with the same keys, and started."""
    password = folder / "password"
    password.write_text(PASSWORD)
    first = nodes[0].server.folder
    for node in nodes:
        node.server.start()
        node.server.stop()
        if node is not nodes[0]:
            shutil.copytree(first / "keys", node.server.folder / "keys", dirs_exist_ok=True)
            (node.server.folder / "trail.checkpoints").unlink(missing_ok=True)  # signed by the key that it had
            policy = (first / "policy.toml").read_text()
        else:
            policy = (first / "policy.toml").read_text() + RECIPIENTS.format(
                branch=stocks[0].url, web=stocks[1].url, user=USER, password=password, medium=medium
            )
            policy += "".join(ROUTE.format(recipient=name, purpose=purpose) for name, purpose in ROUTES.items())
        node.configure(policy)
    for node in nodes:
        node.start()
        node.send()


def _stop(nodes: tuple[Node, ...]) -> None:
    for node in nodes:
        node.kill_courier()
        node.server.stop()
