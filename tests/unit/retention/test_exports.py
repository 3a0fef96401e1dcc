"""The export of a record: killed, taken up, refused; on what is no bag nobody counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import bagit
import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError, ReleaseRefusedError
from orthanc_plugin.lifecycle import holding
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.plans import Action, Plan
from orthanc_plugin.registry.transfers import State, Transfer
from orthanc_plugin.retention import deciding, receipts
from orthanc_plugin.retention.transfer import tell
from tests.fakes.depositing import (
    approved,
    dispatch,
    exported,
    transfer_of,
    with_place,
    with_record,
)
from tests.fakes.disposing import PLACE, Office
from tests.fakes.world import World


class KilledError(BaseException):
    """The process was killed: no handler of ours runs, as far as a test can have it."""


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


@pytest.mark.parametrize("after", [1, 5, 11])
def test_an_export_that_is_killed_counts_for_nothing_and_the_next_takes_it_up(
    after: int, bureau: Office, place: Path
) -> None:
    plan, sent = approved(bureau), dispatch(bureau)

    def contents(load: object) -> Iterator[tuple[str, bytes]]:
        for number, each in enumerate(sent.contents(load), 1):  # type: ignore[arg-type]
            if number == after:
                raise KilledError
            yield each

    with pytest.raises(KilledError):
        list(replace(sent, contents=contents).run(*sent.begin(plan.plan_id)))
    assert transfer_of(bureau, plan).state is State.BEGUN
    assert list(place.iterdir()) == []
    (done,) = exported(bureau, plan)
    assert done.transfer is not None
    assert bagit.Bag(str(bag_of(place))).is_valid()
    assert exported(bureau, plan) == []


def test_a_bag_that_was_whole_when_the_process_was_killed_is_validated_and_counted_once(
    bureau: Office, place: Path
) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    moved = transfer_of(bureau, plan)
    with bureau.world.services.database.writing() as connection:
        tell(connection, bureau.act(), replace(moved, state=State.BEGUN, bag_sha256="", exported_at="", size=0))
    (done,) = exported(bureau, plan)
    assert done.transfer is not None
    assert done.transfer.bag_sha256 == moved.bag_sha256
    (next((bag_of(place) / "data" / "dicom").iterdir())).write_bytes(b"other")
    with bureau.world.services.database.writing() as connection:
        tell(connection, bureau.act(), replace(moved, state=State.BEGUN))
    with pytest.raises(ConsentgateError, match="bag can't be made"):
        exported(bureau, plan)


def test_an_object_that_is_not_the_one_that_was_accepted_is_not_exported(bureau: Office, place: Path) -> None:
    plan = approved(bureau)
    for name in bureau.world.archive.objects:
        bureau.world.archive.objects[name] += b"\0\0"
    with pytest.raises(ReleaseRefusedError):
        exported(bureau, plan)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("action", "name"), [(Action.TRANSFER, ""), (Action.TRANSFER, "Elsewhere"), (Action.DESTROY, PLACE)]
)
def test_a_transfer_is_decided_with_a_place_that_policy_names_and_nothing_else_has_one(
    action: Action, name: str, bureau: Office
) -> None:
    plan = bureau.plan()
    with (
        pytest.raises(IllegalTransitionError, match="place of deposit"),
        bureau.world.services.database.writing() as connection,
    ):
        deciding.decide(connection, bureau.act("officer"), plan.plan_id, (1,), action, "why", bureau.known, place=name)


def test_nothing_goes_to_a_place_that_policy_names_no_more(bureau: Office, place: Path) -> None:
    plan = approved(bureau)
    policy = bureau.world.folder / "policy.toml"
    policy.write_text(policy.read_text().replace(f'name = "{PLACE}"', 'name = "Another Office"'))
    bureau.world.services = replace(bureau.world.services, policy=load_policy(policy))
    (done,) = exported(bureau, plan)
    assert "no such place" in done.reason
    assert list(place.iterdir()) == []


def test_a_folder_that_is_not_mounted_takes_nothing_and_nothing_is_recorded(bureau: Office, place: Path) -> None:
    plan = approved(bureau)
    place.rmdir()
    with pytest.raises(ConsentgateError, match="isn't there"):
        exported(bureau, plan)
    with bureau.world.services.database.reading() as connection:
        assert ledger.disclosed(connection) == []


def held_meanwhile(bureau: Office, at: int) -> Callable[[object], Iterator[tuple[str, bytes]]]:
    """Return contents of a bag beside whose file number ``at`` a hold is placed."""
    sent = dispatch(bureau)

    def contents(load: object) -> Iterator[tuple[str, bytes]]:
        for number, each in enumerate(sent.contents(load), 1):  # type: ignore[arg-type]
            if number == at:
                bureau.hold()
            yield each

    return contents


@pytest.mark.parametrize("at", [1, 5, 11])
def test_a_hold_that_comes_while_the_bag_is_made_keeps_it_from_being_handed_over(
    at: int, bureau: Office, place: Path
) -> None:
    plan = approved(bureau)
    sent = replace(dispatch(bureau), contents=held_meanwhile(bureau, at))
    (done,) = sent.run(*sent.begin(plan.plan_id))
    assert (done.transfer, "HELD (LITIGATION)" in done.reason) == (None, True)
    assert list(place.iterdir()) == []
    assert transfer_of(bureau, plan).state is State.BEGUN
    (refused,) = [each for each in bureau.world.trail() if each["effect"] == "DISPOSITION_TRANSFER_REFUSED"]
    assert "HELD (LITIGATION)" in str(refused["reasons"])
    with bureau.world.services.database.reading() as connection:
        assert {row["outcome"] for row in ledger.disclosed(connection)} == {"BEGUN"}  # nobody knows who looked in


def test_once_the_hold_is_lifted_the_next_run_hands_the_bag_over(bureau: Office, place: Path) -> None:
    plan = approved(bureau)
    sent = replace(dispatch(bureau), contents=held_meanwhile(bureau, 3))
    assert [each.transfer for each in sent.run(*sent.begin(plan.plan_id))] == [None]
    bureau.world.sql("UPDATE holds SET lifted_at = placed_at, lifted_by = 'guardian'")
    (done,) = exported(bureau, plan)
    assert done.transfer is not None
    bagit.Bag(str(bag_of(place))).validate()


def cut_off(bureau: Office, plan: Plan) -> Transfer:
    """Leave what a run leaves that was killed right after its bag had its name."""
    moved = replace(transfer_of(bureau, plan), state=State.BEGUN, exported_at="", size=0, bag_sha256="")
    with bureau.world.services.database.writing() as connection:
        tell(connection, bureau.act(), moved)
    return moved


def test_a_bag_that_has_its_name_because_a_run_was_cut_off_is_gone_once_its_export_is_refused_or_given_up(
    bureau: Office, place: Path
) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    cut_off(bureau, plan)
    hold = bureau.hold()
    (done,) = exported(bureau, plan)
    assert (done.transfer, "HELD" in done.reason) == (None, True)
    assert list(place.iterdir()) == []
    with bureau.world.services.database.writing() as connection:
        holding.lift(connection, bureau.act("guardian"), hold, "the court", "settled")
    exported(bureau, plan)
    moved = cut_off(bureau, plan)
    with bureau.world.services.database.writing() as connection:
        receipts.abandon(connection, bureau.act(), moved.transfer_id, "they don't answer")
    assert list(place.iterdir()) == []


def test_a_bag_that_has_its_name_because_a_run_was_cut_off_is_put_aside_when_a_hold_has_come(
    bureau: Office, place: Path
) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    cut_off(bureau, plan)
    sent, lifted = dispatch(bureau), held_meanwhile(bureau, 1)

    def tags(load: object) -> dict[str, str]:  # after the line was decided on, before the bag is taken up
        assert [*lifted(load)]
        return sent.tags(load)  # type: ignore[arg-type]

    (done,) = replace(sent, tags=tags).run(*sent.begin(plan.plan_id))
    assert (done.transfer, "HELD (LITIGATION)" in done.reason) == (None, True)
    assert list(place.iterdir()) == []
