"""What is slow holds up nothing that is quick: archives, lists, sends and finds have threads and places each."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from demo.peers import wait_until
from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.announced import Announced
from orthanc_plugin.enforcement.heartbeat import Heartbeat
from orthanc_plugin.enforcement.pace import HELD_AT_ONCE
from orthanc_plugin.enforcement.rest import Lane
from orthanc_plugin.enforcement.switchboard import AT_ONCE
from orthanc_plugin.install import EXIT_THREADS, HOOKS, SEND_THREADS, Parts
from orthanc_plugin.sending.worker import Worker
from tests.fakes import orthanc
from tests.fakes.core import CoreSimulator
from tests.fakes.orthanc import RestOutput, StreamOutput
from tests.fakes.pictures import CARE
from tests.fakes.waiting import Waiting
from tests.fakes.world import MODALITIES, World, make_world
from tests.unit.enforcement.test_http import basic

HTTP_THREADS = 50  # Orthanc's, unless HttpThreadsCount says otherwise


@dataclass(kw_only=True)
class Server:
    """What the hooks are registered at; ``go_on`` is what everything slow waits for."""

    world: World
    parts: Parts
    go_on: threading.Event
    threads: list[threading.Thread] = field(default_factory=list)

    def call(self, method: str, path: str, output: RestOutput | None = None, body: object = None) -> RestOutput:
        """Call the hook that Orthanc would."""
        given = output or RestOutput()
        request = {"method": method, "headers": {"authorization": basic("derm")}, "get": {}, "groups": ()}
        if method == "POST":
            request["body"] = json.dumps(body).encode()
        hook(path)(given, path, **request)
        return given

    def archive(self, output: RestOutput | None = None) -> RestOutput:
        return self.call("GET", f"/studies/{self.world.row().orthanc_study}/archive", output)

    def list(self) -> int:
        return self.call("GET", "/studies").status

    def find(self) -> int:
        asked = {"Level": "Study", "Query": {"StudyInstanceUID": self.world.row().study_instance_uid}}
        return self.call("POST", "/tools/find", None, asked).status

    def begin(self, work: Callable[[], object]) -> None:
        """Do it beside everything else."""
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def end(self) -> None:
        self.go_on.set()
        for thread in self.threads:
            thread.join(30)


def hook(path: str) -> Callable[..., None]:
    """Return the hook that Orthanc's router would ask: the first that fits."""
    rest = {name.removeprefix("rest "): each for name, each in orthanc.hooks.items() if name.startswith("rest ")}
    found: Callable[..., None] = next(each for regex, each in rest.items() if re.fullmatch(regex, path))
    return found


class SlowOutput(StreamOutput):
    """A client that takes nothing until it is let."""

    def __init__(self, go_on: threading.Event, inside: threading.Semaphore) -> None:
        super().__init__()
        self.go_on = go_on
        self.inside = inside

    def SendStreamChunk(self, piece: bytes) -> None:  # noqa: N802
        self.inside.release()
        assert self.go_on.wait(30)
        super().SendStreamChunk(piece)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    world = make_world(tmp_path)
    world.file(CARE)
    go_on = threading.Event()
    slow = {name: Worker(name, 2, seconds=30.0) for name in ("exits", "lists")}
    usual = {name: world.worker() for name in ("decisions", "health", "moves", "finds", "sends")}
    world.workers += slow.values()
    parts = Parts(
        services=world.services,
        archive=replace(world.archive),
        core=CoreSimulator(archive=world.archive),
        control=world.archive,
        internal=Credentials(user="consentgate", password="p", secret="s"),
        modalities=MODALITIES,
        pace=Waiting().pace(),
        streams=True,
        announced=Announced(world.services.gate),
        heartbeat=Heartbeat(world.services),
        storage=None,
        sdk=orthanc,
        **usual,
        **slow,
    )
    orthanc.reset()
    (register,) = (each for each in HOOKS if each.__name__ == "_overrides")
    register(orthanc, parts)
    made = Server(world=world, parts=parts, go_on=go_on)
    yield made
    made.end()
    world.close()


def test_slow_downloads_turn_away_archives_and_nothing_else(server: Server) -> None:
    inside = threading.Semaphore(0)
    outputs = [SlowOutput(server.go_on, inside) for _ in range(AT_ONCE[Lane.ARCHIVES])]
    for output in outputs:
        server.begin(lambda output=output: server.archive(output))  # type: ignore[misc]
        assert inside.acquire(timeout=30)
    assert server.archive().status == 503
    assert (server.list(), server.find()) == (200, 200)
    server.end()
    assert {output.status for output in outputs} == {200}
    assert server.archive(StreamOutput()).status == 200


def test_archives_whose_pictures_take_too_long_hang_no_list(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, read = server.parts.archive, server.world.archive.read
    monkeypatch.setattr(archive, "read", lambda name: server.go_on.wait(30) and read(name))
    exits = server.parts.exits
    exits.seconds = 0.2
    while len(exits.hanging) < exits.threads:
        assert server.archive(StreamOutput()).status == 500
    assert server.archive(StreamOutput()).status == 500  # every thread hangs, and this is told at once
    assert (server.list(), server.find()) == (200, 200)
    server.go_on.set()
    assert wait_until(lambda: not exits.hanging, 30)
    exits.seconds = 30.0
    assert server.archive(StreamOutput()).status == 200


def test_a_find_is_never_turned_away_because_dicomweb_asks_it_in_the_middle_of_an_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, inside = server.parts.core.ask, threading.Semaphore(0)

    def ask(method: str, path: str, body: bytes = b"") -> bytes:
        if b'"Query": {}' in body:
            inside.release()
            assert server.go_on.wait(30)
        return search(method, path, body)

    monkeypatch.setattr(server.parts.core, "ask", ask)
    for _ in range(AT_ONCE[Lane.LISTS]):
        server.begin(server.list)
    for _ in range(server.parts.lists.threads):
        assert inside.acquire(timeout=30)
    assert wait_until(lambda: server.list() == 503, 30)
    assert (server.find(), server.archive(StreamOutput()).status) == (200, 200)


def test_all_that_is_answered_at_once_leaves_threads_of_orthanc_s_for_what_it_asks_for() -> None:
    assert sum(AT_ONCE.values()) + HELD_AT_ONCE <= HTTP_THREADS - EXIT_THREADS - SEND_THREADS
    assert Lane.FINDS not in AT_ONCE
