"""A record that goes to a place of deposit: in a bag that is whole, and destroyed here only after its receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import bagit
import pytest

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import ledger, plans, recalls, transfers
from orthanc_plugin.registry.disposals import State as Settled
from orthanc_plugin.retention import receipts
from tests.fakes.depositing import (
    SECOND,
    approved,
    confirmed,
    dispatch,
    entered,
    exported,
    receipt,
    received,
    transfer_of,
    with_place,
    with_record,
)
from tests.fakes.disposing import LONG_AGO, PLACE, Office
from tests.fakes.pictures import UID
from tests.fakes.world import World


@pytest.fixture
def place(world: World) -> Path:
    return with_place(world)


@pytest.fixture
def bureau(world: World, place: Path) -> Office:
    assert place.is_dir()
    return with_record(world)


def bag_of(place: Path) -> Path:
    (found,) = (each for each in place.iterdir() if not each.name.startswith("."))
    return found


def test_the_bag_has_the_objects_bit_for_bit_the_photographs_and_the_whole_history(bureau: Office, place: Path) -> None:
    plan = approved(bureau)
    stored = sorted(bureau.world.archive.objects.values())
    (done,) = exported(bureau, plan)
    bag = bag_of(place)
    assert done.transfer is not None
    assert bag.name == done.transfer.bag
    bagit.Bag(str(bag)).validate()
    data = bag / "data"
    assert sorted(each.read_bytes() for each in (data / "dicom").iterdir()) == stored
    assert {each.suffix for each in (data / "photographs").iterdir()} == {".jpg"}
    assert {"manifest-sha256.txt", "manifest-sha512.txt", "tagmanifest-sha256.txt"} <= {x.name for x in bag.iterdir()}
    assert len(json.loads((data / "consents.json").read_text())) == 1
    retention = json.loads((data / "retention.json").read_text())
    assert retention["line"]["rule"] == "ADULT_GENERAL"
    assert retention["decision"]["place"] == PLACE
    header = json.loads((data / "metadata" / f"{UID}.json").read_text())
    assert header["7FE00010"]["BulkDataURI"] == f"../dicom/{UID}.dcm"
    assert any(each["subject"] == UID for each in json.loads((data / "trail.json").read_text()))
    assert SECOND in (data / "disclosures.csv").read_text()
    manifest = (bag / "tagmanifest-sha256.txt").read_bytes()
    assert done.transfer.bag_sha256 == hashlib.sha256(manifest).hexdigest()


def test_the_tags_of_a_bag_name_no_patient(bureau: Office, place: Path) -> None:
    exported(bureau, approved(bureau))
    tags = (bag_of(place) / "bag-info.txt").read_text()
    (who,) = {row.patient_id for row in bureau.world.rows()}
    assert who not in tags


def test_nothing_leaves_while_the_plan_cools_off(world: World) -> None:
    with_place(world, cooling_off=30)
    bureau = with_record(world)
    plan = approved(bureau)
    with pytest.raises(IllegalTransitionError, match="cools off"):
        exported(bureau, plan)
    bureau.pass_days(31)
    bureau.tell()
    (done,) = exported(bureau, plan)
    assert done.transfer is not None


def test_the_disclosure_is_on_record_before_the_first_byte_leaves(bureau: Office, place: Path) -> None:
    plan, sent = approved(bureau), dispatch(bureau)

    def contents(load: object) -> Iterator[tuple[str, bytes]]:
        with bureau.world.services.database.reading() as connection:
            told = ledger.disclosed(connection)
        assert {(row["recipient"], row["purpose"], row["outcome"]) for row in told} == {
            (PLACE, "RECORDS_MANAGEMENT", "BEGUN")
        }
        assert not any(place.glob("*/*"))
        yield from sent.contents(load)  # type: ignore[arg-type]

    (done,) = list(replace(sent, contents=contents).run(*sent.begin(plan.plan_id)))
    assert done.transfer is not None


def test_nothing_is_destroyed_before_a_receipt_whatever_is_run(bureau: Office) -> None:
    plan = approved(bureau)
    with pytest.raises(IllegalTransitionError, match="place of deposit"):
        bureau.execute(plan)
    exported(bureau, plan)
    entered(bureau, receipt(bureau, transfer_of(bureau, plan)))
    with pytest.raises(IllegalTransitionError, match="no receipt"):
        bureau.execute(plan)
    assert len(bureau.world.archive.objects) == 2


def test_after_its_receipt_the_source_is_destroyed_and_the_certificate_says_where_it_went(
    bureau: Office, place: Path
) -> None:
    plan = approved(bureau)
    moved = received(bureau, plan)
    (outcome,), certificate = bureau.execute(plan)
    assert outcome.state is Settled.DESTROYED
    assert bureau.world.archive.objects == {}
    (record,) = json.loads(certificate.text)["records"]
    assert record["method"].startswith(f"transferred to {PLACE} as {moved.bag}, receipt SHA-256 {moved.receipt_sha256}")
    assert bagit.Bag(str(bag_of(place))).is_valid()


def test_the_place_keeps_its_copy_it_is_not_asked_to_destroy_it(bureau: Office) -> None:
    plan = approved(bureau)
    received(bureau, plan)
    bureau.execute(plan)
    with bureau.world.services.database.reading() as connection:
        assert recalls.listed(connection) == []
        assert {row["outcome"] for row in ledger.disclosed(connection)} == {"DELIVERED"}


def test_a_receipt_that_comes_after_the_approval_has_lapsed_still_counts_and_for_nothing_else(bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    bureau.pass_days(60)
    bureau.tell()
    content = receipt(bureau, transfer_of(bureau, plan))
    entered(bureau, content)
    with pytest.raises(IllegalTransitionError, match="lapsed"):
        bureau.execute(plan)
    confirmed(bureau, content)
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is Settled.DESTROYED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Office.hold, "HELD (LITIGATION)"),
        (lambda bureau: bureau.tell(replace(LONG_AGO, last_contact=date(2026, 12, 1))), "RETAIN"),
        (lambda bureau: bureau.world.withdraw(), "has changed"),
    ],
    ids=["a hold", "seen again", "withdrawn"],
)
def test_what_happens_between_export_and_receipt_keeps_the_source(
    change: Callable[[Office], object], words: str, bureau: Office
) -> None:
    plan = approved(bureau)
    received(bureau, plan)
    change(bureau)
    (outcome,), _ = bureau.execute(plan)
    assert (outcome.state, words in outcome.reason) == (Settled.DROPPED, True)
    assert len(bureau.world.archive.objects) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Office.hold, "HELD (LITIGATION)"),
        (lambda bureau: bureau.world.sql("UPDATE images SET status = 'RESTRICTED'"), "has changed"),
    ],
    ids=["a hold", "restricted"],
)
def test_what_happens_before_the_export_keeps_everything_here(
    change: Callable[[Office], object], words: str, bureau: Office, place: Path
) -> None:
    plan = approved(bureau)
    change(bureau)
    (done,) = exported(bureau, plan)
    assert (done.transfer, words in done.reason) == (None, True)
    assert list(place.iterdir()) == []
    with bureau.world.services.database.reading() as connection:
        assert ledger.disclosed(connection) == []


def test_a_record_with_a_restricted_picture_goes_nowhere_though_it_was_approved(bureau: Office, place: Path) -> None:
    bureau.world.sql("UPDATE images SET status = 'RESTRICTED'")
    (done,) = exported(bureau, approved(bureau))
    assert "restricted" in done.reason
    assert list(place.iterdir()) == []


def test_a_record_that_is_on_its_way_is_not_proposed_again_until_it_is_given_up(bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    assert bureau.plan().lines == 0
    with bureau.world.services.database.writing() as connection:
        receipts.abandon(connection, bureau.act("officer"), transfer_of(bureau, plan).bag, "they don't answer")
    bureau.world.clock.advance(hours=1)
    assert bureau.plan().lines == 1
    with bureau.world.services.database.reading() as connection:
        (line,) = plans.lines_of(connection, bureau.plan().plan_id)
    assert "COPIES_OUTSIDE: 2" in line.flags


def test_every_state_of_a_transfer_is_sealed_in_the_trail(bureau: Office) -> None:
    plan = approved(bureau)
    received(bureau, plan)
    with bureau.world.services.database.reading() as connection:
        (seal,) = transfers.seals(connection)
    said = "\n".join(str(each["detail"]) for each in bureau.world.services.trail.tail(10))
    assert seal in said
    assert {row.status for row in bureau.world.rows()} == {ImageStatus.ACTIVE}
