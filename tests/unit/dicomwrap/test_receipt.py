"""No file is deleted without a receipt on the disk that is for its very bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomwrap.durable import Disk, digest
from dicomwrap.errors import PeerError, ReceiptError
from dicomwrap.receipt import Receipt, delete, keep, read_receipt, text_of
from dicomwrap.sending.commitment import Committed
from dicomwrap.sending.delivery import Outcome, Route, State, Terms, deliver
from dicomwrap.sending.node import Node
from dicomwrap.sending.storescu import Stored
from tests.unit.dicomwrap.sendable import NOW, photographic

DISK = Disk()
NODE = Node(aet="ARCHIVE", host="pacs.example", port=104)


class FullDisk(Disk):
    """Nothing new can be written."""

    def put_new(self, path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")


class LosingDisk(Disk):
    """Says that it wrote, and didn't."""

    def put_new(self, path: Path, data: bytes) -> None:
        path.write_bytes(data[:-20])


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def receipt(**changes: object) -> Receipt:
    found = Receipt(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.77.1.4",
        sop_instance_uid="2.25.1",
        sha256="ab" * 32,
        size=1234,
        transaction_uid="2.25.2",
        peer_aet="ARCHIVE",
        peer_host="pacs.example",
        peer_port=104,
        sent_by="C-STORE ARCHIVE@pacs.example:104",
        sent_at=NOW,
        committed_at=datetime(2026, 11, 22, 9, 31, tzinfo=UTC),
        version="1.0",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


@given(st.builds(Receipt, **{name: st.text() for name in ("sop_class_uid", "sop_instance_uid", "sha256", "version")}))
@settings(deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, made: Receipt) -> None:
    path = tmp_path_factory.mktemp("receipt") / "r.json"
    path.write_text(text_of(made), encoding="utf-8")
    assert read_receipt(path) == made


BROKEN = (
    b"", b"{", b"[]", b"null", b'{"schema": 1}', b"\xff\xfe", b"[" * 100_000,
    text_of(receipt()).replace('"schema": 1', '"schema": 2').encode(),
    text_of(receipt()).replace('"size": 1234', '"size": "1234"').encode(),
    text_of(receipt()).replace("2026-11-22T09:30", "yesterday").encode(),
    text_of(receipt()).replace('"version"', '"versions"').encode(),
    text_of(receipt())[:-20].encode(),
)  # fmt: skip


@pytest.mark.parametrize("data", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_receipt_is_taken_for_none_and_nothing_is_deleted(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.json").write_bytes(data)
    file = tmp_path / "a.dcm"
    file.write_bytes(b"object")
    assert read_receipt(tmp_path / "r.json") is None
    with pytest.raises(ReceiptError):
        delete(file, tmp_path / "r.json", DISK)
    assert file.exists()


def test_a_receipt_stands_beside_its_file_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = keep(receipt(), tmp_path / "a.dcm", None, DISK)
    assert path == tmp_path / "a.dcm.receipt.json"
    assert read_receipt(path) == receipt()
    assert (path.stat().st_mode & 0o777, names(tmp_path)) == (0o600, ["a.dcm.receipt.json"])


def test_the_same_receipt_stays_and_a_different_one_takes_another_name(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.dcm", tmp_path / "deep" / "receipts"
    first = keep(receipt(), file, folder, DISK)
    again = keep(receipt(transaction_uid="2.25.99"), file, folder, DISK)
    other_archive = keep(receipt(peer_aet="SECOND"), file, folder, DISK)
    other_object = keep(receipt(sop_instance_uid="2.25.7", sha256="cd" * 32), file, folder, DISK)
    assert first == again
    assert [path.name for path in (first, other_archive, other_object)] == [
        "a.dcm.receipt.json", "a.dcm-2.receipt.json", "a.dcm-3.receipt.json",
    ]  # fmt: skip
    assert json.loads(first.read_text())["transaction_uid"] == "2.25.2"


def test_other_content_under_a_uid_that_was_committed_gets_no_receipt(tmp_path: Path) -> None:
    keep(receipt(), tmp_path / "a.dcm", None, DISK)
    with pytest.raises(ReceiptError, match="other content"):
        keep(receipt(sha256="cd" * 32), tmp_path / "a.dcm", None, DISK)
    assert names(tmp_path) == ["a.dcm.receipt.json"]


def test_a_file_goes_only_while_its_bytes_are_those_of_the_receipt(tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(b"object")
    path = keep(receipt(sha256=digest(file)[0]), file, None, DISK)
    file.write_bytes(b"object, edited")
    assert (delete(file, path, DISK), file.exists()) == (False, True)
    file.write_bytes(b"object")
    assert (delete(file, path, DISK), file.exists()) == (True, False)


def test_a_link_is_never_deleted(tmp_path: Path) -> None:
    file, link = tmp_path / "a.dcm", tmp_path / "link.dcm"
    file.write_bytes(b"object")
    link.symlink_to(file)
    path = keep(receipt(sha256=digest(file)[0]), file, None, DISK)
    assert delete(link, path, DISK) is False
    assert (link.is_symlink(), file.exists()) == (True, True)


def sent(file: Path, **changes: object) -> Outcome:
    """Deliver a file to an archive that takes everything and vouches for it."""

    def commit(parcels: object) -> Committed:
        return Committed(transaction_uid="2.25.5", uids=frozenset({"2.25.1"}), reasons={})

    route = Route(
        store=lambda parcels: tuple(Stored(parcel=each, stored=True, status=0) for each in parcels),
        commit=commit,
        voucher=NODE,
        sent_by="C-STORE",
    )
    kept = {name: changes.pop(name) for name in ("store", "commit") if name in changes}
    terms = Terms(moment=lambda: NOW, version="1.0", delete_source=True)
    route, terms = replace(route, **kept), replace(terms, **changes)  # type: ignore[arg-type]
    (outcome,) = deliver([file], route, terms)
    return outcome


def test_a_committed_file_is_deleted_after_its_receipt(tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")
    sha256, size = digest(file)
    outcome = sent(file)
    assert (outcome.state, outcome.deleted, file.exists()) == (State.COMMITTED, True, False)
    assert outcome.receipt is not None
    found = read_receipt(outcome.receipt)
    assert found is not None
    assert (found.sha256, found.size, found.transaction_uid) == (sha256, size, "2.25.5")
    assert (found.sent_at, found.committed_at) == (NOW, NOW)


@pytest.mark.parametrize("disk", [FullDisk(), LosingDisk()], ids=["full", "losing"])
def test_without_a_receipt_on_the_disk_the_file_stays(tmp_path: Path, disk: Disk) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")
    outcome = sent(file, disk=disk)
    assert (outcome.deleted, file.exists(), bool(outcome.reason)) == (False, True, True)


def test_a_folder_for_receipts_that_is_a_file_keeps_the_file(tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")
    (tmp_path / "receipts").write_text("in the way")
    outcome = sent(file, receipts=tmp_path / "receipts")
    assert (outcome.state, outcome.receipt, file.exists()) == (State.NOT_COMMITTED, None, True)
    assert "receipt can't be written" in outcome.reason


def test_a_file_that_changes_under_way_gets_no_receipt_and_stays(tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")

    def commit(parcels: object) -> Committed:
        file.write_bytes(file.read_bytes() + b"\0")
        return Committed(transaction_uid="2.25.5", uids=frozenset({"2.25.1"}), reasons={})

    outcome = sent(file, commit=commit)
    assert (outcome.state, outcome.receipt, file.exists()) == (State.NOT_COMMITTED, None, True)
    assert "changed while it was sent" in outcome.reason


def test_a_file_that_vanishes_under_way_gets_no_receipt(tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")

    def commit(parcels: object) -> Committed:
        file.unlink()
        return Committed(transaction_uid="2.25.5", uids=frozenset({"2.25.1"}), reasons={})

    outcome = sent(file, commit=commit)
    assert (outcome.state, outcome.receipt, names(tmp_path)) == (State.NOT_COMMITTED, None, [])


@pytest.mark.parametrize("where", ["store", "commit"])
def test_an_archive_out_of_reach_keeps_the_file(tmp_path: Path, where: str) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")

    def unreachable(parcels: object) -> tuple[Stored, ...]:
        raise PeerError("it is down")

    outcome = sent(file, **{where: unreachable})
    expected = State.NOT_STORED if where == "store" else State.NOT_COMMITTED
    assert (outcome.state, outcome.receipt, file.exists()) == (expected, None, True)
    assert "it is down" in outcome.reason
