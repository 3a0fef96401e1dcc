"""Eight clients at every kind of door at once, and a registry that hangs: Orthanc answers, and goes on answering."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from demo.peers import wait_until
from demo.server import ROOT
from orthanc_plugin.cli.orthancfile import without_comments
from tests.integration.archive import Archive, started

ROUNDS = 4
PATIENCE = 300
OK, SUCCESS = 200, 0
Door = Callable[[], int]
SCRIPT = Path(__file__).with_name("holding.py")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with started(tmp_path_factory.mktemp("busy")) as archive:
        policy = archive.server.folder / "policy.toml"
        policy.write_text(policy.read_text().replace('roles = ["view", "list"]', 'roles = ["view", "list", "send"]'))
        yield archive


def restart(archive: Archive, *, threads: bool) -> None:
    """Start Orthanc with the interpreter lock free while the SDK works, or held."""
    archive.server.stop()
    file = archive.server.folder / "orthanc.json"
    configuration = json.loads(without_comments(file.read_text()))
    script = ROOT / "docker" / "consent_gate.py" if threads else SCRIPT
    configuration |= {"Python": {"AllowThreads": threads}, "PythonScript": str(script)}
    file.write_text(json.dumps(configuration))
    archive.server.start()


def asked(archive: Archive, method: str, path: str, account: str, content: bytes = b"") -> Door:
    def call() -> int:
        try:
            return archive.server.ask(method, path, account, content=content).status_code
        except httpx.HTTPError:
            return -1

    return call


def doors(archive: Archive) -> dict[str, Door]:
    """Return one client of each kind, which says how its door answered."""
    made, journey = archive.wrapped("A"), archive.journey
    study = made.study_instance_uid
    found = json.dumps({"Level": "Study", "Query": {"StudyInstanceUID": study}}).encode()
    return {
        "C-STORE": lambda: journey.camera.push(made.file),
        "C-MOVE": lambda: journey.workstation.move("DERMWS", StudyInstanceUID=study),
        "POST /instances": asked(archive, "POST", "/instances", "uploader", made.file.read_bytes()),
        "file": asked(archive, "GET", f"/instances/{made.orthanc_instance}/file", "derm"),
        "WADO-RS": asked(archive, "GET", f"/dicom-web/studies/{study}", "derm"),
        "archive": asked(archive, "GET", f"/studies/{orthanc_study(archive)}/archive", "derm"),
        "store": asked(archive, "POST", "/modalities/dermatology/store", "derm", made.orthanc_instance.encode()),
        "find": asked(archive, "POST", "/tools/find", "derm", found),
    }


def orthanc_study(archive: Archive) -> str:
    listed = archive.server.ask("GET", "/studies", "derm").json()
    made = archive.wrapped("A")
    for study in listed:
        found = archive.server.ask("GET", f"/studies/{study}", "derm")
        if made.study_instance_uid in found.text:
            return str(study)
    raise AssertionError(f"A's study is not among {len(listed)}")


def at_once(clients: Mapping[str, Door], rounds: int) -> dict[str, list[int]]:
    """Return what each client was answered, all of them calling at the same time; none may be left without."""
    answers: dict[str, list[int]] = {name: [] for name in clients}

    def call(name: str) -> None:
        for _ in range(rounds):
            answers[name].append(clients[name]())

    threads = [threading.Thread(target=call, args=(name,), daemon=True) for name in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not [thread for thread in threads if thread.is_alive()], f"somebody still waits: {answers}"
    return answers


@pytest.mark.parametrize("threads", [True, False], ids=["lock free", "lock held"])
def test_eight_clients_at_every_kind_of_door_are_all_answered(busy: Archive, threads: bool) -> None:
    restart(busy, threads=threads)
    clients = doors(busy)
    answers = at_once(clients, ROUNDS)
    assert answers == {name: [SUCCESS if name.startswith("C-") else OK] * ROUNDS for name in clients}
    assert busy.server.ask("GET", "/system", "admin").status_code == OK


@contextmanager
def locked(archive: Archive) -> Iterator[None]:
    """Hold the registry's write lock from another process than Orthanc's, as one that hangs would."""
    file = archive.server.folder / "registry.db"
    holder = sqlite3.connect(file, isolation_level=None, timeout=60)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")
    finally:
        holder.close()


def test_while_the_registry_hangs_every_door_says_no_and_afterwards_yes(busy: Archive) -> None:
    restart(busy, threads=True)
    clients = doors(busy) | {"C-FIND": lambda: busy.journey.workstation.find(StudyInstanceUID="1.2.3")}
    busy.journey.at_workstation.take()
    with locked(busy):
        answers = at_once(clients, 2)
    assert {name for name, told in answers.items() if {SUCCESS, OK} & set(told)} == set()
    assert busy.journey.at_workstation.take() == []
    for name, door in doors(busy).items():
        assert wait_until(lambda door=door: door() in (SUCCESS, OK), PATIENCE), name  # type: ignore[misc]


def test_a_stop_is_clean(busy: Archive) -> None:
    process = busy.server.process
    assert process is not None
    busy.server.stop()
    assert process.returncode == 0, busy.server.printed()
