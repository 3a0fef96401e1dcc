"""A recall from the event it follows from to the recipient's answer: the ledger alone says where a copy stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.lifecycle import recall, recalling, recallletters, refusal, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.recalling import Cause, Method, Standing
from orthanc_plugin.registry import outbox, recalls
from orthanc_plugin.registry.outbox import Queued
from orthanc_plugin.registry.recalls import Recalled
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, effects, leave, listed
from tests.unit.lifecycle.steps import recalls as standings

Step = Callable[[Connection, Act, str], object]


def withdraw(world: World) -> None:
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())


def found(world: World) -> dict[str, Recalled]:
    """Return the recalls by recipient."""
    with world.services.database.reading() as connection:
        return {each.recipient: each for each in recalls.listed(connection)}


def do(world: World, step: Step, recipient: str = "teaching-archive") -> None:
    recall_id = found(world)[recipient].recall_id
    with acting(world, "ig") as (connection, act):
        step(connection, act, recall_id)


def acknowledge(connection: Connection, act: Act, recall_id: str) -> object:
    return recalling.acknowledge(connection, act, recall_id, "letter on file")


def refuse(connection: Connection, act: Act, recall_id: str) -> object:
    return recalling.acknowledge(connection, act, recall_id, "they need it", refused=True)


@pytest.fixture
def recalled(world: World) -> World:
    """Give a world in which a withdrawal recalls two copies from one recipient and one from another."""
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2")
    leave(world, "D3", recipient="teacher")
    withdraw(world)
    return world


def test_a_withdrawal_asks_each_recipient_as_policy_says_it_can_be_asked(recalled: World) -> None:
    assert {name: (each.method, each.cause, each.subject) for name, each in found(recalled).items()} == {
        "teaching-archive": (Method.KOS, Cause.WITHDRAWN, CONSENT_ID),
        "teacher": (Method.LETTER, Cause.WITHDRAWN, CONSENT_ID),
    }
    assert effects(recalled).count("RECALL_OPENED") == 2
    assert {(kind, subject) for kind, subject in listed(recalled) if kind == "CONFIRM_RECALL"} == {
        ("CONFIRM_RECALL", name) for name in ("D1", "D2", "D3")
    }


def test_a_refusal_and_a_wrong_recipient_open_recalls_too(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2", recipient="teacher")
    with acting(world) as (connection, act):
        recall.wrong_recipient(connection, act, "D2", "sent to the wrong college")
        patient = (world.row().patient_id, world.row().issuer)
        world.clock.advance(days=1)
    with acting(world) as (connection, act):
        refusal.of_pictures(connection, act, patient, (UID,))
    assert {name: each.cause for name, each in found(world).items()} == {
        "teaching-archive": Cause.REFUSED,
        "teacher": Cause.WRONG_RECIPIENT,
    }


@pytest.mark.parametrize(("recipient", "state"), [("teaching-archive", "CANCELLED"), ("workstation", "WAITING")])
def test_a_wrong_recipient_is_sent_nothing_more(recipient: str, state: str, world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    queued = Queued(
        route="route",
        recipient=recipient,
        purpose="TEACHING",
        sop_instance_uid=UID,
        study_instance_uid="2.25.1",
        priority=0,
        cause="STABLE",
    )
    with acting(world) as (connection, act):
        outbox.queue(connection, (queued,), act.at)
        recall.wrong_recipient(connection, act, "D1", "sent to the wrong college")
        assert [row["state"] for row in outbox.listed(connection)] == [state]


def test_a_withdrawal_that_recalls_nothing_opens_nothing(world: World) -> None:
    world.file(CARE, TEACHING)
    withdraw(world)
    assert found(world) == {}


def test_an_acknowledged_recall_is_the_end_of_its_copies(recalled: World) -> None:
    do(recalled, acknowledge)
    settled = found(recalled)["teaching-archive"]
    assert (settled.standing, settled.how, settled.settled_by) == (Standing.ACKNOWLEDGED, "letter on file", "ig")
    assert standings(recalled) == {"D1": "CONFIRMED", "D2": "CONFIRMED", "D3": "OPEN"}
    assert listed(recalled) == {("CONFIRM_RECALL", "D3")}
    assert effects(recalled)[-1] == "RECALL_ACKNOWLEDGED"


def test_a_recipient_that_refuses_still_holds_its_copies_and_may_think_better_of_it(recalled: World) -> None:
    do(recalled, refuse)
    assert found(recalled)["teaching-archive"].standing is Standing.REFUSED
    assert set(standings(recalled).values()) == {"OPEN"}
    do(recalled, acknowledge)
    assert found(recalled)["teaching-archive"].standing is Standing.ACKNOWLEDGED


def test_the_last_copy_that_is_confirmed_settles_the_recall(recalled: World) -> None:
    for name, standing in (("D1", Standing.OPEN), ("D2", Standing.ACKNOWLEDGED)):
        with acting(recalled, "ig") as (connection, act):
            recall.confirm(connection, act, name, "letter")
        assert found(recalled)["teaching-archive"].standing is standing


def test_a_recall_whose_last_copy_can_t_be_had_back_says_so(recalled: World) -> None:
    with acting(recalled, "ig") as (connection, act):
        recall.published(connection, act, "D3")
    settled = found(recalled)["teacher"]
    assert (settled.standing, settled.how) == (Standing.NOT_RECALLABLE, "published")


@pytest.mark.parametrize(
    ("recipient", "how", "standing", "due"),
    [
        ("teaching-archive", "", Standing.OPEN, ""),
        ("teacher", "recorded delivery", Standing.NOTIFIED, None),
    ],
)
def test_a_notice_goes_out_by_the_courier_and_a_letter_by_a_person(
    recipient: str, how: str, standing: Standing, due: str | None, recalled: World
) -> None:
    do(recalled, lambda connection, act, name: recalling.send(connection, act, name, how), recipient)
    told = found(recalled)[recipient]
    assert (told.standing, told.next_try, told.how) == (standing, due, how)


def test_a_letter_is_not_sent_without_saying_how(recalled: World) -> None:
    with pytest.raises(IllegalTransitionError, match="consentgate recall letter"):
        do(recalled, lambda connection, act, name: recalling.send(connection, act, name, " "), "teacher")


def test_who_does_not_answer_is_reminded_again_and_again_and_counted(recalled: World) -> None:
    for recipient in found(recalled):
        do(recalled, recalling.notified, recipient)
    first = found(recalled)["teacher"].notified_at
    for days, due in ((13, 0), (1, 2), (1, 0), (6, 2)):
        recalled.clock.advance(days=days)
        with acting(recalled, "ig") as (connection, act):
            waiting = recalling.to_remind(connection, act.at)
            for each in waiting:
                recalling.remind(connection, act, each.recall_id)
        assert len(waiting) == due
    assert {name: (each.reminders, each.next_try) for name, each in found(recalled).items()} == {
        "teaching-archive": (2, ""),
        "teacher": (2, None),
    }
    do(recalled, recalling.notified, "teacher")
    assert found(recalled)["teacher"].notified_at == first
    with recalled.services.database.reading() as connection:
        counted = recalling.unanswered(connection, recalled.clock())
    assert [(each.recipient, each.recalls, each.copies, each.overdue, each.days) for each in counted] == [
        ("teacher", 1, 1, 1, 21),
        ("teaching-archive", 1, 2, 1, 21),
    ]


@pytest.mark.parametrize(
    ("step", "remedy"),
    [
        (recalling.remind, "recall send"),
        (lambda connection, act, name: recalling.acknowledge(connection, act, name, " "), "Say how"),
    ],
    ids=["reminded untold", "answered by nothing"],
)
def test_a_step_too_early_is_refused_with_its_remedy(step: Step, remedy: str, recalled: World) -> None:
    before = effects(recalled)
    with pytest.raises(IllegalTransitionError, match=remedy):
        do(recalled, step)
    assert effects(recalled) == before


@pytest.mark.parametrize(
    "step",
    [
        recalling.notified,
        recalling.remind,
        acknowledge,
        refuse,
        lambda connection, act, name: recalling.send(connection, act, name, "post"),
        lambda connection, act, name: recallletters.write(connection, act, (name,)),
    ],
    ids=["notified", "remind", "acknowledge", "refuse", "send", "letter"],
)
def test_a_settled_recall_stays_as_it_is(step: Step, recalled: World) -> None:
    do(recalled, acknowledge)
    with pytest.raises(ConsentgateError, match="settled"):
        do(recalled, step)
    with pytest.raises(UnknownRecordError), acting(recalled) as (connection, act):
        step(connection, act, "R9")


@pytest.fixture
def both(world: World) -> World:
    """Give a world in which one recipient holds a copy with the patient's identity and one without, both withdrawn."""
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2", effect=Effect.PERMIT_ANONYMISED)
    world.sql("UPDATE disclosures SET released_uid = '2.25.99' WHERE disclosure_id = 'D2'")
    withdraw(world)
    return world


def of_copy(world: World, disclosure_id: str) -> str:
    with world.services.database.reading() as connection:
        return str(recalls.of_copy(connection, disclosure_id))


def test_copies_with_and_without_identity_are_asked_for_apart(both: World) -> None:
    names = (of_copy(both, "D1"), of_copy(both, "D2"))
    assert names[0] != names[1]
    with pytest.raises(IllegalTransitionError, match="of one patient"), acting(both) as (connection, act):
        recallletters.write(connection, act, names)


def test_a_letter_names_anonymised_copies_by_their_own_uid_alone(both: World) -> None:
    row = both.row()
    with acting(both, "ig") as (connection, act):
        letter = recallletters.write(connection, act, (of_copy(both, "D2"),))
    (copy,) = letter.copies
    assert (copy.released_uid, copy.patient, copy.identifiable) == ("2.25.99", "", False)
    assert not {row.patient_id, row.sop_instance_uid, row.study_instance_uid} & set(str(letter).split("'"))
    assert effects(both)[-1] == "RECALL_LETTER_WRITTEN"


def test_a_letter_names_the_patient_of_a_copy_that_does(recalled: World) -> None:
    recall_id = found(recalled)["teacher"].recall_id
    with acting(recalled, "ig") as (connection, act):
        letter = recallletters.write(connection, act, (recall_id, recall_id))
    (copy,) = letter.copies
    assert copy.patient == f"{recalled.row().patient_id} ({recalled.row().issuer})"
    assert (letter.addressee, letter.reminder) == ("teacher", False)


def test_a_letter_goes_to_one_recipient(recalled: World) -> None:
    every = tuple(each.recall_id for each in found(recalled).values())
    with pytest.raises(IllegalTransitionError, match="same recipient"), acting(recalled) as (connection, act):
        recallletters.write(connection, act, every)


def test_nothing_is_asked_for_that_never_left(recalled: World) -> None:
    recalled.sql("UPDATE disclosures SET outcome = 'FAILED'")
    recall_id = found(recalled)["teacher"].recall_id
    with pytest.raises(IllegalTransitionError, match="Nothing is left"), acting(recalled) as (connection, act):
        recallletters.write(connection, act, (recall_id,))
