"""Storage commitment: a device may delete what it sent only when the very bytes are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orthanc_plugin.enforcement.commitment import CommitmentScp, Known
from tests.fakes import newer, orthanc
from tests.fakes.newer import StorageCommitmentFailureReason as Reason
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World


def scp(world: World) -> CommitmentScp:
    return CommitmentScp(world.services, world.archive, world.worker(), world.worker(), newer)


def asked(world: World, *uids: str, aet: str = "DERMCAM") -> Known | None:
    return scp(world).create("job", "2.25.77", ["1.2"] * len(uids), uids, aet, "CONSENTGATE")


def answer(world: World, uid: str = UID, sop_class: str = "") -> int:
    known = asked(world, uid)
    return scp(world).look_up(sop_class or world.row().sop_class_uid, uid, known)


def test_what_is_kept_as_it_was_accepted_is_committed(world: World) -> None:
    world.file(CARE)
    assert answer(world) == Reason.SUCCESS
    entry = world.trail()[-1]
    assert (entry["door"], entry["actor"]) == ("N-ACTION", "DERMCAM")
    assert "1 of 1" in str(entry["detail"])


def test_what_nobody_has_is_not_committed(world: World) -> None:
    world.file(CARE)
    assert answer(world, "2.25.999") == Reason.NO_SUCH_OBJECT_INSTANCE


def test_what_is_in_quarantine_is_not_committed(world: World) -> None:
    world.file(CARE)
    world.sql("UPDATE images SET status = 'QUARANTINED'")
    assert answer(world) == Reason.NO_SUCH_OBJECT_INSTANCE


def test_an_object_of_another_class_is_not_the_one_that_was_sent(world: World) -> None:
    world.file(CARE)
    assert answer(world, sop_class="1.2.840.10008.5.1.4.1.1.2") == Reason.CLASS_INSTANCE_CONFLICT


def test_other_bytes_under_the_same_uid_are_not_committed_and_the_trail_says_so(world: World) -> None:
    world.file(CARE)
    world.archive.objects = dict.fromkeys(world.archive.objects, b"other")
    assert answer(world) == Reason.PROCESSING_FAILURE
    assert world.last_rules() == ["DIGEST_MISMATCH"]


def test_what_the_archive_has_lost_is_not_committed_and_the_trail_says_so(world: World) -> None:
    world.file(CARE)
    world.archive.objects.clear()
    assert answer(world) == Reason.PROCESSING_FAILURE
    assert world.last_rules() == ["UNREADABLE_OBJECT"]


@pytest.mark.parametrize("aet", ["DERMWS", "TEACHING", "STRANGER", "dermcam", ""])
def test_only_a_node_that_stores_may_ask_what_is_kept(aet: str, world: World) -> None:
    row = world.file(CARE)
    known = asked(world, UID, aet=aet)
    assert world.last_rules() == ["UNKNOWN_AE"]
    assert scp(world).look_up(row.sop_class_uid, UID, known) == Reason.PROCESSING_FAILURE


@pytest.mark.parametrize("fault", [World.stop_the_trail, World.lose_the_database])
def test_without_a_record_of_the_question_there_is_no_yes(fault: Callable[[World], None], world: World) -> None:
    row = world.file(CARE)
    fault(world)
    known = asked(world, UID)
    assert scp(world).look_up(row.sop_class_uid, UID, known) == Reason.PROCESSING_FAILURE


def test_it_is_registered_where_orthanc_can_be_told(world: World) -> None:
    orthanc.reset()
    CommitmentScp(world.services, world.archive, world.worker(), world.worker(), orthanc).register()
    assert orthanc.hooks == {}
    scp(world).register()
    assert set(orthanc.hooks) == {"commitment", "commitment lookup"}
    orthanc.reset()
