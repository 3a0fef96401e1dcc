"""C-MOVE: per instance ask, derive, record, send; what isn't delivered is an error to the one who asked."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import dcmread

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.enforcement.cmove import MoveRefusedError, named
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry.images import Subject
from tests.fakes.pictures import CARE, TEACHING, UID, encoded, photograph
from tests.fakes.world import World
from tests.unit.enforcement.moving import move_scp

SECOND = "2.25.8"


def move(world: World, target: str = "DERMWS", originator: str = "DERMWS", **identifier: str) -> None:
    asked = identifier or {"Level": "IMAGE", "SOPInstanceUID": UID}
    move_scp(world).hook(OriginatorAET=originator, TargetAET=target, SourceAET="CONSENTGATE", OriginatorID=1, **asked)


def refused(world: World, target: str = "DERMWS", originator: str = "DERMWS", **identifier: str) -> str:
    with pytest.raises(MoveRefusedError):
        move(world, target, originator, **identifier)
    assert world.archive.sent == []
    return world.last_rules()[0]


def test_the_care_team_gets_the_original(world: World) -> None:
    world.file(CARE)
    move(world)
    ((modality, content),) = world.archive.sent
    assert (modality, content) == ("dermatology", encoded(photograph()))
    assert world.trail()[-1]["event"] == "110104"
    assert verify(world.services.trail.entries()).whole


def test_a_disclosure_is_on_record_before_anything_is_sent(world: World) -> None:
    world.file(CARE)
    seen: list[tuple[object, object]] = []

    def look(_modality: str, _content: bytes) -> None:
        seen.extend((each["outcome"], each["recipient"]) for each in world.disclosures())

    world.archive.watcher = look
    move(world)
    assert seen == [("BEGUN", "workstation")]
    (disclosure,) = world.disclosures()
    assert (disclosure["outcome"], disclosure["form"], disclosure["door"]) == (
        "DELIVERED",
        "PERMIT_IDENTIFIABLE",
        "C-MOVE",
    )
    decision = world.services.trail.find(str(disclosure["decision_id"]))
    assert decision["effect"] == "PERMIT_IDENTIFIABLE"


def test_the_teaching_archive_gets_a_copy_only_after_a_person_has_looked(world: World) -> None:
    world.file(CARE, TEACHING)
    assert refused(world, "TEACHING", "TEACHING")
    assert [task["kind"] for task in world.tasks()].count("VERIFY_RESIDUAL_ID") == 1
    world.review()
    move(world, "TEACHING", "TEACHING")
    ((modality, content),) = world.archive.sent
    assert modality == "teaching"
    assert b"Doe" not in content
    (disclosure,) = world.disclosures()
    assert dcmread(BytesIO(content)).SOPInstanceUID == disclosure["released_uid"] != UID


def test_a_picture_that_identifies_is_not_sent_to_teaching(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review(UID, "tattoo")
    refused(world, "TEACHING", "TEACHING")


def test_a_recipient_that_doesn_t_confirm_makes_the_move_fail_and_the_record_say_so(world: World) -> None:
    world.file(CARE)
    world.archive.silent = {"dermatology"}
    with pytest.raises(MoveRefusedError, match="0 of 1"):
        move(world)
    assert [each["outcome"] for each in world.disclosures()] == ["SENT"]
    assert (world.trail()[-1]["event"], world.trail()[-1]["outcome"]) == ("110104", "8")


def test_what_may_go_goes_and_the_rest_makes_the_move_fail(world: World) -> None:
    world.file(CARE)
    world.file(uid=SECOND)
    world.sql("UPDATE images SET status = 'QUARANTINED' WHERE sop_instance_uid = '2.25.8'")
    with pytest.raises(MoveRefusedError, match="1 of 2"):
        move(world, Level="STUDY", StudyInstanceUID="2.25.1")
    assert len(world.archive.sent) == 1


def test_an_object_the_archive_has_lost_is_refused_and_recorded(world: World) -> None:
    world.file(CARE)
    world.archive.objects.clear()
    assert refused(world) == "FAIL_CLOSED"
    assert world.disclosures() == []


@pytest.mark.parametrize(
    ("target", "originator", "rule"),
    [
        ("DERMWS", "STRANGER", "UNKNOWN_AE"),
        ("DERMWS", "", "UNKNOWN_AE"),
        ("DERMWS", "dermws", "UNKNOWN_AE"),
        ("DERMWS", "DERMCAM", "UNKNOWN_AE"),
        ("STRANGER", "DERMWS", "UNKNOWN_AE"),
        ("", "DERMWS", "UNKNOWN_AE"),
        ("DERMCAM", "DERMWS", "UNKNOWN_AE"),
        ("TEACHING", "DERMWS", "PURPOSE_NOT_BOUND"),
        ("DERMWS", "TEACHING", "PURPOSE_NOT_BOUND"),
    ],
)
def test_both_ends_must_be_bound_to_one_purpose(target: str, originator: str, rule: str, world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    assert refused(world, target, originator) == rule
    assert world.disclosures() == []


def test_a_node_that_orthanc_doesn_t_know_gets_nothing(world: World) -> None:
    world.file(CARE)
    with pytest.raises(MoveRefusedError):
        move_scp(world, modalities={}).hook(
            OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID
        )
    assert world.last_rules() == ["UNKNOWN_AE"]


@pytest.mark.parametrize(
    ("identifier", "count"),
    [
        ({"Level": "PATIENT", "PatientID": "P1"}, 2),
        ({"Level": "STUDY", "StudyInstanceUID": "2.25.1"}, 2),
        ({"Level": "STUDY", "AccessionNumber": "ACC1"}, 1),
        ({"Level": "SERIES", "SeriesInstanceUID": "2.25.2"}, 2),
        ({"Level": "IMAGE", "SOPInstanceUID": UID}, 1),
        ({"Level": "IMAGE", "SOPInstanceUID": f"{UID}\\{SECOND}"}, 2),
        ({"Level": "image", "SOPInstanceUID": f"\\{SECOND}\\"}, 1),
        ({"Level": "STUDY", "StudyInstanceUID": "2.25.1", "AccessionNumber": "OTHER"}, 2),
    ],
)
def test_pictures_are_named_at_every_level_and_in_lists(identifier: dict[str, str], count: int, world: World) -> None:
    world.file(CARE)
    world.receive(encoded(photograph(uid=SECOND, AccessionNumber="ACC1")))
    move(world, **identifier)
    assert len(world.archive.sent) == count


@pytest.mark.parametrize(
    "identifier",
    [
        {"Level": "IMAGE", "SOPInstanceUID": "2.25.999"},
        {"Level": "IMAGE", "SOPInstanceUID": "*"},
        {"Level": "IMAGE", "SOPInstanceUID": ""},
        {"Level": "IMAGE", "SOPInstanceUID": "\\"},
        {"Level": "IMAGE", "StudyInstanceUID": "2.25.1"},
        {"Level": "SERIES", "StudyInstanceUID": "2.25.1"},
        {"Level": "STUDY", "AccessionNumber": ""},
        {"Level": "PATIENT", "PatientID": "p1"},
        {"Level": "PATIENT", "StudyInstanceUID": "2.25.1"},
        {"Level": "EVERYTHING", "PatientID": "P1"},
        {"Level": ""},
        {"PatientID": "P1"},
    ],
)
def test_asking_for_nothing_in_particular_gets_nothing(identifier: dict[str, str], world: World) -> None:
    world.file(CARE)
    assert refused(world, **identifier) == "NOTHING_FOUND"


def test_an_identifier_is_read_by_its_level_s_own_key() -> None:
    assert named({"Level": "STUDY", "AccessionNumber": "A\\B"}) == (Subject.ACCESSION_NUMBER, ("A", "B"))
    assert named({}) is None


def test_after_a_withdrawal_no_move_begins(world: World) -> None:
    world.file(CARE)
    world.withdraw()
    refused(world)


@pytest.mark.parametrize("fault", [World.stop_the_trail, World.lose_the_database])
def test_without_a_record_nothing_is_sent(fault: Callable[[World], None], world: World) -> None:
    world.file(CARE)
    fault(world)
    with pytest.raises(ConsentgateError):
        move(world)
    assert world.archive.sent == []


def test_without_a_record_of_disclosure_nothing_is_sent(world: World) -> None:
    world.file(CARE)
    world.sql("CREATE TRIGGER full BEFORE INSERT ON disclosures BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    assert refused(world) == "FAIL_CLOSED"
