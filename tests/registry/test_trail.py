"""The trail in the registry: one chain, whoever writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.errors import ConsentgateError, RegistryError, UnknownRecordError
from tests.fakes.world import START, World

WRITER = """
import sys
from datetime import UTC, datetime
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.trail import Trail
trail = Trail(open_database(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    trail.append(AuditEvent(id=f"{sys.argv[2]}-{number}", at=datetime(2026, 1, 1, tzinfo=UTC), actor=sys.argv[2],
        event=EventType.QUERY, outcome=Outcome.SUCCESS, door="test"))
"""
ROOT = Path(__file__).resolve().parents[2]


def event(name: str = "e") -> AuditEvent:
    return AuditEvent(
        id=name, at=START, event=EventType.QUERY, outcome=Outcome.SUCCESS, actor="someone", door="somewhere"
    )


def test_an_empty_trail_is_whole_and_has_no_head(world: World) -> None:
    assert verify(world.services.trail.entries()).whole
    assert (world.services.trail.head(), world.services.trail.tail(5)) == (None, [])


def test_entries_are_numbered_from_one_and_found_by_their_id(world: World) -> None:
    world.services.trail.append(event("a"), event("b"))
    world.services.trail.append(event("c"))
    assert [entry.seq for entry in world.services.trail.entries()] == [1, 2, 3]
    assert [entry["id"] for entry in world.services.trail.tail(2)] == ["b", "c"]
    assert world.services.trail.find("b")["seq"] == 2
    with pytest.raises(UnknownRecordError):
        world.services.trail.find("z")


def test_two_processes_write_one_chain(world: World) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, world.url, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("left", "right")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [(writer.communicate(timeout=60)[1], writer.returncode) for writer in writers] == [("", 0), ("", 0)]
    found = verify(world.services.trail.entries())
    assert (found.whole, found.entries) == (True, 100)
    written = [str(entry["id"]) for entry in world.trail()]
    for name in ("left", "right"):
        assert [each for each in written if each.startswith(name)] == [f"{name}-{number}" for number in range(50)]


def test_a_transaction_that_fails_leaves_no_entry(world: World) -> None:
    world.services.trail.append(event("a"))
    world.stop_the_trail()
    with pytest.raises(RegistryError):
        world.services.trail.append(event("b"), event("c"))
    assert [entry["id"] for entry in world.trail()] == ["a"]


def test_a_head_is_signed_once_and_demanded_ever_after(world: World) -> None:
    world.services.trail.append(event("a"), event("b"))
    world.services.sign_head()
    world.services.sign_head()
    assert list(world.services.heads.signed()) == [2]
    assert len(world.services.heads.path.read_text().splitlines()) == 1
    assert world.services.heads.path.stat().st_mode & 0o777 == 0o600
    world.sql("DELETE FROM trail WHERE seq = 2")
    found = verify(world.services.trail.entries(), world.services.heads.signed())
    assert (found.whole, found.broken_at) == (False, 2)


def test_nothing_is_signed_in_an_empty_trail(world: World) -> None:
    world.services.sign_head()
    assert not world.services.heads.path.exists()


def test_heads_that_can_t_be_written_or_read_are_told(world: World) -> None:
    world.services.trail.append(event())
    world.services.heads.path.mkdir()
    with pytest.raises(RegistryError):
        world.services.sign_head()


def test_a_forged_head_is_found(world: World) -> None:
    world.services.trail.append(event("a"))
    world.services.sign_head()
    path = world.services.heads.path
    path.write_text(path.read_text().replace('"seq": 1', '"seq": 2'))
    with pytest.raises(ConsentgateError, match="Line 1"):
        world.services.heads.signed()
