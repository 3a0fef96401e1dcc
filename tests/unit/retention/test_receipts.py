"""Receipts of a place of deposit: what must be in one, who enters it, and who else confirms it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.registry.transfers import State
from orthanc_plugin.retention import receipts
from orthanc_plugin.retention.acting import NotAllowedError
from orthanc_plugin.retention.receipts import ReceiptError
from tests.fakes.depositing import (
    approved,
    confirmed,
    entered,
    exported,
    receipt,
    transfer_of,
    with_place,
    with_record,
)
from tests.fakes.disposing import Office
from tests.fakes.world import World


@pytest.fixture
def bureau(world: World) -> Office:
    with_place(world)
    return with_record(world)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"sha256": "0" * 64}, "not that of the bag"),
        ({"signed": "Somebody Else"}, "doesn't let this person sign"),
        ({"day": "2020-01-01"}, "on that day"),
        ({"day": "2099-01-01"}, "on that day"),
        ({"day": "yesterday"}, "no day"),
    ],
    ids=["a wrong digest", "a stranger", "before the export", "to come", "no day"],
)
def test_a_receipt_that_does_not_hold_is_refused_whole(fault: dict[str, str], words: str, bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    with pytest.raises(ReceiptError) as refused:
        entered(bureau, receipt(bureau, transfer_of(bureau, plan), **fault))
    assert words in str(refused.value)
    assert transfer_of(bureau, plan).state is State.AWAITING_RECEIPT


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"bag\nx\n", b"x" * (receipts.LARGEST + 1), b"a,b\n1,2,3\n"], ids=range(5)
)
def test_what_is_no_receipt_is_refused_with_what_it_should_have(content: bytes) -> None:
    with pytest.raises(ReceiptError, match="receipt"):
        receipts.read(content)


def test_a_receipt_of_a_bag_that_was_never_exported_is_refused(bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    moved = replace(transfer_of(bureau, plan), transfer_id="another")
    with pytest.raises(ReceiptError, match="no such bag"):
        entered(bureau, receipt(bureau, moved))


@pytest.mark.parametrize("by", ["clerk-admin", "stranger"])
def test_whoever_exported_or_entered_does_not_confirm(by: str, bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    content = receipt(bureau, transfer_of(bureau, plan))
    entered(bureau, content)
    with pytest.raises(NotAllowedError):
        confirmed(bureau, content, by)
    assert transfer_of(bureau, plan).state is State.RECEIPT_ENTERED


def test_only_a_receipt_in_hand_is_confirmed(bureau: Office) -> None:
    with pytest.raises(IllegalTransitionError, match="digest"):
        confirmed(bureau, b"another")
