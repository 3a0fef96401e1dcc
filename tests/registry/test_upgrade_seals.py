"""An upgrade seals once what had no seal before; from then on the audit notices when it is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.cli.audit import _beside_the_chain
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.trail import Trail, append
from tests.registry.test_upgrade import ENTRY, row_of, tables, upgraded_to

FILLED = ("disclosures", "review_requests", "linkage_requests")
HEADS = {1: "signed"}


def old(url: str) -> Database:
    """Return a registry of schema 0009: one release ended, one didn't, and some had asked."""
    database = open_database(url)
    upgraded_to(database, "0009")
    with database.writing() as connection:
        for table in (each for each in tables(database) if each.name in FILLED):
            connection.execute(table.insert(), [row_of(table, number) for number in (1, 2, 3)])
        connection.execute(text("UPDATE disclosures SET recall = 'NONE'"))  # nobody has asked for a copy
        connection.execute(text("UPDATE disclosures SET outcome = 'BEGUN' WHERE key_destroyed = 3"))
        connection.execute(text("UPDATE disclosures SET requester = NULL WHERE key_destroyed = 2"))  # schema 0007
    return database


def change(database: Database, statement: str) -> None:
    with database.writing() as connection:
        connection.execute(text(statement))


def problem(database: Database) -> str:
    return _beside_the_chain(database, HEADS, 1)


def sealed_at_upgrade(database: Database) -> list[dict[str, object]]:
    return [entry for entry in Trail(database).tail(9) if entry["effect"] == "SEALED_AT_UPGRADE"]


def test_what_was_there_before_an_upgrade_is_sealed_once_and_whole(bare: str) -> None:
    database = old(bare)
    for _ in range(2):
        schema.upgrade(database)
        assert problem(database) == ""
    (entry,) = sealed_at_upgrade(database)
    assert (entry["actor"], entry["door"]) == ("consentgate", "consentgate db upgrade")
    assert len(str(entry["detail"]).splitlines()) == 2 + 3 + 3
    database.close()


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE disclosures SET outcome = 'FAILED' WHERE key_destroyed = 1", "disclosure's end"),
        ("UPDATE disclosures SET outcome = 'FAILED' WHERE key_destroyed = 2", "disclosure's end"),
        ("UPDATE disclosures SET outcome = 'FAILED' WHERE key_destroyed = 3", "disclosure's end"),
        ("UPDATE disclosures SET outcome = 'BEGUN' WHERE key_destroyed = 1", "disclosure's end"),
        ("UPDATE disclosures SET kind = 'COPY' WHERE key_destroyed = 1", "disclosure's mark"),
        ("UPDATE disclosures SET key_destroyed = 0 WHERE key_destroyed = 2", "disclosure's mark"),
        ("UPDATE review_requests SET profile = 'other' WHERE requester LIKE '1%'", "review request"),
        ("DELETE FROM review_requests WHERE requester LIKE '1%'", "review request"),
        ("DELETE FROM linkage_requests WHERE name LIKE '1%'", "linkage refusal"),
        ("INSERT INTO linkage_requests VALUES ('forged', 'a')", "linkage refusal"),
    ],
)
def test_a_change_after_the_upgrade_is_noticed_and_another_upgrade_does_not_hide_it(
    statement: str, kind: str, bare: str
) -> None:
    database = old(bare)
    schema.upgrade(database)
    change(database, statement)
    schema.upgrade(database)
    assert problem(database) == f"1 {kind} record(s) are not as the trail has them"
    database.close()


@pytest.mark.parametrize(
    "earlier",
    [
        replace(ENTRY, effect="SEALED_AT_UPGRADE"),
        replace(ENTRY, detail="disclosure end x sha256 y"),
        replace(ENTRY, detail="something\nlinkage refusal x sha256 y"),
    ],
)
def test_a_registry_that_was_set_back_behind_its_trail_is_not_sealed_again(earlier: AuditEvent, bare: str) -> None:
    database = old(bare)
    with database.writing() as connection:
        append(connection, [earlier])
    before = len(sealed_at_upgrade(database))
    schema.upgrade(database)
    assert len(sealed_at_upgrade(database)) == before
    assert "not as the trail has them" in problem(database)
    database.close()


def test_an_upgrade_that_breaks_off_seals_nothing_and_can_be_done_again(bare: str) -> None:
    database = old(bare)
    change(database, "CREATE TABLE recalls (in_the_way INTEGER)")
    with pytest.raises(RegistryError):
        schema.upgrade(database)
    assert (schema.version(database), Trail(database).tail(9)) == ("0009", [])
    change(database, "DROP TABLE recalls")
    schema.upgrade(database)
    assert (len(sealed_at_upgrade(database)), problem(database)) == (1, "")
    database.close()
