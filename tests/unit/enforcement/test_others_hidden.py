"""A picture in which others are hidden: every door that makes a copy hides them, every other says no and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.enforcement.visible import Viewer, visible
from orthanc_plugin.gate import DecisionChangedError
from orthanc_plugin.policy.model import Effect, Obligation
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.listed import listed
from orthanc_plugin.sending.packing import Packed, Packer, Refusal
from tests.fakes.exits import OTHER, SENDERS, Asking
from tests.fakes.hiding import FACE, HIDING_POLICY, agreed, hidden, is_grey, picture, proposed, rejected
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.rounds import routed
from tests.fakes.world import World, make_world
from tests.unit.enforcement.moving import move_scp
from tests.unit.enforcement.test_http import Door

AUDITOR = """
[[users]]
name = "auditor"
roles = ["view"]
purpose = "LOCAL_AUDIT"
audience = "CARE_TEAM"
"""
REMEDY = "others are hidden in copies only; ask for one by C-MOVE, a send or an archive"
IDENTIFIABLE_TEACHING = {**TEACHING, "max_form": "IDENTIFIABLE"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path / "world", policy=HIDING_POLICY + SENDERS + AUDITOR)
    made.file(CARE, TEACHING)
    yield made
    made.close()


@pytest.fixture
def asking(world: World) -> Asking:
    return Asking(world=world)


def effect(world: World, by: str = "derm") -> Effect:
    return world.services.gate.authorize(world.request(by)).decision.effect


def stored(world: World) -> bytes:
    return world.archive.objects[world.row().orthanc_instance]


def require_hidden(world: World, content: bytes) -> None:
    """See to it that the copy is the picture without the others, and says whose it is and what was done."""
    assert is_grey(content)
    assert picture(content).getpixel((40, 40)) == picture(stored(world)).getpixel((40, 40))
    said, original = pydicom.dcmread(BytesIO(content)), pydicom.dcmread(BytesIO(stored(world)))
    assert (said.PatientID, said.PatientName) == (original.PatientID, original.PatientName)
    assert said.SOPInstanceUID != original.SOPInstanceUID
    assert said.ImageType[0] == "DERIVED"
    assert said.SourceImageSequence[0].ReferencedSOPInstanceUID == UID
    assert "PatientIdentityRemoved" not in said


def move(world: World) -> bytes:
    move_scp(world).hook(
        OriginatorAET="DERMWS", TargetAET="DERMWS", SourceAET="C", OriginatorID=1, Level="IMAGE", SOPInstanceUID=UID
    )
    ((_, content),) = world.archive.sent
    return content


def archived(world: World) -> bytes:
    given = Asking(world=world).get(f"/studies/{world.row().orthanc_study}/archive")
    return given.zip.read("00001.dcm")


def on_a_medium(world: World) -> bytes:
    given = Asking(world=world).get(f"/studies/{world.row().orthanc_study}/media")
    return given.zip.read("IMAGES/IM000001")


def sent(world: World) -> bytes:
    Asking(world=world).post("/modalities/dermatology/store", [world.row().orthanc_instance])
    ((_, content),) = world.archive.sent
    return content


def couriered(world: World) -> bytes:
    ward = routed(world)
    ward.queue(UID)
    ward.turn()
    assert ward.states() == {UID: "DELIVERED"}
    ((_, content),) = world.archive.sent
    return content


COPYING = {"C-MOVE": move, "archive": archived, "medium": on_a_medium, "send": sent, "route": couriered}


@pytest.mark.parametrize("door", COPYING.values(), ids=COPYING)
def test_a_door_that_makes_copies_hides_the_others_and_the_record_says_by_whose_word(
    door: Callable[[World], bytes], world: World
) -> None:
    found = hidden(world)
    require_hidden(world, door(world))
    (row,) = world.disclosures()
    assert (row["form"], row["sop_instance_uid"], row["profile"]) == ("PERMIT_IDENTIFIABLE", UID, "")
    assert row["released_uid"] not in (UID, "")
    begun = next(each for each in world.trail() if each["id"] == row["disclosure_id"])
    assert begun["reasons"] == [f"others hidden by review {found.review_id}"]
    assert verify(world.services.trail.entries()).whole


@pytest.mark.parametrize("door", COPYING.values(), ids=COPYING)
def test_until_somebody_else_agrees_the_patient_s_treatment_has_the_picture_as_it_is(
    door: Callable[[World], bytes], world: World
) -> None:
    proposed(world)
    assert door(world) == stored(world)


STORED = (
    "/instances/{}/file",
    "/instances/{}/preview",
    "/instances/{}/rendered",
    "/instances/{}/frames/0/raw",
    "/instances/{}/tags",
    "/instances/{}/image-uint8",
)


@pytest.mark.parametrize("route", STORED)
def test_a_door_of_the_core_gives_the_picture_no_more_and_says_what_to_ask_for(route: str, world: World) -> None:
    door = Door(world, world.worker())
    request = f"GET {route}".format(world.row().orthanc_instance)
    assert door.ask("derm", request) is True
    hidden(world)
    assert door.refused_by("derm", request) == "OBLIGATION_UNMET"
    assert world.trail()[-1]["reasons"] == [REMEDY]


def test_dicomweb_and_wado_uri_give_the_picture_no_more(world: World) -> None:
    row, door = world.row(), Door(world, world.worker())
    at = f"/dicom-web/studies/{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{UID}"
    asked = {"requestType": "WADO", "objectUID": UID, "studyUID": row.study_instance_uid}
    asked |= {"seriesUID": row.series_instance_uid}
    hidden(world)
    for tail in ("", "/rendered", "/thumbnail", "/frames/1", "/metadata"):
        assert door.refused_by("derm", f"GET {at}{tail}") == "OBLIGATION_UNMET"
    assert door.refused_by("derm", "GET /wado", arguments=asked) == "OBLIGATION_UNMET"


def test_a_whole_study_by_wado_rs_is_refused_with_what_to_ask_for(asking: Asking) -> None:
    world = asking.world
    path = f"/dicom-web/studies/{world.row().study_instance_uid}"
    assert asking.get(path).status == 200
    hidden(world)
    refused = asking.get(path)
    assert (refused.status, REMEDY in refused.content.decode()) == (403, True)


def test_the_others_of_a_study_still_leave_as_they_are(asking: Asking) -> None:
    world = asking.world
    world.file(uid=OTHER)
    hidden(world)
    given = asking.get(f"/studies/{world.row().orthanc_study}/archive")
    contents = [given.zip.read(name) for name in ("00001.dcm", "00002.dcm")]
    assert [is_grey(each) for each in contents] == [True, False]
    assert contents[1] == world.archive.objects[world.row(OTHER).orthanc_instance]


def test_beside_the_treatment_a_proposal_waits_for_somebody_else(world: World) -> None:
    assert effect(world, "auditor") is Effect.PERMIT_IDENTIFIABLE
    proposed(world)
    assert (effect(world, "auditor"), effect(world)) == (Effect.NEEDS_REVIEW, Effect.PERMIT_IDENTIFIABLE)
    agreed(world)
    answer = world.services.gate.authorize(world.request("auditor"))
    assert answer.decision.effect is Effect.PERMIT_IDENTIFIABLE
    assert Obligation.REDACT_THIRD_PARTIES in answer.decision.obligations


def test_one_person_s_rejection_opens_nothing_and_two_persons_do(world: World) -> None:
    hidden(world)
    rejected(world, "looker")
    assert effect(world, "auditor") is Effect.NEEDS_REVIEW
    require_hidden(world, archived(world))
    rejected(world, "second-looker")
    assert effect(world, "auditor") is Effect.PERMIT_IDENTIFIABLE
    assert archived(world) == stored(world)


def test_the_picture_is_still_listed_to_who_may_have_a_copy(world: World) -> None:
    viewer = Viewer(requester=world.requester("derm"), binding=world.binding("derm"), door="test")

    def shown() -> list[str]:
        found = visible(world.services, viewer, lambda at: listed(at, Subject.SOP_INSTANCE_UID, (UID,), 1))
        return [each.sop_instance_uid for each in found]

    assert shown() == [UID]
    hidden(world)
    assert shown() == [UID]


def pack(world: World, by: str = "derm") -> Packed | Refusal:
    packer = Packer(world.services, world.archive)
    return packer.pack(world.requester(by), world.row(), world.binding(by), "test")


def test_another_object_is_not_hidden_by_what_was_agreed_on_of_this_one(world: World) -> None:
    hidden(world)
    world.sql("UPDATE reviews SET pixels = 'of another picture'")
    packed = pack(world)
    assert isinstance(packed, Refusal)
    assert packed.reasons == ("The pixels are not those that were looked at.",)
    assert world.disclosures() == []


def test_what_was_hidden_of_an_earlier_object_is_not_forgotten_when_it_is_another(world: World) -> None:
    hidden(world)
    world.sql("UPDATE reviews SET sha256 = 'of the object before'")
    assert (effect(world, "auditor"), effect(world)) == (Effect.NEEDS_REVIEW, Effect.PERMIT_IDENTIFIABLE)
    answer = world.services.gate.authorize(world.request("derm"))
    assert Obligation.REDACT_THIRD_PARTIES not in answer.decision.obligations


@pytest.mark.parametrize("meanwhile", ["lifted", "other regions", "hidden only now"])
def test_what_changes_while_a_copy_is_made_stops_it(meanwhile: str, world: World) -> None:
    if meanwhile != "hidden only now":
        hidden(world)
    answer = world.services.gate.authorize(world.request("derm"))
    context = world.services.context(answer, world.binding("derm"))
    released = world.services.release.prepare(answer.decision, context, stored(world), UID)
    if meanwhile == "lifted":
        rejected(world, "looker")
        rejected(world, "second-looker")
    else:
        hidden(world, FACE, (32, 32, 8, 8))
    with pytest.raises(DecisionChangedError):
        world.services.disclose(answer, released)
    assert world.disclosures() == []


def test_a_copy_for_teaching_hides_the_others_and_says_what_it_is_for(tmp_path: Path) -> None:
    lecturer = HIDING_POLICY.replace('form = "ANONYMISED"\nprofile = "teaching"\n', "")
    world = make_world(tmp_path, policy=lecturer)
    world.file(CARE, IDENTIFIABLE_TEACHING)
    hidden(world)
    packed = pack(world, "teacher")
    assert isinstance(packed, Packed), packed
    content = packed.released.content
    assert is_grey(content)
    said = pydicom.dcmread(BytesIO(content))
    uids = [str(each.ReferencedSOPInstanceUID) for each in said.SourceImageSequence]
    assert (uids[0], len(uids)) == (UID, 2)
    assert said.private_block(0x0077, "DICOMWRAP CONSENT 1")[0x18].value == "TRAIN"
    world.close()


def test_the_same_regions_give_the_same_copy(world: World) -> None:
    hidden(world)
    first, again = pack(world), pack(world)
    assert isinstance(first, Packed)
    assert isinstance(again, Packed)
    assert first.released.content == again.released.content
