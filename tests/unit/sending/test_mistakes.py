"""Who got a picture by mistake never gets it again by a route."""

from __future__ import annotations

from dataclasses import replace

from orthanc_plugin.lifecycle import consenting, recall
from tests.fakes.pictures import CARE, UID, consent
from tests.fakes.rounds import CARE_ROUTE, routed
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting
from tests.unit.sending.noticing import withdraw

OTHER = "2.25.801"


def by_mistake(world: World, uid: str) -> None:
    """Have somebody record that the copy of a picture that left went to the wrong recipient."""
    (left,) = (row for row in world.disclosures() if row["sop_instance_uid"] == uid)
    with acting(world, "governance") as (connection, act):
        recall.wrong_recipient(connection, act, str(left["disclosure_id"]), "sent to the wrong ward")


def test_what_went_to_somebody_by_mistake_never_goes_there_again_by_itself(world: World) -> None:
    world.file(CARE)
    world.file(CARE, uid=OTHER)
    before = routed(world)
    before.queue(UID, OTHER)
    before.turn()
    by_mistake(world, UID)
    again = replace(CARE_ROUTE, name="again")
    ward = routed(world, again)
    ward.queue(UID, OTHER, route=again)
    turn = ward.turn()
    assert turn is not None
    assert (turn.delivered, turn.refused) == (1, 1)
    assert sum(row["sop_instance_uid"] == UID for row in world.disclosures()) == 1
    assert {str(row["state"]) for row in ward.rows().values() if row["route"] == "again"} <= {"DELIVERED", "REFUSED"}


def test_it_counts_as_a_mistake_also_where_the_copy_was_asked_for_before(world: World) -> None:
    world.file(CARE)
    before = routed(world)
    before.queue(UID)
    before.turn()
    withdraw(world)
    by_mistake(world, UID)
    again = replace(CARE_ROUTE, name="again")
    ward = routed(world, again)
    world.clock.advance(days=1)
    with acting(world) as (connection, act):
        anew = consent(CARE, id="urn:x:anew", decided_on=act.day.isoformat())
        consenting.record(connection, act, anew)
    ward.queue(UID, route=again)
    turn = ward.turn()
    assert turn is not None
    assert (turn.delivered, turn.refused) == (0, 1)
    assert len(world.archive.sent) == 1


def test_what_went_to_somebody_by_mistake_does_not_go_there_in_another_s_stead(world: World) -> None:
    world.file(CARE)
    spare = replace(world.services.policy.dicom_nodes[1], name="spare", aet="OUTSIDE")
    nodes = (*world.services.policy.dicom_nodes, spare)
    first = replace(CARE_ROUTE, name="first")
    again = replace(CARE_ROUTE, recipient="spare", alternates=("workstation",))
    ward = routed(world, first, again)
    ward.world = replace(
        world, services=replace(world.services, policy=replace(ward.world.services.policy, dicom_nodes=nodes))
    )
    ward.queue(UID, route=first)
    ward.turn()
    by_mistake(world, UID)
    ward.queue(UID, route=again)
    world.archive.unreachable.add("outside")
    for _ in range(4):
        ward.turn()
        world.clock.advance(hours=12)
    assert len(world.archive.sent) == 1
    assert [row["recipient"] for row in world.disclosures()] == ["workstation", "spare"]
