"""Two real Orthancs share one registry in PostgreSQL, and a backup of one is restored: what is destroyed goes again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.peers import wait_until
from demo.server import Server
from tests.fakes import commands, postgres
from tests.integration.archive import Archive, ports, started
from tests.integration.destroying import FACTS, OFFICERS, SECONDS, itself, told
from tests.integration.test_two_nodes import VARIABLE, answers


@pytest.fixture
def first(server: postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """Give a node with the journey's photographs, its registry in PostgreSQL, and a schedule in force."""
    url = server.database("template1")
    monkeypatch.setenv(VARIABLE, url)
    with started(tmp_path / "first") as running:
        staffed(running.server)
        schedule = told(running.server, "retention", "schedule", "propose", "--by", "clerk")
        told(running.server, "retention", "schedule", "activate", str(schedule["sha256"]), "--by", "guardian")
        yield running
    postgres.drop(url)


@pytest.fixture
def second(first: Archive, tmp_path: Path) -> Iterator[Server]:
    """Give another node on the same registry."""
    assert first.server.process is not None
    node = Server(folder=tmp_path / "second" / "orthanc", ports=ports(), run=commands.run)
    node.folder.parent.mkdir(parents=True)
    begun(node)
    staffed(node)
    yield node
    node.stop()


def staffed(node: Server) -> None:
    policy = node.folder / "policy.toml"
    policy.write_text(policy.read_text().replace("cooling_off_days = 30", "cooling_off_days = 0") + OFFICERS)


def begun(node: Server) -> None:
    node.start()  # returns at once: the trail that both share says already that a node has started
    assert wait_until(lambda: answers(node), SECONDS), node.printed()


def destroyed_at(archive: Archive) -> str:
    """Destroy A's record at a node; return Orthanc's name of the picture."""
    server, made = archive.server, archive.wrapped("A")
    facts = archive.journey.work / "facts.csv"
    facts.write_text(FACTS.format(patient=made.person.patient_id))
    now = datetime.now(UTC).isoformat()
    told(server, "retention", "facts", "import", str(facts), "--source", "pas", "--as-of", now, "--by", "clerk")
    plan = str(told(server, "retention", "plan", "--by", "clerk")["plan_id"])
    told(server, "retention", "decide", plan, "1", "DESTROY", "--reason", "due", "--by", "clerk")
    told(server, "retention", "approve", plan, "--by", "guardian")
    assert told(server, "retention", "apply", plan, "--by", "clerk")["DESTROYED"] == 1
    return made.orthanc_instance


def restored(node: Server, backup: Path) -> None:
    """Bring back files and index of an archive as they were."""
    node.stop()
    shutil.rmtree(node.folder / "storage")
    shutil.copytree(backup, node.folder / "storage")
    begun(node)


def goes_again(node: Server, picture: str, kept: str) -> None:
    """Have what came back with a backup destroyed again; until then no door of the node opens."""
    assert itself(node).instances() == {picture, kept}
    for door in (f"/instances/{picture}/file", f"/instances/{picture}/preview", f"/instances/{kept}/file"):
        assert node.ask("GET", door, "derm").status_code == 403
    found = told(node, "retention", "reconcile", "--by", "clerk")
    assert (found["destroyed"], found["remaining"], found["missing"]) == (1, 0, [])
    assert itself(node).instances() == {kept}
    assert wait_until(lambda: node.ask("GET", f"/instances/{kept}/file", "derm").status_code == 200, SECONDS)
    assert node.ask("GET", f"/instances/{picture}/file", "derm").status_code in (403, 404)


def test_what_a_restored_backup_brings_back_at_one_node_goes_again_and_the_other_is_left_alone(
    first: Archive, second: Server, tmp_path: Path
) -> None:
    server, backup = first.server, tmp_path / "backup"
    server.stop()
    shutil.copytree(server.folder / "storage", backup)
    begun(server)
    picture, kept = destroyed_at(first), first.wrapped("B").orthanc_instance
    assert itself(server).instances() == {kept}
    restored(second, backup)  # the registry says of it that the other node has destroyed its own
    goes_again(second, picture, kept)
    assert itself(server).instances() == {kept}
    assert server.ask("GET", f"/instances/{kept}/file", "derm").status_code == 200
    restored(server, backup)
    goes_again(server, picture, kept)
    for node in (server, second):
        nothing = told(node, "retention", "reconcile", "--by", "clerk")
        assert (nothing["destroyed"], nothing["missing"]) == (0, [])
        assert "The trail is whole" in node.consentgate("audit", "verify").stdout
