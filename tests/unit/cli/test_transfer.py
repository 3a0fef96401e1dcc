"""``consentgate transfer``: list, form, receipt, confirm, abandon; the export itself needs a running Orthanc."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from orthanc_plugin.cli.audit import RECORDS
from orthanc_plugin.registry import transfers
from orthanc_plugin.registry.trail import details
from tests.fakes.depositing import approved, exported, receipt, with_place, with_record
from tests.fakes.disposing import Office
from tests.unit.cli.conftest import Shell

KINDS = ("disposition transfer", "disposition decision", "disclosure's end", "disclosure")


@pytest.fixture
def bureau(shell: Shell) -> Office:
    """Give the office of a record whose bag awaits its receipt."""
    with_place(shell.world)
    bureau = with_record(shell.world)
    exported(bureau, approved(bureau))
    shell.world.clock.advance(minutes=1)
    return bureau


def one(bureau: Office, shell: Shell) -> dict[str, object]:
    (row,) = shell.json("transfer", "list")
    return dict(row)


def unlike(bureau: Office, kind: str) -> bool:
    """Tell whether rows of a kind are not as the newest words of the trail have them, as the audit compares them."""
    seal, seals = RECORDS[kind]
    with bureau.world.services.database.reading() as connection:
        said = [line for detail, _ in details(connection) for line in detail.splitlines() if line.startswith(seal)]
        newest = {line.partition(" sha256 ")[0]: line for line in said}
        return set(newest.values()) != set(seals(connection))


def test_a_receipt_goes_from_its_form_to_its_confirmation(bureau: Office, shell: Shell, tmp_path: Path) -> None:
    row, form, file = one(bureau, shell), tmp_path / "form.csv", tmp_path / "receipt.csv"
    assert row["state"] == "AWAITING_RECEIPT"
    assert shell.json("transfer", "form", str(row["plan_id"]), form)["bags"] == 1
    assert f"{row['bag']},,," in form.read_text()
    assert "isn't there" in shell.fails("transfer", "form", str(row["plan_id"]), form)
    with bureau.world.services.database.reading() as connection:
        moved = transfers.get(connection, str(row["bag"]))
    file.write_bytes(receipt(bureau, replace(moved, bag_sha256="0" * 64)))
    assert "is not that of the bag" in shell.fails("transfer", "receipt", file, "--by", "clerk")
    file.write_bytes(receipt(bureau, moved))
    digest = shell.json("transfer", "receipt", file, "--by", "clerk")["receipt_sha256"]
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "somebody else" in shell.fails("transfer", "confirm", digest, "--by", "clerk")
    assert shell.json("transfer", "confirm", digest, "--by", "guardian")["plans"] == [moved.plan_id]
    assert one(bureau, shell)["state"] == "RECEIVED"
    assert [kind for kind in KINDS if unlike(bureau, kind)] == []


def test_a_transfer_is_given_up_once_with_a_reason(bureau: Office, shell: Shell) -> None:
    bag = str(one(bureau, shell)["bag"])
    assert "with a reason" in shell.fails("transfer", "abandon", bag, "--reason", " ", "--by", "officer")
    assert shell.json("transfer", "abandon", bag, "--reason", "no answer", "--by", "officer")["state"] == "ABANDONED"
    assert "given up before" in shell.fails("transfer", "abandon", bag, "--reason", "again", "--by", "officer")
    assert "No transfer has this id" in shell.fails("transfer", "abandon", "x", "--reason", "y", "--by", "officer")


def test_a_receipt_that_is_not_there_is_told(bureau: Office, shell: Shell, tmp_path: Path) -> None:
    assert one(bureau, shell)["receipt_sha256"] == ""
    assert "can't be read" in shell.fails("transfer", "receipt", tmp_path / "none.csv", "--by", "clerk")


def test_without_a_running_archive_nothing_is_exported(bureau: Office, shell: Shell) -> None:
    plan = str(one(bureau, shell)["plan_id"])
    assert "No running Orthanc" in shell.fails("transfer", "export", plan, "--by", "clerk")


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE disposition_transfers SET state = 'RECEIVED'", "disposition transfer"),
        ("UPDATE disposition_transfers SET bag_sha256 = 'x'", "disposition transfer"),
        ("DELETE FROM disposition_transfers", "disposition transfer"),
        ("UPDATE disposition_decisions SET place = 'Elsewhere'", "disposition decision"),
    ],
)
def test_a_transfer_or_its_place_that_was_changed_is_noticed(statement: str, kind: str, bureau: Office) -> None:
    assert not unlike(bureau, kind)
    bureau.world.sql(statement)
    assert unlike(bureau, kind)
