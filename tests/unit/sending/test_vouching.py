"""A recipient that says it stored a picture, and is asked whether it vouches for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from orthanc_plugin.archive.commitment import Heard
from orthanc_plugin.archive.storescu import StoreScu
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.config.bindings import Destination
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.sending.courier import Rounds
from orthanc_plugin.sending.ways import Ways
from tests.fakes.pictures import CARE
from tests.fakes.rounds import Ward, routed, unheard
from tests.fakes.world import World
from tests.unit.dicomwrap.sendable import HOST, Archive

UIDS = ("2.25.801", "2.25.802", "2.25.803")


class RealWays(Ways):
    """Ways to nodes that listen."""

    def to(self, destination: Destination) -> StoreScu:
        """Return what sends to the one node there is."""
        del destination
        (peer,) = self.peers.values()
        return StoreScu(peer)


@contextmanager
def vouching(
    world: World, archive: Archive, seconds: float = 30.0, heard: Heard = unheard
) -> Iterator[tuple[Ward, Rounds]]:
    """Have the workstation listen, and be asked for commitment; ``heard``: what Orthanc has heard."""
    for uid in UIDS:
        world.file(CARE, uid=uid)
    ward = routed(world)
    policy = ward.world.services.policy
    nodes = tuple(replace(node, commitment=node.aet == "DERMWS") for node in policy.dicom_nodes)
    services = replace(ward.world.services, policy=replace(policy, dicom_nodes=nodes))
    ward.world = replace(world, services=services)
    ward.queue(*UIDS)
    with archive.listening():
        peer = Peer(aet="ARCHIVE", host=HOST, port=archive.node.port, calling="CONSENTGATE", seconds=seconds)
        ways = RealWays(policy=services.policy, folder=world.folder, peers={"DERMWS": peer}, heard=heard)
        yield ward, replace(ward.rounds(), ways=ways)


def test_what_is_vouched_for_is_delivered(world: World) -> None:
    with vouching(world, Archive()) as (ward, rounds):
        rounds.turn()
    assert ward.states() == dict.fromkeys(UIDS, "DELIVERED")
    assert {str(row["reason"]) for row in ward.rows().values()} == {""}


def test_what_is_to_be_vouched_for_is_taken_in_few_however_fast_it_goes(world: World) -> None:
    passing = count()
    with vouching(world, Archive()) as (ward, rounds):
        services = replace(rounds.services, ticks=lambda: next(passing) / 1024)
        replace(rounds, services=services).turn()
        assert rounds.pace.by_route == {}
    assert ward.states() == dict.fromkeys(UIDS, "DELIVERED")


def test_a_peer_that_lies_about_success_is_caught_and_sent_to_again(world: World) -> None:
    archive = Archive()
    archive.missing[UIDS[1]] = 0x0112
    with vouching(world, archive) as (ward, rounds):
        turn = rounds.turn()
        assert turn is not None
        assert (turn.delivered, turn.waiting) == (2, 1)
        assert ward.states() == {UIDS[0]: "DELIVERED", UIDS[1]: "WAITING", UIDS[2]: "DELIVERED"}
        assert "does not vouch" in str(ward.rows()[UIDS[1]]["reason"])
        outcomes = {each["sop_instance_uid"]: each["outcome"] for each in world.disclosures()}
        assert outcomes == {UIDS[0]: "DELIVERED", UIDS[1]: "SENT", UIDS[2]: "DELIVERED"}
        archive.missing.clear()
        world.clock.advance(minutes=1)
        rounds.turn()
    assert ward.states() == dict.fromkeys(UIDS, "DELIVERED")


def told(committed: tuple[str, ...], failed: tuple[str, ...] = (), aet: str = "ARCHIVE") -> Heard:
    """Return what Orthanc tells of every transaction, when it is asked for the second time."""
    asked: list[str] = []

    def heard(transaction_uid: str) -> Mapping[str, object] | None:
        asked.append(transaction_uid)
        if len(asked) == 1:
            raise ArchiveError("Orthanc could not be reached.")
        return {
            "RemoteAET": aet,
            "Status": "Failure" if failed else "Success",
            "Success": [{"SOPInstanceUID": uid} for uid in committed],
            "Failures": [{"SOPInstanceUID": uid, "Description": "no such object"} for uid in failed],
        }

    return heard


def silent() -> Archive:
    """Return an archive that doesn't report on the association that asks."""
    archive = Archive()
    archive.silent = True
    return archive


def test_a_report_that_went_to_orthanc_s_port_counts(world: World) -> None:
    with vouching(world, silent(), heard=told(UIDS)) as (ward, rounds):
        rounds.turn()
    assert {(row["state"], row["reason"]) for row in ward.rows().values()} == {("DELIVERED", "")}


def test_a_liar_who_reports_to_orthanc_s_port_is_sent_to_again(world: World) -> None:
    with vouching(world, silent(), heard=told(UIDS[:1], UIDS[1:2])) as (ward, rounds):
        rounds.turn()
    assert ward.states() == {UIDS[0]: "DELIVERED", UIDS[1]: "WAITING", UIDS[2]: "WAITING"}
    reasons = [str(ward.rows()[uid]["reason"]) for uid in UIDS]
    assert ["no such object" in each for each in reasons] == [False, True, False]
    assert "doesn't mention" in reasons[2]


def test_what_somebody_else_reports_is_no_report(world: World) -> None:
    with vouching(world, silent(), seconds=1.0, heard=told(UIDS, aet="ELSEWHERE")) as (ward, rounds):
        rounds.turn()
    assert all(str(row["reason"]).startswith("UNCONFIRMED") for row in ward.rows().values())


@pytest.mark.parametrize("how", ["silent", "refusing"])
def test_a_peer_that_does_not_report_leaves_the_row_unconfirmed(
    world: World,
    how: str,
) -> None:
    archive = Archive()
    archive.silent = how == "silent"
    archive.action_status = 0x0112 if how == "refusing" else 0x0000
    with vouching(world, archive, seconds=1.0) as (ward, rounds):
        rounds.turn()
    assert ward.states() == dict.fromkeys(UIDS, "DELIVERED")
    assert all(str(row["reason"]).startswith("UNCONFIRMED") for row in ward.rows().values())
