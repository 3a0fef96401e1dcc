"""Two real Orthancs share one registry in PostgreSQL: what one is told, the other obeys at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.peers import wait_until
from demo.server import Server
from tests.fakes import commands, postgres
from tests.integration.archive import Archive, ports, started

VARIABLE = "CONSENTGATE_REGISTRY_DATABASE"


@pytest.fixture
def first(server: postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """Give a node with the journey's photographs, its registry in PostgreSQL."""
    url = server.database("template1")
    monkeypatch.setenv(VARIABLE, url)
    with started(tmp_path / "first") as running:
        yield running
    postgres.drop(url)


@pytest.fixture
def second(first: Archive, tmp_path: Path) -> Iterator[Server]:
    """Give another node, without photographs, on the same registry."""
    assert first.server.process is not None
    node = Server(folder=tmp_path / "second" / "orthanc", ports=ports(), run=commands.run)
    node.folder.parent.mkdir(parents=True)
    node.start()  # returns at once: the trail that both share says already that a node has started
    try:
        assert wait_until(lambda: answers(node), 60), node.printed()
        yield node
    finally:
        node.stop()


def answers(node: Server) -> bool:
    try:
        return node.ask("GET", "/consentgate/tasks", "governance").status_code == 200
    except httpx.TransportError:
        return False


def test_a_withdrawal_at_one_node_shuts_the_doors_of_the_other(first: Archive, second: Server) -> None:
    made = first.wrapped("A")
    file = f"/instances/{made.orthanc_instance or first.journey._orthanc_instance('A')}/file"
    assert first.server.ask("GET", file, "derm").status_code == 200
    assert not list(first.server.folder.glob("registry.db*"))
    question = json.dumps({"image": made.sop_instance_uid, "recipient": "derm"}).encode()
    asked = second.ask("POST", "/consentgate/decisions", "epr", content=question)
    assert (asked.status_code, asked.json()["decision"]) == (200, "PERMIT_IDENTIFIABLE")
    withdrawn = second.ask("POST", f"/consentgate/consents/{made.person.consent}/withdrawal", "epr", content=b"{}")
    assert withdrawn.status_code == 200, withdrawn.text
    assert first.server.ask("GET", file, "derm").status_code == 403
    assert first.journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid) != 0
    assert first.journey.at_workstation.take() == []
    for node in (first.server, second):
        verified = node.consentgate("audit", "verify")
        assert verified.returncode == 0, verified.stderr
    assert [entry["effect"] for entry in second.audit(200) if entry["subject"] == made.person.consent][
        -1
    ] == "WITHDRAWN"
