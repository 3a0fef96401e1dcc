"""An archive that says that it changed what it stored: nothing is deleted, though it vouches for the UID."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dicomwrap.cli.watching import Courier
from dicomwrap.errors import ArchiveRefusedError
from dicomwrap.outbox import Task, Uids
from dicomwrap.sending.commitment import Committed
from dicomwrap.sending.delivery import Route, State, Terms, deliver
from dicomwrap.sending.node import Node
from dicomwrap.sending.parcel import Parcel
from dicomwrap.sending.storescu import Stored
from tests.unit.dicomwrap.sendable import NOW, photographic

NOT_WHOLE = (0xB006, 0xB007)
HARMLESS = (0x0000, 0xB000)


def route(status: int) -> Route:
    def store(parcels: Sequence[Parcel]) -> tuple[Stored, ...]:
        return tuple(Stored(parcel=each, stored=True, status=status, reason="said so") for each in parcels)

    def commit(parcels: Sequence[Parcel]) -> Committed:
        uids = frozenset(each.sop_instance_uid for each in parcels)
        return Committed(transaction_uid="2.25.9", uids=uids, reasons={})

    return Route(store=store, commit=commit, voucher=Node(aet="A", host="h", port=104), sent_by="C-STORE A@h:104")


@pytest.mark.parametrize("status", NOT_WHOLE, ids=hex)
def test_what_was_stored_otherwise_is_kept_and_told(status: int, tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")
    (told,) = deliver([file], route(status), Terms(moment=lambda: NOW, version="test", delete_source=True))
    assert (told.state, told.deleted, told.receipt, file.exists()) == (State.NOT_COMMITTED, False, None, True)
    assert "as it was sent" in told.reason
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


@pytest.mark.parametrize("status", HARMLESS, ids=hex)
def test_what_was_stored_as_it_is_or_with_coerced_names_is_deleted(status: int, tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")
    (told,) = deliver([file], route(status), Terms(moment=lambda: NOW, version="test", delete_source=True))
    assert (told.state, told.deleted, file.exists()) == (State.COMMITTED, True, False)


@pytest.mark.parametrize("status", NOT_WHOLE, ids=hex)
def test_a_watch_takes_it_for_refused(status: int, tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")
    uids = Uids(study_instance_uid="2.25.3", series_instance_uid="2.25.2", sop_instance_uid="2.25.1")
    task = Task(sha256="0" * 64, name="a.jpg", number=1, uids=uids, at=NOW, details={})
    courier = Courier(replace(route(status)), Terms(moment=lambda: NOW, version="test"))
    with pytest.raises(ArchiveRefusedError, match="as it was sent"):
        courier.store(file, task)
