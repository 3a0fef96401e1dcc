"""The courier: what is queued is decided on again, sent once, and comes back when something fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from dicomwrap.terms import Purpose
from orthanc_plugin.audit.chain import verify
from orthanc_plugin.config.routes import Hours
from orthanc_plugin.lifecycle import policies
from orthanc_plugin.registry import outbox
from orthanc_plugin.sending.courier import Turn
from orthanc_plugin.sending.errand import LONGEST_PAUSE, MOST_ATTEMPTS
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.rounds import CARE_ROUTE, TEACHING_ROUTE, Ward, routed
from tests.fakes.world import POLICY, World
from tests.unit.lifecycle.steps import acting

UIDS = tuple(f"2.25.{number}" for number in range(800, 810))


def taught(**counts: int) -> Turn:
    """Return a turn of the route to the teaching archive."""
    found = {"delivered": 0, "refused": 0, "waiting": 0, **counts}
    return Turn(route="teach", recipient="teaching-archive", pictures=sum(found.values()), **found)


def filed(world: World, count: int = 3) -> Ward:
    """Return a ward in which so many pictures wait for the workstation."""
    for uid in UIDS[:count]:
        world.file(CARE, TEACHING, uid=uid)
    ward = routed(world)
    ward.queue(*UIDS[:count])
    return ward


def activated(world: World, text: str) -> None:
    """Put another policy in force, which the courier doesn't have."""
    with acting(world, "admin") as (connection, act):
        digest = policies.propose(connection, act, text).sha256
    world.clock.advance(minutes=1)
    with acting(world, "governance") as (connection, act):
        policies.activate(connection, act, digest)


def test_what_is_queued_arrives_and_is_on_record_as_the_courier_s(world: World) -> None:
    ward = filed(world)
    turn = ward.turn()
    assert turn is not None
    assert (turn.delivered, turn.refused, turn.waiting) == (3, 0, 0)
    assert ward.states() == dict.fromkeys(UIDS[:3], "DELIVERED")
    assert [modality for modality, _ in world.archive.sent] == ["dermatology"] * 3
    told = {(each["door"], each["outcome"], each["requester"]) for each in world.disclosures()}
    assert told == {("courier", "DELIVERED", "route care")}
    assert {row["disclosure_id"] for row in ward.rows().values()} == {
        each["disclosure_id"] for each in world.disclosures()
    }
    assert verify(world.services.trail.entries()).whole
    assert ward.turn() is None


def test_a_decision_s_no_is_not_asked_again_by_the_clock(world: World) -> None:
    world.file(CARE, TEACHING)
    ward = routed(world)
    ward.queue(UID, route=TEACHING_ROUTE)
    assert (ward.turn(), ward.states(), world.archive.sent) == (taught(refused=1), {UID: "REFUSED"}, [])
    assert "Nobody has yet checked" in str(ward.rows()[UID]["reason"])
    world.clock.advance(days=30)
    assert ward.turn() is None
    world.review()
    ward.queue(UID, route=TEACHING_ROUTE)
    assert ward.turn() == taught(delivered=1)
    ((_, copy),) = world.archive.sent
    assert b"Doe" not in copy


def test_a_withdrawal_stops_the_send_that_was_already_queued(world: World) -> None:
    ward = filed(world)
    world.withdraw()
    ward.turn()
    assert (world.archive.sent, world.disclosures()) == ([], [])
    assert set(ward.states().values()) == {"REFUSED"}


@pytest.mark.parametrize("during", [1, 2, 4, 7])
def test_a_withdrawal_while_a_picture_is_on_its_way_lets_no_other_go(world: World, during: int) -> None:
    ward = filed(world, 8)

    def withdraw(_modality: str, _content: bytes) -> None:
        if len(world.archive.sent) == during - 1:
            world.withdraw()

    world.archive.watcher = withdraw
    ward.turn()
    assert len(world.archive.sent) == during
    world.archive.watcher = lambda *_: None
    world.clock.advance(hours=12)
    while ward.turn() is not None:
        pass
    assert len(world.archive.sent) == during
    assert sorted(ward.states().values()) == ["DELIVERED"] * during + ["REFUSED"] * (8 - during)


def test_a_recipient_that_is_away_is_tried_later_and_later_and_then_somebody_must_look(world: World) -> None:
    ward = filed(world)
    world.archive.unreachable.add("dermatology")
    pauses = []
    for _ in range(MOST_ATTEMPTS):
        before = world.clock()
        while ward.turn() is None:
            world.clock.advance(minutes=10)
        pauses.append(world.clock() - before)
    assert set(ward.states().values()) == {"DEAD"}
    assert max(pauses) <= LONGEST_PAUSE + timedelta(minutes=10)
    assert pauses[-1] > pauses[4] > pauses[0]
    assert {each["outcome"] for each in world.disclosures()} == {"FAILED"}
    assert "can't be reached" in str(ward.rows()[UIDS[0]]["reason"])
    world.archive.unreachable.clear()
    with world.services.database.writing() as connection:
        assert len(outbox.retry(connection, world.clock(), route="care")) == 3
    ward.turn()
    assert set(ward.states().values()) == {"DELIVERED"}


def test_a_courier_that_sends_what_is_due_once_does_not_try_again_what_failed(world: World) -> None:
    ward = filed(world)
    world.archive.unreachable.add("dermatology")
    ward.chance = 0.0  # due again at once
    rounds = replace(ward.rounds(), since=world.clock())
    world.clock.advance(seconds=1)
    assert rounds.turn() is not None
    world.clock.advance(seconds=1)
    assert rounds.turn() is None
    assert ward.turn() is not None


def test_those_who_failed_together_do_not_come_back_together(world: World) -> None:
    ward = filed(world, 1)
    world.archive.unreachable.add("dermatology")
    ward.chance = 0.0
    ward.turn()
    assert ward.turn() is not None  # by chance at once
    ward.chance = 1.0
    ward.turn()
    assert ward.turn() is None


def test_what_a_recipient_refuses_is_sent_again_and_the_ledger_says_that_it_may_be_there(world: World) -> None:
    ward = filed(world, 2)
    world.archive.refused.add(world.archive.objects[world.row(UIDS[0]).orthanc_instance])
    ward.turn()
    assert ward.states() == {UIDS[0]: "WAITING", UIDS[1]: "DELIVERED"}
    outcomes = {each["sop_instance_uid"]: each["outcome"] for each in world.disclosures()}
    assert outcomes == {UIDS[0]: "SENT", UIDS[1]: "DELIVERED"}


def test_what_is_cancelled_while_its_neighbour_goes_stays(world: World) -> None:
    ward = filed(world)

    def cancel(_modality: str, _content: bytes) -> None:
        with world.services.database.writing() as connection:
            outbox.cancel(connection, "the policy changed", world.clock(), pictures=(UIDS[2],))

    world.archive.watcher = cancel
    ward.turn()
    while ward.turn() is not None:
        pass
    assert ward.states() == {UIDS[0]: "DELIVERED", UIDS[1]: "DELIVERED", UIDS[2]: "CANCELLED"}
    assert len(world.archive.sent) == 2


def test_a_courier_that_is_stopped_ends_after_the_picture_on_its_way_and_the_rest_waits(world: World) -> None:
    ward = filed(world, 8)
    ward.stop = lambda: len(world.archive.sent) >= 2
    ward.turn()
    assert len(world.archive.sent) == 2
    assert sorted(ward.states().values()) == ["DELIVERED"] * 2 + ["WAITING"] * 6
    ward.stop = lambda: False
    ward.turn()
    assert len(world.archive.sent) == 8


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({"enabled": False}, "DEAD", "switched off"),
        ({"expires": date(2026, 11, 21)}, "DEAD", "over"),
        ({"window": Hours(since=time(22), until=time(6))}, "WAITING", "window is closed"),
        ({"recipient": "nobody"}, "WAITING", "no such recipient"),
        ({"name": "other"}, "CANCELLED", "no such route"),
        ({"purpose": Purpose.TEACHING, "recipient": "teaching-archive"}, "CANCELLED", "another purpose"),
    ],
)
def test_a_route_that_does_not_send_now_sends_nothing(
    world: World, change: dict[str, object], state: str, reason: str
) -> None:
    world.file(CARE)
    ward = routed(world, replace(CARE_ROUTE, **change))
    ward.queue(UID)
    ward.turn()
    assert (ward.states(), world.archive.sent) == ({UID: state}, [])
    assert reason in str(ward.rows()[UID]["reason"])


def test_a_window_is_waited_for(world: World) -> None:
    world.file(CARE)
    ward = routed(world, replace(CARE_ROUTE, window=Hours(since=time(22), until=time(6))))
    ward.queue(UID)
    ward.turn()
    assert ward.rows()[UID]["attempts"] == 0  # so that an alternate's turn hasn't come
    world.clock.at = datetime(2026, 11, 22, 21, 59, tzinfo=UTC)
    assert ward.turn() is None
    world.clock.at = datetime(2026, 11, 22, 22, 1, tzinfo=UTC)
    ward.turn()
    assert ward.states() == {UID: "DELIVERED"}


def test_an_alternate_is_sent_to_when_the_first_is_away(world: World) -> None:
    world.file(CARE)
    spare = replace(world.services.policy.dicom_nodes[1], name="spare", aet="OUTSIDE")
    nodes = (*world.services.policy.dicom_nodes, spare)
    ward = routed(world, replace(CARE_ROUTE, alternates=("spare",)))
    ward.world = replace(
        world, services=replace(world.services, policy=replace(ward.world.services.policy, dicom_nodes=nodes))
    )
    ward.queue(UID)
    world.archive.unreachable.add("dermatology")
    ward.turn()
    world.clock.advance(minutes=1)
    ward.turn()
    assert [modality for modality, _ in world.archive.sent] == ["outside"]
    assert ward.states() == {UID: "DELIVERED"}
    assert {each["recipient"]: each["outcome"] for each in world.disclosures()} == {
        "workstation": "FAILED",
        "spare": "DELIVERED",
    }


def test_a_recipient_whose_last_day_is_over_gets_nothing(world: World) -> None:
    world.file(CARE)
    policy = world.services.policy
    nodes = tuple(replace(node, expires=date(2026, 11, 21)) for node in policy.dicom_nodes)
    ward = routed(world)
    ward.world = replace(
        world, services=replace(world.services, policy=replace(ward.world.services.policy, dicom_nodes=nodes))
    )
    ward.queue(UID)
    ward.turn()
    assert (ward.states(), world.archive.sent, world.disclosures()) == ({UID: "WAITING"}, [], [])
    assert "last day" in str(ward.rows()[UID]["reason"])


def test_a_picture_that_is_gone_from_the_archive_does_not_keep_its_neighbours_back(world: World) -> None:
    ward = filed(world)
    del world.archive.objects[world.row(UIDS[1]).orthanc_instance]
    ward.turn()
    assert ward.states() == {UIDS[0]: "DELIVERED", UIDS[1]: "WAITING", UIDS[2]: "DELIVERED"}


def test_nothing_leaves_while_nothing_can_be_recorded(world: World) -> None:
    ward = filed(world)
    world.stop_the_trail()
    ward.turn()
    assert (world.archive.sent, world.disclosures()) == ([], [])
    assert set(ward.states().values()) == {"WAITING"}


def test_a_row_whose_disclosure_is_not_on_record_holds_nothing_up(world: World) -> None:
    ward = filed(world)
    with world.services.database.writing() as connection:
        connection.exec_driver_sql("UPDATE outbox SET disclosure_id = 'nobody knows'")
    ward.turn()
    assert set(ward.states().values()) == {"DELIVERED"}


def test_a_policy_that_was_activated_meanwhile_ends_no_send_for_good(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    ward = routed(world)
    ward.queue(UID, route=TEACHING_ROUTE)
    activated(world, f"{POLICY}# another\n")
    assert ward.turn() == taught(waiting=1)
    assert (ward.states(), world.archive.sent, world.disclosures()) == ({UID: "WAITING"}, [], [])
