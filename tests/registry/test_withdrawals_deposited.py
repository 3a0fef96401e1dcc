"""A withdrawal reaches places of deposit: they are asked for what they have, or else the patient is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import Purpose
from orthanc_plugin.lifecycle import recalling, recallletters, withdrawal
from orthanc_plugin.lifecycle.consequences import Consequences
from orthanc_plugin.policy.recalling import IN_OUR_STEAD, Cause, Method, Standing
from orthanc_plugin.registry import ledger, recalls, tasks
from orthanc_plugin.registry.plans import Plan
from orthanc_plugin.registry.recalls import Recalled
from orthanc_plugin.retention import receipts
from tests.fakes.depositing import approved, exported, received, transfer_of, with_place
from tests.fakes.disposing import PLACE, Office, office
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.world import World


@pytest.fixture
def place(world: World) -> Path:
    return with_place(world)


@pytest.fixture
def bureau(world: World, place: Path) -> Office:
    """Give the office of a world with a picture that fell due, agreed to for care and teaching."""
    assert place.is_dir()
    world.file(CARE, TEACHING)
    return office(world)


def withdraw(bureau: Office, *purposes: Purpose) -> Consequences:
    with bureau.world.services.database.writing() as connection:
        act = bureau.act("nurse")
        done = withdrawal.withdraw(connection, act, CONSENT_ID, purposes, on=act.day, note=Withdrawal(reason="no"))
    return done.consequences


def open_recalls(bureau: Office) -> list[Recalled]:
    with bureau.world.services.database.reading() as connection:
        return recalls.listed(connection)


def opened(bureau: Office) -> set[str]:
    with bureau.world.services.database.reading() as connection:
        return {str(each["kind"]) for each in tasks.listed(connection)}


def standing(bureau: Office) -> set[str]:
    with bureau.world.services.database.reading() as connection:
        return {str(row["recall"]) for row in ledger.disclosed(connection)}


def awaiting(bureau: Office, plan: Plan) -> None:
    exported(bureau, plan)


def given_up(bureau: Office, plan: Plan) -> None:
    exported(bureau, plan)
    with bureau.world.services.database.writing() as connection:
        receipts.abandon(connection, bureau.act("officer"), transfer_of(bureau, plan).transfer_id, "no answer")


@pytest.mark.parametrize("reached", [awaiting, received, given_up])
def test_a_place_that_has_a_bag_is_asked_by_letter_and_answers(
    reached: Callable[[Office, Plan], object], bureau: Office
) -> None:
    reached(bureau, approved(bureau))
    found = withdraw(bureau)
    assert (len(found.recalls), found.not_recallable) == (1, ())
    (asked,) = open_recalls(bureau)
    assert (asked.recipient, asked.method, asked.cause) == (PLACE, Method.LETTER, Cause.WITHDRAWN)
    assert "CONFIRM_RECALL" in opened(bureau)
    with bureau.world.services.database.writing() as connection:
        letter = recallletters.write(connection, bureau.act("nurse"), [asked.recall_id])
        recalling.send(connection, bureau.act("nurse"), asked.recall_id, "recorded delivery")
        recalling.acknowledge(connection, bureau.act("nurse"), asked.recall_id, "the bag came back")
    assert letter.addressee == f"{PLACE}, Castle Street 1"
    assert [copy.released_uid for copy in letter.copies] == [UID]
    assert (open_recalls(bureau)[0].standing, standing(bureau)) == (Standing.ACKNOWLEDGED, {"CONFIRMED"})
    assert "CONFIRM_RECALL" not in opened(bureau)


def test_what_is_withdrawn_for_teaching_alone_leaves_the_record_s_keeping_as_it_is(bureau: Office) -> None:
    received(bureau, approved(bureau))
    assert withdraw(bureau, Purpose.TEACHING).recalls == ()
    assert (open_recalls(bureau), standing(bureau)) == ([], {"NONE"})


def test_a_refusal_of_care_asks_the_place_too(bureau: Office) -> None:
    received(bureau, approved(bureau))
    today = bureau.act().day.isoformat()
    refused = consent(CARE, id="refusal", state="REFUSED", decided_on=today)
    with bureau.world.services.database.writing() as connection:
        found = withdrawal.recall_refused(connection, bureau.act("nurse"), refused)
    assert len(found.recalls) == 1
    assert [each.recipient for each in open_recalls(bureau)] == [PLACE]


def test_of_what_the_place_has_in_our_stead_the_patient_is_told_plainly(bureau: Office) -> None:
    plan = approved(bureau)
    received(bureau, plan)
    bureau.execute(plan)
    assert withdraw(bureau, Purpose.TEACHING).not_recallable == ()
    found = withdraw(bureau)
    assert (found.recalls, len(found.not_recallable)) == ((), 1)
    (told,) = open_recalls(bureau)
    assert (told.recipient, told.standing, told.how) == (PLACE, Standing.NOT_RECALLABLE, IN_OUR_STEAD)
    assert "TELL_PATIENT_NOT_RECALLABLE" in opened(bureau)
    assert standing(bureau) == {"NOT_RECALLABLE"}


def test_another_patient_s_withdrawal_asks_for_nothing(bureau: Office) -> None:
    plan = approved(bureau)
    received(bureau, plan)
    bureau.execute(plan)
    bureau.world.record(consent(CARE, id="another", patient_id="somebody else"))
    with bureau.world.services.database.writing() as connection:
        act = bureau.act("nurse")
        done = withdrawal.withdraw(connection, act, "another", (), on=act.day, note=Withdrawal())
    assert done.consequences.not_recallable == ()
    assert open_recalls(bureau) == []
