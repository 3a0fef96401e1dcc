"""C-MOVE where Orthanc asks for each sub-operation: what the caller is told is what happened."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from demo.peers import wait_until
from orthanc_plugin.enforcement.cmove import Move, MoveRefusedError, apply, free, size
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import images
from tests.fakes import newer, orthanc
from tests.fakes.pictures import CARE
from tests.fakes.world import World
from tests.unit.enforcement.moving import move_scp

UIDS = ("2.25.4", "2.25.5", "2.25.6")
ASKED = {"TargetAET": "DERMWS", "Level": "STUDY", "StudyInstanceUID": "2.25.1"}


@dataclass(frozen=True)
class Association:
    """What orthanc-python 7.0 tells of one."""

    aet: str = "DERMWS"
    address: str = "127.0.0.1"

    def GetConnectionRemoteAet(self) -> str:  # noqa: N802
        return self.aet

    def GetConnectionRemoteIp(self) -> str:  # noqa: N802
        return self.address


def begun(world: World) -> Move:
    return move_scp(world).create(OriginatorAET="DERMWS", **ASKED)


def told(move: Move) -> tuple[int, int]:
    """Return how many sub-operations succeed, and whether one fails and ends the move, as Orthanc calls them."""
    for done in range(size(move)):
        try:
            apply(move)
        except MoveRefusedError:
            return done, 1
    free(move)
    return size(move), 0


def filed(world: World, *refused: str) -> None:
    for uid in UIDS:
        world.file(CARE, uid=uid)
    with world.services.database.writing() as connection:
        for uid in refused:
            images.change(connection, uid, {"status": ImageStatus.QUARANTINED})


@pytest.mark.parametrize(
    ("refused", "counts", "sent"),
    [
        ((), (3, 0), 3),
        (UIDS[:1], (2, 1), 2),
        (UIDS[1:2], (2, 1), 2),
        (UIDS[2:], (2, 1), 2),
        (UIDS[:2], (1, 1), 1),
        (UIDS[1:], (1, 1), 1),
    ],
)
def test_what_is_refused_never_keeps_back_what_may_go(
    refused: tuple[str, ...], counts: tuple[int, int], sent: int, world: World
) -> None:
    filed(world, *refused)
    move = begun(world)
    assert size(move) == 3
    assert told(move) == counts
    assert len(world.archive.sent) == sent


def test_a_move_that_delivers_nothing_fails_as_a_whole(world: World) -> None:
    filed(world, *UIDS)
    with pytest.raises(MoveRefusedError, match="0 of 3"):
        begun(world)


def test_a_move_of_nothing_fails_in_the_same_way(world: World) -> None:
    with pytest.raises(MoveRefusedError):
        begun(world)
    assert world.last_rules() == ["NOTHING_FOUND"]


def test_each_picture_is_sent_when_its_turn_comes_so_a_withdrawal_stops_the_rest(world: World) -> None:
    filed(world)
    move = begun(world)
    apply(move)
    assert len(world.archive.sent) == 1
    world.withdraw()
    with pytest.raises(MoveRefusedError, match="1 of 3"):
        apply(move)
    assert len(world.archive.sent) == 1


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [
        ("unreachable", "FAILED", "failed to workstation: The node can't be reached."),
        ("silent", "SENT", "sent to workstation: The node does not answer."),
    ],
)
def test_a_recipient_that_goes_away_ends_the_move(fault: str, outcome: str, words: str, world: World) -> None:
    filed(world)
    move = begun(world)
    setattr(world.archive, fault, {"dermatology"})
    assert told(move) == (1, 1)
    assert [each["outcome"] for each in world.disclosures()] == ["DELIVERED", outcome, "FAILED"]
    assert [entry["reasons"] for entry in world.trail()[-2:]] == [
        [words],
        ["failed to workstation: not sent, because the recipient had failed before"],
    ]


def test_what_breaks_while_it_is_sent_may_have_arrived(world: World) -> None:
    def breaks(_modality: str, _content: bytes) -> None:
        raise ZeroDivisionError

    filed(world)
    world.archive.watcher = breaks
    with pytest.raises(MoveRefusedError, match="0 of 3"):
        begun(world)
    assert [each["outcome"] for each in world.disclosures()] == ["SENT"]


def test_what_the_recipient_refuses_fails_by_itself_and_the_rest_goes(world: World) -> None:
    filed(world)
    world.archive.refused = {world.archive.objects[world.row(UIDS[1]).orthanc_instance]}
    assert told(begun(world)) == (2, 1)
    assert {each["sop_instance_uid"]: each["outcome"] for each in world.disclosures()} == {
        UIDS[0]: "DELIVERED",
        UIDS[1]: "SENT",  # it was told no after it had it all
        UIDS[2]: "DELIVERED",
    }


def test_the_association_ends_with_the_move(world: World) -> None:
    filed(world)
    move = begun(world)
    assert world.archive.open == 1
    free(move)  # the caller went away after the first
    assert wait_until(lambda: world.archive.open == 0, 30)
    assert len(world.archive.sent) == 1
    assert [each["outcome"] for each in world.disclosures()] == ["DELIVERED"]


def test_a_registry_that_is_lost_ends_the_move_at_once(world: World) -> None:
    filed(world)
    move = begun(world)
    world.lose_the_database()
    apply(move)  # it was delivered before
    with pytest.raises(ConsentgateError):
        apply(move)
    assert len(world.archive.sent) == 1


@pytest.mark.parametrize(
    ("association", "rule"),
    [
        (Association(address="10.0.0.9"), "UNKNOWN_HOST"),
        (Association(address=""), "UNKNOWN_HOST"),
        (Association(aet="STRANGER"), "UNKNOWN_AE"),
    ],
)
def test_the_caller_s_address_must_be_the_bound_one_where_orthanc_tells_it(
    association: Association, rule: str, world: World
) -> None:
    filed(world)
    with pytest.raises(MoveRefusedError):
        move_scp(world).create_for(association, **ASKED)
    assert (world.last_rules(), world.archive.sent) == ([rule], [])


def test_who_asks_is_taken_from_the_association_not_from_the_identifier(world: World) -> None:
    filed(world)
    with pytest.raises(MoveRefusedError):
        move_scp(world).create_for(Association(aet="TEACHING"), OriginatorAET="DERMWS", RemoteIp="127.0.0.1", **ASKED)
    assert world.last_rules() == ["PURPOSE_NOT_BOUND"]
    assert told(move_scp(world).create_for(Association(), **ASKED)) == (3, 0)


def test_the_newest_callback_that_there_is_is_registered(world: World) -> None:
    orthanc.reset()
    scp = move_scp(world)
    scp.register(orthanc)
    assert orthanc.hooks == {"move": scp.hook}
    scp.register(newer)
    assert orthanc.hooks == {"move": scp.create, "move size": size, "move apply": apply, "move free": free}
    orthanc.reset()
