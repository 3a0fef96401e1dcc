"""Ways to have a source destroyed without a receipt that two people have seen: none of them does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orthanc_plugin.archive import bags
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError
from orthanc_plugin.policy.eventmodel import GIVEN_UP
from orthanc_plugin.registry import ledger, plans
from orthanc_plugin.registry.disposals import State as Settled
from orthanc_plugin.registry.plans import Plan
from orthanc_plugin.registry.transfers import State
from orthanc_plugin.retention import receipts
from orthanc_plugin.retention.acting import NotAllowedError
from orthanc_plugin.retention.transfer import tell
from tests.fakes.depositing import (
    SIGNATORY,
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
from tests.fakes.disposing import Office
from tests.fakes.world import World

ACCOUNTS = 'accounts = ["clerk", "clerk-admin"]'


@pytest.fixture
def place(world: World) -> Path:
    return with_place(world)


@pytest.fixture
def bureau(world: World, place: Path) -> Office:
    assert place.is_dir()
    return with_record(world)


def policy_says(bureau: Office, *changes: tuple[str, str]) -> None:
    """Put another policy in force."""
    file = bureau.world.folder / "policy.toml"
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    bureau.world.services = replace(bureau.world.services, policy=load_policy(file))


def give_up(bureau: Office, plan: Plan) -> None:
    with bureau.world.services.database.writing() as connection:
        receipts.abandon(connection, bureau.act("officer"), transfer_of(bureau, plan).bag, "they don't answer")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE disposition_transfers SET state = 'RECEIVED'",
        "UPDATE disposition_transfers SET state = 'RECEIVED', entered_by = 'clerk', confirmed_by = 'guardian'",
    ],
)
def test_a_receipt_that_only_a_row_tells_of_destroys_nothing(statement: str, bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    bureau.world.sql(statement)
    with pytest.raises(IllegalTransitionError, match="trail doesn't tell the same"):
        bureau.execute(plan)
    assert len(bureau.world.archive.objects) == 2


def test_what_is_given_up_after_the_execution_has_begun_is_not_destroyed(bureau: Office) -> None:
    plan = approved(bureau)
    received(bureau, plan)
    execution = bureau.execution()
    order, due = execution.begin(plan.plan_id)
    give_up(bureau, plan)
    (outcome,) = execution.run(order, due)
    assert (outcome.state, "no confirmed receipt" in outcome.reason) == (Settled.DROPPED, True)
    assert len(bureau.world.archive.objects) == 2


def test_one_person_who_was_taken_for_two_when_the_receipt_was_confirmed_has_nothing_destroyed(bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    content = receipt(bureau, transfer_of(bureau, plan))
    entered(bureau, content)
    confirmed(bureau, content, "officer")
    policy_says(bureau, ('["officer"]', '["another"]'), (ACCOUNTS, ACCOUNTS.replace("]", ', "officer"]')))
    with pytest.raises(NotAllowedError, match="from whatever account"):
        bureau.execute(plan)
    assert len(bureau.world.archive.objects) == 2


def test_whoever_took_up_an_export_that_was_cut_off_does_not_confirm_its_receipt(bureau: Office) -> None:
    plan = approved(bureau)
    policy_says(bureau, ('may = ["decide", "approve"]', 'may = ["decide", "approve", "execute"]'))
    sent = dispatch(bureau)
    with pytest.raises(ZeroDivisionError):
        list(replace(sent, contents=lambda _load: iter([("a", b"b"), 1 // 0])).run(*sent.begin(plan.plan_id)))  # type: ignore[list-item]
    sent = dispatch(bureau, "officer")
    list(sent.run(*sent.begin(plan.plan_id)))
    content = receipt(bureau, transfer_of(bureau, plan))
    entered(bureau, content)
    with pytest.raises(NotAllowedError, match="exported the bag"):
        confirmed(bureau, content, "officer")


@pytest.mark.parametrize(
    "change",
    [(SIGNATORY, "Somebody Else"), ('name = "County Record Office"', 'name = "Another"')],
    ids=["who", "where"],
)
def test_a_receipt_is_not_confirmed_that_could_not_be_entered_any_more(change: tuple[str, str], bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    content = receipt(bureau, transfer_of(bureau, plan))
    entered(bureau, content)
    policy_says(bureau, change)
    with pytest.raises(ConsentgateError, match="doesn't let this person sign"):
        confirmed(bureau, content)
    assert transfer_of(bureau, plan).state is State.RECEIPT_ENTERED


def test_what_is_given_up_while_its_bag_is_made_awaits_no_receipt(bureau: Office) -> None:
    plan, sent = approved(bureau), dispatch(bureau)

    def tags(load: object) -> dict[str, str]:
        give_up(bureau, plan)
        return sent.tags(load)  # type: ignore[arg-type]

    (done,) = list(replace(sent, tags=tags).run(*sent.begin(plan.plan_id)))
    assert (done.transfer, "given up" in done.reason) == (None, True)
    assert transfer_of(bureau, plan).state is State.ABANDONED


def test_a_bag_that_somebody_else_has_put_there_is_not_taken_for_ours(bureau: Office, place: Path) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    moved = transfer_of(bureau, plan)
    with bureau.world.services.database.writing() as connection:
        tell(connection, bureau.act(), replace(moved, state=State.BEGUN, bag_sha256=""))
    (place / moved.bag).rename(place / "elsewhere")
    bags.make(place, moved.bag, [("a", b"b")], {bags.IDENTIFIER: moved.transfer_id})
    with pytest.raises(ConsentgateError, match="not all of the pictures"):
        exported(bureau, plan)
    assert transfer_of(bureau, plan).state is State.BEGUN


def half(place: Path, bureau: Office, plan: Plan) -> Path:
    """Leave what a process leaves that was killed while it made a bag."""
    sent = dispatch(bureau)
    with pytest.raises(ZeroDivisionError):
        list(replace(sent, contents=lambda _load: iter([("a", b"b"), 1 // 0])).run(*sent.begin(plan.plan_id)))  # type: ignore[list-item]
    found = place / f".{transfer_of(bureau, plan).bag}.part"
    found.mkdir()
    (found / "a").write_bytes(b"a patient's")
    return found


@pytest.mark.parametrize("ending", [give_up, lambda bureau, plan: (bureau.hold(), exported(bureau, plan))])
def test_half_a_bag_goes_when_its_transfer_ends(ending: object, bureau: Office, place: Path) -> None:
    plan = approved(bureau)
    left = half(place, bureau, plan)
    ending(bureau, plan)  # type: ignore[operator]
    assert not left.exists()


def test_a_bag_of_which_nobody_knows_whether_it_is_there_is_not_forgotten_by_the_next_plan(
    bureau: Office, place: Path
) -> None:
    plan = approved(bureau)
    half(place, bureau, plan)
    assert bureau.plan().lines == 0
    give_up(bureau, plan)
    bureau.world.clock.advance(hours=1)
    with bureau.world.services.database.reading() as connection:
        (line,) = plans.lines_of(connection, bureau.plan().plan_id)
    assert "COPIES_OUTSIDE: 2" in line.flags


def test_what_a_place_has_of_a_record_that_stays_is_a_copy_that_is_out(bureau: Office) -> None:
    plan = approved(bureau)
    received(bureau, plan)
    bureau.world.sql("UPDATE images SET body_site = 'x'")
    bureau.hold()
    bureau.execute(plan)
    with bureau.world.services.database.reading() as connection:
        assert {row["kind"] for row in ledger.disclosed(connection)} == {GIVEN_UP}


def test_a_receipt_can_have_nobody_named_in_the_trail_or_in_an_error(bureau: Office) -> None:
    plan = approved(bureau)
    exported(bureau, plan)
    content = receipt(bureau, transfer_of(bureau, plan)).replace(b"consentgate-", b"Jane Doe 1980-06-15 ")
    with pytest.raises(ConsentgateError) as refused:
        entered(bureau, content)
    assert "Doe" not in f"{refused.value}{bureau.world.services.trail.tail(20)}"


def test_one_of_ours_signs_no_receipt_for_a_place(bureau: Office) -> None:
    with pytest.raises(ConsentgateError, match="officer"):
        policy_says(bureau, (SIGNATORY, "a.  proposer"))
