"""``consentgate audit tail | verify`` and ``consentgate explain``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orthanc_plugin.audit.checkpoint import CheckpointError
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.registry import consents
from tests.fakes.pictures import CARE, CONSENT_ID, UID
from tests.unit.cli.conftest import Shell


@pytest.fixture
def written(shell: Shell) -> Shell:
    """Give a trail with an import, two decisions, the second after who asked, the consent's seal and a signed head."""
    shell.world.file(CARE)
    for name in ("derm", "teacher"):
        shell.world.services.gate.authorize(shell.world.request(name))
    with shell.world.services.database.reading() as connection:
        (seal,) = consents.seals(connection)
    services = shell.world.services
    event = AuditEvent(
        id=services.ids(),
        at=services.clock(),
        event=EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        outcome=Outcome.SUCCESS,
        actor="nurse",
        door="consentgate consent",
        detail=seal,
    )
    assert services.gate.note(event)
    services.sign_head()
    return shell


def copied(shell: Shell, old: bytes = b"", new: bytes = b"") -> str:
    """Copy the registry's file, with some bytes replaced, and return its address."""
    shell.world.services.database.close()
    content = shell.world.database_file.read_bytes()
    if old:
        assert content.count(old) == 1
        assert len(old) == len(new)
    path: Path = shell.world.folder / "copy.db"
    path.write_bytes(content.replace(old, new) if old else content)
    return f"sqlite:///{path}"


def test_the_newest_entries_are_shown_oldest_first(written: Shell) -> None:
    entries = written.json("audit", "tail")
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry["actor"] for entry in written.json("audit", "tail", "-n", "1")] == ["nurse"]
    assert len(written("audit", "tail", "-n", "2").stdout.splitlines()) == 3


def test_an_empty_trail_is_said_to_be_empty_and_is_whole(shell: Shell) -> None:
    assert shell("audit", "tail").stderr == "The trail is empty.\n"
    assert shell("audit", "verify").stdout == "The trail is whole: 0 entries hold, 0 signed heads are met.\n"


def test_a_whole_trail_is_proven_whole(written: Shell) -> None:
    result = written("audit", "verify")
    assert (result.exit_code, result.stdout) == (0, "The trail is whole: 5 entries hold, 1 signed heads are met.\n")
    answer = written.json("audit", "verify")
    assert (answer["whole"], answer["entries"], answer["signed_heads"], answer["broken_at"]) == (True, 5, 1, None)


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE trail SET body = replace(body, 'derm', 'dern') WHERE seq = 2", 2),
        ("UPDATE trail SET event_id = 'x' WHERE seq = 3", 3),
        ("UPDATE trail SET previous = digest WHERE seq = 1", 1),
        ("DELETE FROM trail WHERE seq = 1", 1),
        ("DELETE FROM trail WHERE seq = 2", 2),
        ("DELETE FROM trail WHERE seq = 3", 3),
        ("DELETE FROM trail", 1),
    ],
)
def test_a_broken_trail_is_named_at_the_entry_and_ends_in_one(statement: str, broken_at: int, written: Shell) -> None:
    written.world.sql(statement)
    answer = written.json("audit", "verify", code=1)
    assert (answer["whole"], answer["broken_at"], answer["entries"]) == (False, broken_at, broken_at - 1)
    result = written("audit", "verify")
    assert result.exit_code == 1
    assert result.stdout.startswith("The trail is broken: ")


def test_a_consent_that_was_changed_or_removed_is_noticed(written: Shell) -> None:
    written.world.sql("DELETE FROM consents")
    answer = written.json("audit", "verify", code=1)
    assert "consent record(s) are not as the trail has them" in str(answer["problem"])


def test_a_trail_without_any_signed_head_is_not_called_whole(written: Shell) -> None:
    written.world.services.heads.path.unlink()
    answer = written.json("audit", "verify", code=1)
    assert "no signed head" in str(answer["problem"])


def test_a_copy_of_the_heads_kept_elsewhere_finds_a_forged_trail(written: Shell) -> None:
    kept = written.put("kept.heads", written.world.services.heads.path.read_text())
    written.world.services.heads.path.unlink()
    written.world.sql("DELETE FROM trail WHERE seq > 1")
    written.world.services.sign_head()
    answer = written.json("audit", "verify", "--checkpoints", str(kept), code=1)
    assert "entries were cut off" in str(answer["problem"])


def test_nothing_more_is_signed_once_the_past_was_changed(written: Shell) -> None:
    written.world.sql("UPDATE trail SET digest = 'forged' WHERE seq = 5")
    with pytest.raises(CheckpointError):
        written.world.services.sign_head()


def test_one_byte_changed_in_a_copy_of_the_file_is_named(written: Shell) -> None:
    assert written("audit", "verify", "--database", copied(written)).exit_code == 0
    address = copied(written, b"COPY_ASKED_FOR", b"COPY_ASKED_FOX")
    result = written("audit", "verify", "--database", address)
    assert result.exit_code == 1
    assert "entry 3 was changed after it was written. 2 entries before it hold." in result.stdout
    assert written("audit", "verify").exit_code == 0


def test_a_copy_that_is_no_database_is_told(written: Shell) -> None:
    path = written.put("copy.db", "no database at all" * 100)
    assert "registry can't be read" in written.fails("audit", "verify", "--database", f"sqlite:///{path}")


@pytest.mark.parametrize(("old", "new"), [('"seq": 5', '"seq": 2'), ('"signature": "', '"signature": "00'), ("{", "")])
def test_a_forged_head_is_told_as_tampering(old: str, new: str, written: Shell) -> None:
    heads = written.world.services.heads.path
    heads.write_text(heads.read_text().replace(old, new, 1))
    assert "Treat the trail as tampered with" in written.fails("audit", "verify")


def test_a_decision_is_explained_in_words(written: Shell) -> None:
    _, permitted, _, refused, _ = written.world.trail()
    said = written("explain", str(permitted["id"])).stdout
    assert f"derm asked by test for image {UID}, for DIRECT_CARE." in said
    assert "Answer: PERMIT_IDENTIFIABLE." in said
    assert f"Consents that counted: {CONSENT_ID}" in said
    assert "Doe" not in said
    denied = written("explain", str(refused["id"])).stdout
    assert "Reason: " in denied
    assert "Rules that spoke: " in denied
    assert json.loads(written("explain", str(refused["id"]), "--json").stdout) == refused


def test_an_unknown_decision_is_told(written: Shell) -> None:
    assert "consentgate audit tail" in written.fails("explain", "nothing")


def test_every_entry_can_be_explained(written: Shell) -> None:
    written.world.services.gate.close("a test")
    written.world.services.gate.authorize(written.world.request())
    written.world.services.gate.refuse(written.world.requester(), "door", "reason", rule="RULE")
    for entry in written.world.trail():
        assert written("explain", str(entry["id"])).exit_code == 0
